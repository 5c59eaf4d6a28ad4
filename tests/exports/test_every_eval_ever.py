import hashlib
import json
import re
import sys
import uuid

import pytest

from tests.exports.published_schema import package_folder, problems_of, schema
from tests.exports.runs import (
    group_results,
    results_of,
    sample_of,
    written_run,
)
from ultrarm_eval.errors import ConfigurationError, DataError
from ultrarm_eval.exports.every_eval_ever import Evaluator, write_every_eval_ever
from ultrarm_eval.exports.every_eval_ever.export import check_by_package, require_record
from ultrarm_eval.exports.every_eval_ever.record import SCHEMA_VERSION
from ultrarm_eval.exports.figures import exported_figures
from ultrarm_eval.runs.evaluation import read_evaluation

NOBODY = Evaluator("unknown", None, "other")


@pytest.fixture(autouse=True)
def _without_the_package(monkeypatch):
    """What is installed is used by the tests that say so."""
    monkeypatch.setitem(sys.modules, "every_eval_ever", None)


def written(
    folder,
    results=None,
    samples=None,
    *,
    model="org/judge",
    evaluator=NOBODY,
    export=None,
    **options,
):
    run = written_run(folder / "run", results, samples)
    figures = exported_figures(read_evaluation(run), **options)
    return write_every_eval_ever(
        folder / "out", model, figures, evaluator, **{"datasets": {}, **(export or {})}
    )


def record_in(paths):
    (path,) = [path for path in paths if path.suffix == ".json"]
    return json.loads(path.read_text())


def lines_in(paths):
    (path,) = [path for path in paths if path.suffix == ".jsonl"]
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_files_stand_where_the_database_has_them(tmp_path):
    samples, record = written(tmp_path)
    assert record.parent == tmp_path / "out" / "data" / "pairs" / "org" / "judge"
    assert samples.name == f"{record.stem}_samples.jsonl"
    # The database takes UUIDs of version 4 alone.
    assert uuid.UUID(record.stem).version == 4
    assert str(uuid.UUID(record.stem)) == record.stem


def test_a_record_is_what_the_run_found(tmp_path):
    record = record_in(written(tmp_path))
    assert record["schema_version"] == SCHEMA_VERSION == "0.3.0"
    assert record["evaluation_id"] == "pairs/org/judge/1772600767"
    assert record["evaluation_timestamp"] == record["retrieved_timestamp"] == "1772600767"
    assert record["eval_library"] == {"name": "lm_eval", "version": "0.4.13"}
    assert record["source_metadata"]["source_type"] == "evaluation_run"
    model = record["model_info"]
    assert (model["id"], model["developer"]) == ("org/judge", "org")
    assert model["additional_details"] == {
        "deployment_type": "self_deployed",
        "model_availability": "unknown",
        "judge": "ultrarm",
        "revision": "abc123",
        "template": "ultrarm",
        "dtype": "bfloat16",
        "weights_digest": f"sha256:{'5' * 64}",
    }
    (result,) = record["evaluation_results"]
    assert result["source_data"]["hf_repo"] == "org/pairs"
    assert result["source_data"]["samples_number"] == 2
    assert result["metric_config"]["metric_id"] == "accuracy"
    assert (result["metric_config"]["min_score"], result["metric_config"]["max_score"]) == (0, 1)
    assert result["metric_config"]["lower_is_better"] is False
    assert result["score_details"]["score"] == 0.75
    assert result["score_details"]["uncertainty"] == {
        "standard_error": {"value": 0.25, "method": "analytic"},
        "num_samples": 2,
    }


def test_every_sample_is_a_line(tmp_path):
    paths = written(tmp_path)
    record, (first, second) = record_in(paths), lines_in(paths)
    assert first["evaluation_id"] == record["evaluation_id"]
    assert first["model_id"] == "org/judge"
    assert first["input"] == {
        "raw": "question 0",
        "reference": ["right 0"],
        "choices": ["right 0", "wrong 0"],
    }
    assert first["output"] == {"raw": ["2.0", "1.0"]}
    assert first["evaluation"] == {"score": 1.0, "is_correct": True}
    assert [one["extracted_value"] for one in first["answer_attribution"]] == ["right 0"]
    assert first["answer_attribution"][0]["extraction_method"] == "highest_reward"
    # Equal rewards prefer neither answer.
    assert [one["extracted_value"] for one in second["answer_attribution"]] == [
        "right 1",
        "wrong 1",
    ]
    assert second["evaluation"] == {"score": 0.5, "is_correct": False}
    mean = (first["evaluation"]["score"] + second["evaluation"]["score"]) / 2
    assert mean == record["evaluation_results"][0]["score_details"]["score"]


def test_the_record_vouches_for_its_samples(tmp_path):
    samples, path = written(tmp_path)
    told = json.loads(path.read_text())["detailed_evaluation_results"]
    content = samples.read_bytes()
    assert told["file_path"] == samples.relative_to(tmp_path / "out").as_posix()
    assert told["checksum"] == hashlib.sha256(content).hexdigest()
    assert told["total_rows"] == content.count(b"\n") == 2


def test_all_metrics_have_lines_where_they_are_one_number_a_sample(tmp_path):
    paths = written(tmp_path, metrics="all")
    by_id = {r["evaluation_result_id"]: r for r in record_in(paths)["evaluation_results"]}
    assert {name: r["score_details"]["score"] for name, r in by_id.items()} == {
        "acc": 0.75,
        "tie_rate": 0.25,
        "margin": -1.5,
        "acc_longest": 0.5,
    }
    margin = by_id["margin"]["metric_config"]
    assert (margin["min_score"], margin["max_score"]) == ("-Infinity", "Infinity")
    assert by_id["tie_rate"]["metric_config"]["lower_is_better"] is True
    assert by_id["acc_longest"]["metric_config"]["lower_is_better"] is False
    assert by_id["acc_longest"]["metric_config"]["additional_details"]["polarity"] == (
        "not_applicable"
    )
    found = [(line["sample_id"], line["evaluation_result_id"]) for line in lines_in(paths)]
    assert found == [(i, name) for i in "01" for name in ("acc", "tie_rate", "margin")]


def test_a_score_outside_of_its_range_has_no_range(tmp_path):
    results = results_of()
    results["results"]["pairs"]["acc,none"] = 1.004
    (result,) = record_in(written(tmp_path, results))["evaluation_results"]
    assert "max_score" not in result["metric_config"]
    assert result["metric_config"]["additional_details"]["bounds_status"] == "unknown"


def test_a_group_is_a_record_without_samples(tmp_path):
    paths = written(tmp_path, group_results(), {})
    assert [path.parents[2].name for path in paths] == ["both", "one", "two"]
    record = json.loads(paths[0].read_text())
    assert "detailed_evaluation_results" not in record
    assert record["evaluation_results"][0]["source_data"]["additional_details"]["tasks"] == (
        "one, two"
    )


def test_samples_can_be_left_out_and_do_not_stay_behind(tmp_path):
    with_them = written(tmp_path)
    assert len(with_them) == 2
    (alone,) = written(tmp_path, export={"with_samples": False})
    assert alone in with_them
    assert list(alone.parent.iterdir()) == [alone]


def test_missing_samples_are_remarked_upon(tmp_path, caplog):
    assert len(written(tmp_path, samples={})) == 1
    assert "pairs: there are no samples next to the results" in caplog.text


def test_samples_that_are_cut_off_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"1 samples \(filter none\) of 2 documents.*--no-samples"):
        written(tmp_path, samples={"pairs": [sample_of(0, [2.0, 1.0])]})
    assert list((tmp_path / "out").iterdir()) == []


def test_damaged_samples_are_refused(tmp_path):
    run = written_run(tmp_path / "run")
    (path,) = run.glob("samples_*")
    path.write_text(path.read_text()[:-20])
    figures = exported_figures(read_evaluation(run))
    with pytest.raises(DataError, match="line 2: this is not valid JSON"):
        write_every_eval_ever(tmp_path / "out", "org/judge", figures, NOBODY, datasets={})
    assert list((tmp_path / "out").iterdir()) == []


def test_documents_without_a_score_have_no_line(tmp_path):
    samples = [sample_of(0, [2.0, 1.0]), sample_of(1, [1.0, 0.0], acc=None)]
    (line,) = lines_in(written(tmp_path, samples={"pairs": samples}))
    assert line["sample_id"] == "0"


def test_figures_over_all_samples_at_once_have_no_lines(tmp_path, caplog):
    samples = [sample_of(0, [2.0, 1.0], acc=[1, 0]), sample_of(1, [1.0, 0.0], acc=[1, 0])]
    assert len(written(tmp_path, samples={"pairs": samples})) == 1
    assert "none of its scores is a mean" in caplog.text


def test_written_answers_are_told_with_what_the_filter_made_of_them(tmp_path):
    results = results_of(results={"pairs": {"exact_match,strict": 1.0}})
    results["config"] = {"model": "hf", "model_args": "pretrained=org/lm"}
    results["configs"]["pairs"] |= {
        "output_type": "generate_until",
        "generation_kwargs": {"temperature": 0.7, "max_gen_toks": 9, "until": ["\n"]},
    }
    sample = sample_of(0, [1.0, 0.0]) | {
        "arguments": {"gen_args_0": {"arg_0": "1+1?", "arg_1": {"until": ["\n"]}}},
        "resps": [["It is 2."]],
        "filtered_resps": ["2"],
        "target": "2",
        "filter": "strict",
        "exact_match": 1.0,
    }
    del sample["acc"]
    others = {**sample, "filter": "loose", "doc_id": 7}
    samples = {"pairs": [sample, others, {**sample, "doc_id": 1}]}
    paths = written(tmp_path, results, samples, model="org/lm")
    (result,) = record_in(paths)["evaluation_results"]
    assert result["evaluation_name"] == "pairs/strict"
    assert result["evaluation_result_id"] == "exact_match:strict"
    assert result["generation_config"]["generation_args"] == {"temperature": 0.7, "max_tokens": 9}
    lines = lines_in(paths)
    assert [line["sample_id"] for line in lines] == ["0", "1"]
    assert lines[0]["output"] == {"raw": ["It is 2."]}
    assert lines[0]["input"] == {"raw": "1+1?", "reference": ["2"], "choices": None}
    (answer,) = lines[0]["answer_attribution"]
    assert (answer["extracted_value"], answer["extraction_method"]) == ("2", "strict")


def test_each_filter_has_its_own_lines(tmp_path):
    results = results_of(results={"pairs": {"exact_match,strict": 1.0, "exact_match,loose": 0.0}})
    samples = [
        sample_of(i, [1.0, 0.0], filter=name, exact_match=score, acc=None)
        for i in range(2)
        for name, score in (("strict", 1.0), ("loose", 0.0))
    ]
    paths = written(tmp_path, results, {"pairs": samples}, metrics="all")
    found = [(one["evaluation_name"], one["evaluation"]["score"]) for one in lines_in(paths)]
    assert found == [("pairs/strict", 1.0), ("pairs/loose", 0.0)] * 2


def test_the_preferred_answer_is_the_one_with_the_highest_reward(tmp_path):
    rewards = ([1.0, 2.0], ["nan", 1.0], ["none", 1.0], [1.0])
    samples = [sample_of(0, [2.0, 1.0]) for _ in rewards]
    for sample, given in zip(samples, rewards, strict=True):
        sample["filtered_resps"] = [[str(one), "False"] for one in given]
    lines = lines_in(written(tmp_path, samples={"pairs": samples}))
    told = [[one["extracted_value"] for one in line["answer_attribution"]] for line in lines]
    assert told == [["wrong 0"], [], [], []]


def test_texts_of_any_kind_stay_on_their_line(tmp_path):
    text = "a\u2028b\u0085c\x0bd\ud800e<script>\n"
    sample = sample_of(0, [2.0, 1.0])
    sample["arguments"]["gen_args_0"]["arg_1"] = text
    paths = written(tmp_path, samples={"pairs": [sample, sample_of(1, [1.0, 1.0])]})
    (path,) = [path for path in paths if path.suffix == ".jsonl"]
    assert len(path.read_bytes().decode("ascii").splitlines()) == 2
    assert lines_in(paths)[0]["input"]["choices"][0] == text.replace("\ud800", "?")


def test_exporting_again_gives_the_same_files(tmp_path):
    first = {path: path.read_bytes() for path in written(tmp_path, metrics="all")}
    assert {path: path.read_bytes() for path in written(tmp_path, metrics="all")} == first


def test_another_result_is_another_record(tmp_path):
    results = results_of()
    results["results"]["pairs"]["acc,none"] = 0.5
    names = [written(tmp_path / str(i), r)[-1].stem for i, r in enumerate((None, results))]
    assert names[0] != names[1]


@pytest.mark.parametrize("model", ["judge", "org/data", "con/judge", "org/AUX.x", "unknown/judge"])
def test_a_model_needs_a_developer_and_a_name(tmp_path, model):
    with pytest.raises(ConfigurationError, match="is not a valid ORG/NAME there"):
        written(tmp_path, model=model)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("task", ["../../x", "data", "con", "a/b", "<b>", "x\ny", "..."])
def test_hostile_task_names_stay_in_the_folder(tmp_path, task):
    results = results_of()
    for part in ("results", "configs", "n-samples", "higher_is_better"):
        results[part] = {task: results[part]["pairs"]}
    (path,) = written(tmp_path, results, {})
    parts = path.relative_to(tmp_path / "out").parts
    assert (len(parts), parts[0], parts[2:4]) == (5, "data", ("org", "judge"))
    assert re.fullmatch(r"[A-Za-z0-9._-]+", parts[1])
    assert parts[1] not in ("data", "con")
    assert not parts[1].endswith(".")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "run"]


def test_who_made_the_run_is_told(tmp_path):
    evaluator = Evaluator("Us", "https://example.org/", "first_party")
    source = record_in(written(tmp_path, evaluator=evaluator))["source_metadata"]
    assert source["source_organization_name"] == "Us"
    assert source["source_organization_url"] == "https://example.org/"
    assert source["evaluator_relationship"] == "first_party"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.pop("eval_library"), "eval_library.name is missing"),
        (lambda r: r["model_info"].update(id=""), "model_info.id is missing"),
        (lambda r: r.update(evaluation_results=[]), "evaluation_results is missing"),
        (
            lambda r: r["model_info"]["additional_details"].update(layers=3),
            "additional_details.layers is not a text",
        ),
        (
            lambda r: r["evaluation_results"][0]["score_details"].update(score=float("nan")),
            "score_details.score: nan is not a finite number",
        ),
        (
            lambda r: r["evaluation_results"][0]["metric_config"].pop("lower_is_better"),
            r"evaluation_results\[0\].metric_config.lower_is_better is missing",
        ),
    ],
)
def test_a_record_without_what_the_schema_asks_for_is_refused(tmp_path, change, message):
    record = record_in(written(tmp_path))
    require_record(record)
    change(record)
    with pytest.raises(DataError, match=message):
        require_record(record)


def test_the_published_schema_takes_the_files(tmp_path):
    for index, (results, samples) in enumerate(
        ((None, None), (group_results(), {}), (results_of(), {"pairs": []}))
    ):
        if samples == {"pairs": []}:
            results["configs"]["pairs"]["metadata"]["data_used"] = "/data/x"
            samples = {}
        for metrics in ("main", "all"):
            folder = tmp_path / f"{index}{metrics}"
            assert problems_of(written(folder, results, samples, metrics=metrics)) == []


def test_the_published_schema_refuses_what_it_does_not_know(tmp_path):
    record = record_in(written(tmp_path)) | {"more": 1}
    assert not schema("eval.schema.json").is_valid(record)


class TestPublishedPackage:
    """The package's own check, which the database runs on every file."""

    @pytest.fixture(autouse=True)
    def _with_the_package(self, _without_the_package, monkeypatch):
        folder = package_folder()
        pytest.importorskip("rich")
        monkeypatch.delitem(sys.modules, "every_eval_ever")
        monkeypatch.syspath_prepend(str(folder.parent))
        yield
        for name in [n for n in sys.modules if n.partition(".")[0] == "every_eval_ever"]:
            del sys.modules[name]

    def test_it_takes_the_files(self, tmp_path, caplog):
        assert len(written(tmp_path, metrics="all")) == 2
        assert "every_eval_ever.validator" in str(sys.modules)
        assert not [r for r in caplog.records if r.levelname == "WARNING"]

    def test_what_it_refuses_is_not_written(self, tmp_path, monkeypatch):
        monkeypatch.setattr("ultrarm_eval.exports.every_eval_ever.record.SCHEMA_VERSION", 3)
        with pytest.raises(
            DataError, match="The package every-eval-ever rejects .*schema_version: Input sho"
        ):
            written(tmp_path)
        assert list((tmp_path / "out").iterdir()) == []

    def test_a_file_that_does_not_belong_to_its_samples_is_refused(self, tmp_path):
        samples, path = written(tmp_path)
        samples.write_text(samples.read_text() * 2)
        names = [one.relative_to(tmp_path / "out").as_posix() for one in (samples, path)]
        with pytest.raises(DataError, match="total_rows does not match"):
            check_by_package(tmp_path / "out", names)
