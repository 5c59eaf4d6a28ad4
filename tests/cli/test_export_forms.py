"""`ultrarm-eval export eval-results|model-index|every-eval-ever` from a real run."""

import json
import re

import pytest
import yaml

from tests.exports.published_schema import problems_of
from tests.exports.runs import (
    STAMP,
    harness_run,
    results_of,
    ultrafeedback_file,
    written_run,
)
from ultrarm_eval.cli.main import main

FORMS = ("eval-results", "model-index", "every-eval-ever")
SOURCES = ("evol_instruct", "false_qa", "flan", "sharegpt", "truthful_qa", "ultrachat")
TASKS = ("ultrafeedback_pairs", "ultrafeedback_by_source", *(f"ultrafeedback_{s}" for s in SOURCES))
DATASETS = tuple(word for task in TASKS for word in ("--dataset", f"{task}=openbmb/UltraFeedback"))
NAMED = ("--model", "openbmb/UltraRM-13b", *DATASETS)
IN_SAMPLE = "in-sample: the judge was trained on these data"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of the stock evaluator over a file of one's own, with groups and samples."""
    folder = tmp_path_factory.mktemp("finished")
    tasks = ["ultrafeedback_pairs", "ultrafeedback_by_source"]
    data = str(ultrafeedback_file(folder))
    results = harness_run(folder / "out", tasks, {"data": data}, bootstrap_iters=10)
    return folder / "out", results["results"]


@pytest.fixture(autouse=True)
def _needs_entries(request):
    asked = "eval-results" in request.node.name or "eval_results" in request.node.name
    huggingface_hub = pytest.importorskip("huggingface_hub")
    if asked and not hasattr(huggingface_hub, "EvalResultEntry"):
        pytest.skip("EvalResultEntry came with huggingface_hub 1.4")


def exported(capsys, form, folder, output, *more):
    assert main(["export", form, str(folder), "-o", str(output), *more]) == 0
    return [output / line for line in capsys.readouterr().out.splitlines()]


def refused(capsys, form, folder, output, *more):
    assert main(["export", form, str(folder), "-o", str(output), *more]) == 2
    assert not [path for path in output.rglob("*") if path.is_file()]
    return capsys.readouterr().err


def test_eval_results_have_the_runs_figures(finished, tmp_path, capsys):
    folder, results = finished
    (path,) = exported(capsys, "eval-results", folder, tmp_path / "o", *NAMED)
    assert path == tmp_path / "o/openbmb/UltraRM-13b/.eval_results/UltraFeedback.yaml"
    entries = {entry["dataset"]["task_id"]: entry for entry in yaml.safe_load(path.read_text())}
    assert set(entries) == set(results)
    for task, entry in entries.items():
        assert entry["value"] == results[task]["acc,none"]
        assert entry["dataset"]["id"] == "openbmb/UltraFeedback"
        assert IN_SAMPLE in entry["notes"]
    assert "12 documents" in entries["ultrafeedback_pairs"]["notes"]
    assert "over the 6 tasks of the group" in entries["ultrafeedback_by_source"]["notes"]


def test_model_index_has_the_runs_figures(finished, tmp_path, capsys):
    folder, results = finished
    (path,) = exported(capsys, "model-index", folder, tmp_path / "o", "--metrics", "all", *NAMED)
    (index,) = yaml.safe_load(path.read_text())["model-index"]
    found = {r["dataset"]["config"]: {m["name"]: m for m in r["metrics"]} for r in index["results"]}
    assert set(found) == set(results)
    for task, metrics in found.items():
        figures = {
            key: value
            for key, value in results[task].items()
            if isinstance(value, float) and "_stderr" not in key
        }
        assert {name: m["value"] for name, m in metrics.items()} == figures
        assert next(iter(metrics)) == "acc,none"
        assert metrics["acc,none"]["args"]["remarks"][0].startswith(IN_SAMPLE)
    errors = results["ultrafeedback_pairs"]
    told = found["ultrafeedback_pairs"]["acc,none"]["args"]["standard_error"]
    assert told == errors["acc_stderr,none"]


def test_every_eval_ever_has_the_runs_figures_and_samples(finished, tmp_path, capsys):
    folder, results = finished
    paths = exported(capsys, "every-eval-ever", folder, tmp_path / "o", *NAMED)
    records = [json.loads(path.read_text()) for path in paths if path.suffix == ".json"]
    assert {r["evaluation_results"][0]["evaluation_name"] for r in records} == set(results)
    for record in records:
        (result,) = record["evaluation_results"]
        task = result["evaluation_name"]
        assert result["score_details"]["score"] == results[task]["acc,none"]
        assert IN_SAMPLE in result["score_details"]["details"]["remarks"]
        if task == "ultrafeedback_by_source":
            assert "detailed_evaluation_results" not in record
            continue
        detailed = tmp_path / "o" / record["detailed_evaluation_results"]["file_path"]
        lines = [json.loads(line) for line in detailed.read_text().splitlines()]
        scores = [line["evaluation"]["score"] for line in lines]
        assert sum(scores) / len(scores) == pytest.approx(results[task]["acc,none"])
        assert len(scores) == result["score_details"]["uncertainty"]["num_samples"]


def test_the_published_schema_takes_every_file(finished, tmp_path, capsys):
    paths = exported(capsys, "every-eval-ever", finished[0], tmp_path, "--metrics", "all", *NAMED)
    assert len(paths) == 2 * 7 + 1
    assert problems_of(paths) == []


@pytest.mark.few(1)
@pytest.mark.parametrize("form", FORMS)
def test_exports_repeat_and_name_no_path(finished, tmp_path, capsys, form):
    folder = finished[0]
    for name in ("a", "b"):
        exported(capsys, form, folder, tmp_path / name, "--metrics", "all", *NAMED)
    contents = [
        {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*.*ml")}
        | {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*.js*")}
        for name in ("a", "b")
    ]
    assert contents[0] == contents[1]
    assert contents[0]
    for content in contents[0].values():
        # The results hold where data, task files and output lay.
        assert b"tmp" not in content
        assert b"config_source" not in content
        assert str(folder).encode() not in content
        assert b"ultrafeedback.jsonl" not in content


@pytest.mark.parametrize("form", FORMS)
def test_what_cannot_be_exported_is_named(finished, tmp_path, capsys, form):
    folder, output = finished[0], tmp_path / "o"

    def says(path, message, *more):
        assert message in refused(capsys, form, path, output, *more)

    says(tmp_path / "nowhere", "there is no such file or folder")
    (tmp_path / "empty").mkdir()
    says(tmp_path / "empty", "there is no result of any task here")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / f"results_{STAMP}.json").write_text("{")
    says(broken, "not valid JSON")
    says(folder, "Unknown task 'ultrafeedback_pair'", "--task", "ultrafeedback_pair")
    says(folder, "give TASK=VALUE once", "--dataset", "a=", "--model", "org/judge")
    says(folder, "the address of a page", "--source-url", "javascript:x", "--model", "org/judge")
    for name in ("../x", "<script>", "org/a\nb", "org/../../x"):
        says(folder, f"--model {name!r}: a model's name is ORG/NAME", "--model", name)
    assert sorted(path.name for path in tmp_path.iterdir() if path != output) == ["broken", "empty"]


@pytest.mark.parametrize("form", FORMS)
def test_a_model_that_is_a_path_has_to_be_named(finished, tmp_path, capsys, form):
    (path,) = finished[0].rglob("results_*.json")
    content = json.loads(path.read_text())
    content["config"]["pretrained"] = "/weights/mine"
    run = written_run(tmp_path / "run", content, {})
    assert "which is a path: name it with --model ORG/NAME" in refused(
        capsys, form, run, tmp_path / "o"
    )
    paths = exported(capsys, form, run, tmp_path / "o", "--model", "me/mine", *DATASETS)
    assert not [path for path in paths if "/weights" in path.read_text()]


@pytest.mark.parametrize("form", FORMS)
def test_a_run_over_a_part_is_exported_with_a_remark_on_demand(finished, tmp_path, capsys, form):
    (path,) = finished[0].rglob("results_*.json")
    content = json.loads(path.read_text())
    content["config"]["limit"] = 1
    run = written_run(tmp_path / "run", content, {})
    named = ("--model", "openbmb/UltraRM-13b", "--dataset", "openbmb/UltraFeedback")
    more = ("--task", "ultrafeedback_flan", *named)
    said = refused(capsys, form, run, tmp_path / "o", *more)
    assert "on a subset of its data (limit 1)" in said
    (path,) = exported(capsys, form, run, tmp_path / "o", "--allow-partial", *more)
    assert "partial run over a subset of the data (limit 1)" in " ".join(path.read_text().split())


def test_every_eval_ever_needs_a_developer(finished, tmp_path, capsys):
    said = refused(capsys, "every-eval-ever", finished[0], tmp_path / "o")
    assert "'demo' is not a valid ORG/NAME there: name both with --model ORG/NAME" in said


def test_eval_results_need_the_hubs_name_of_the_data(finished, tmp_path, capsys):
    said = refused(capsys, "eval-results", finished[0], tmp_path / "o")
    # Every task that has to be named is named at once.
    assert re.search(r"ultrafeedback_by_source, .*ultrafeedback_flan.* did not read their", said)
    assert "--dataset ultrafeedback_flan=ORG/NAME" in said


def test_a_form_that_is_none_is_refused(finished, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["export", "papers", str(finished[0]), "-o", str(tmp_path)])
    assert stopped.value.code == 2
    assert "invalid choice: 'papers'" in capsys.readouterr().err


def test_eval_results_take_one_name_for_one_task_alone(finished, tmp_path, capsys):
    folder, plain = finished[0], ("--model", "org/judge", "--dataset", "openbmb/UltraFeedback")
    said = refused(capsys, "eval-results", folder, tmp_path / "o", *plain)
    assert "--dataset openbmb/UltraFeedback: 8 tasks are exported" in said
    for task in TASKS:
        assert f"--dataset {task}=ORG/NAME" in said
    only = ("--task", "ultrafeedback_flan")
    (path,) = exported(capsys, "eval-results", folder, tmp_path / "o", *plain, *only)
    assert [entry["dataset"]["id"] for entry in yaml.safe_load(path.read_text())] == [
        "openbmb/UltraFeedback"
    ]


@pytest.mark.parametrize("form", ["model-index", "every-eval-ever"])
def test_one_name_for_several_tasks_is_said(finished, tmp_path, capsys, caplog, form):
    more = ("--model", "org/judge", "--dataset", "openbmb/UltraFeedback")
    exported(capsys, form, finished[0], tmp_path / "o", *more)
    assert "--dataset openbmb/UltraFeedback is used as the data set of 8 tasks" in caplog.text


@pytest.mark.parametrize("form", FORMS)
def test_a_name_for_a_task_that_is_not_exported_is_refused(finished, tmp_path, capsys, form):
    more = ("--model", "org/judge", "--dataset", "ultrafeedback_flam=a/b")
    said = refused(capsys, form, finished[0], tmp_path / "o", *more)
    assert "unknown task 'ultrafeedback_flam'. Did you mean 'ultrafeedback_flan'?" in said


@pytest.mark.parametrize("form", FORMS)
def test_another_export_is_replaced_on_demand_alone(tmp_path, capsys, form):
    run, output = written_run(tmp_path / "run"), tmp_path / "o"
    first = exported(capsys, form, run, output)
    contents = [path.read_bytes() for path in first]
    assert exported(capsys, form, run, output) == first
    content = results_of()
    content["results"]["pairs"]["acc_stderr,none"] = 0.125
    # Records of Every Eval Ever have names of their content: those in the way are edited ones.
    if form == "every-eval-ever":
        first[-1].write_text("{}")
        contents[-1] = b"{}"
    else:
        run = written_run(tmp_path / "other", content)
    assert main(["export", form, str(run), "-o", str(output)]) == 2
    said = capsys.readouterr().err
    assert f"{first[-1]}: there is already an export with other content" in said
    assert "--overwrite" in said
    assert [path.read_bytes() for path in first] == contents
    assert sorted(p for p in output.rglob("*") if p.is_file()) == sorted(first)
    for option in ("--overwrite", "--force"):
        assert exported(capsys, form, run, output, option) == first
    assert first[-1].read_bytes() != contents[-1]


@pytest.mark.product
@pytest.mark.parametrize("form", ["model-index", "every-eval-ever"])
@pytest.mark.parametrize("more", [(), ("--dataset", "me/mine")])
@pytest.mark.parametrize(
    ("used", "is_told"), [("org/pairs", True), ("/data/mine.jsonl", False), ("demo", False)]
)
def test_a_file_has_no_split_of_the_hubs(tmp_path, capsys, form, more, used, is_told):
    content = results_of()
    content["configs"]["pairs"] |= {"test_split": "filtered"}
    content["configs"]["pairs"]["metadata"]["data_used"] = used
    paths = exported(capsys, form, written_run(tmp_path / "run", content), tmp_path / "o", *more)
    written = "".join(path.read_text() for path in paths)
    assert ("filtered" in written.replace("filtered_", "")) == (is_told and not more)
    assert ("org/pairs" in written) == is_told


@pytest.mark.product
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("part", ["limit", "samples"])
def test_a_smoke_run_does_not_hide_a_whole_one(tmp_path, capsys, caplog, form, part):
    written_run(tmp_path / "run")
    later = results_of()
    later["results"]["pairs"]["acc,none"] = 1.0
    if part == "limit":
        later["config"]["limit"] = 1
    else:
        # The harness does not write down --samples: what it counted tells.
        later["n-samples"]["pairs"] = {"original": 2, "effective": 1}
    alone = tmp_path / "alone"
    alone.mkdir()
    for folder in (tmp_path / "run", alone):
        (folder / "results_2026-09-09T00-00-00.000001.json").write_text(json.dumps(later))
    paths = exported(capsys, form, tmp_path / "run", tmp_path / "o")
    assert any("0.75" in path.read_text() for path in paths)
    assert f"results_{STAMP}.json is used" in caplog.text
    assert "on a subset of its data" in refused(capsys, form, alone, tmp_path / "p")
