"""Which results of several runs in a folder are used, and what is reported of the others."""

import json
import math

import pytest

from tests.report.written_runs import rated, rated_sample, samples_of, write_run
from ultrarm_eval.errors import DataError
from ultrarm_eval.runs.digest import documents_digest, samples_digest
from ultrarm_eval.runs.evaluation import read_evaluation, read_evaluations
from ultrarm_eval.runs.figure import Figure
from ultrarm_eval.runs.identity import distinguishing, model_settings
from ultrarm_eval.runs.run import read_run

EARLY, LATE = "2026-01-01T00-00-00.000000", "2026-02-02T00-00-00.000000"


def samples(rights=3, total=4):
    judged = [
        (rated(i, [f"a{i}", f"b{i}"], ["5", "1"]), [1.0, 0.0] if i < rights else [0.0, 1.0])
        for i in range(total)
    ]
    return samples_of(rated_sample, judged)


def test_the_newest_run_of_a_task_counts_and_the_others_are_named(tmp_path):
    write_run(tmp_path / "a", samples(1), stamp=EARLY)
    write_run(tmp_path / "b", samples(3), stamp=LATE)
    evaluation = read_evaluation(tmp_path)
    assert evaluation.tasks["pairs"].main_figure == Figure("acc", "none", 0.75, documents=4)
    assert evaluation.remarks == (
        f"pairs: 2 runs with these settings; results_{LATE}.json is used.",
    )


def test_what_is_left_out_is_counted_and_said_once_for_all_its_tasks(tmp_path):
    for stamp in (EARLY, LATE):
        path = write_run(tmp_path / stamp, samples(), stamp=stamp)
        content = json.loads(path.read_text())
        content["results"] |= {"more": {"acc,none": 0.5}, "all": {"acc,none": 0.5}}
        content["group_subtasks"] = {"all": ["pairs", "more"]}
        path.write_text(json.dumps(content))
    evaluation = read_evaluation(tmp_path)
    assert evaluation.superseded == 3
    assert evaluation.remarks == (
        f"pairs, more, all: 2 runs with these settings; results_{LATE}.json is used.",
    )


def test_the_samples_of_a_critique_are_no_part_of_the_data(tmp_path):
    path = write_run(tmp_path, samples(), config={"judge": "critique", "samples": 4})
    assert read_evaluation(path).tasks["pairs"].parts == {}
    path = write_run(tmp_path, samples(), config={"samples": {"pairs": [1, 2]}})
    assert read_evaluation(path).tasks["pairs"].parts == {"samples": {"pairs": [1, 2]}}


def test_a_run_over_all_the_data_goes_before_a_later_one_over_a_part(tmp_path):
    write_run(tmp_path, samples(1), stamp=EARLY)
    write_run(tmp_path, samples(3), stamp=LATE, config={"limit": 3})
    result = read_evaluation(tmp_path).tasks["pairs"]
    assert (result.main_figure.value, result.parts) == (0.25, {})


@pytest.mark.parametrize(
    ("limit", "counted", "parts"),
    [
        (4.0, {"original": 4, "effective": 4}, {}),
        (60.0, {"original": 4, "effective": 4}, {}),
        (3.0, {"original": 4, "effective": 3}, {"limit": 3}),
        # A share; 0.4.10 counts other tasks' documents here.
        (0.5, {"original": 4, "effective": 4}, {"limit": 0.5}),
        (math.inf, {"original": 4, "effective": 4}, {}),
        (60.0, {}, {"limit": 60}),
    ],
)
def test_a_limit_that_all_documents_are_within_makes_no_part(tmp_path, limit, counted, parts):
    path = write_run(tmp_path, samples(), config={"limit": limit})
    content = json.loads(path.read_text())
    content["n-samples"] = {"pairs": counted}
    path.write_text(json.dumps(content))
    assert read_evaluation(path).tasks["pairs"].parts == parts


def test_a_limit_may_limit_one_task_of_a_group_alone(tmp_path):
    path = write_run(tmp_path, samples(), config={"limit": 10})
    content = json.loads(path.read_text())
    content["results"] |= {"more": {"acc,none": 0.5}, "all": {"acc,none": 0.5}}
    content["group_subtasks"] = {"all": ["pairs", "more"]}
    content["n-samples"] = {
        "pairs": {"original": 4, "effective": 4},
        "more": {"original": 40, "effective": 10},
    }
    path.write_text(json.dumps(content))
    evaluation = read_evaluation(path)
    assert evaluation.tasks["pairs"].parts == {}
    assert evaluation.tasks["more"].parts == {"limit": 10}
    assert evaluation.groups["all"].parts == {"limit": 10}


def test_a_task_with_other_settings_is_another_column(tmp_path):
    write_run(tmp_path, samples(), {"preference": "overall"}, stamp=EARLY)
    write_run(tmp_path, samples(), {"preference": "honesty"}, stamp=LATE)
    assert list(read_evaluation(tmp_path).tasks) == [
        "pairs (preference=honesty)",
        "pairs (preference=overall)",
    ]


def test_judges_with_other_settings_are_told_apart_by_them(tmp_path):
    for template in ("raw", "ultrarm"):
        write_run(tmp_path / template, samples(), config={"template": template})
    found = read_evaluations(tmp_path)
    assert [e.label for e in found] == ["judge (template=raw)", "judge (template=ultrarm)"]
    with pytest.raises(DataError, match=r"2 models or settings: judge \(template=raw\); "):
        read_evaluation(tmp_path)


def test_how_fast_a_judge_ran_does_not_tell_it_apart(tmp_path):
    for batch_size, stamp in ((1, EARLY), (8, LATE)):
        changed = {"batch_size": batch_size, "device": f"cuda:{batch_size}"}
        write_run(tmp_path / stamp, samples(), stamp=stamp, config=changed)
    assert len(read_evaluations(tmp_path)) == 1


def test_a_damaged_file_among_good_ones_is_left_out_and_said(tmp_path):
    write_run(tmp_path, samples(), stamp=EARLY)
    (tmp_path / f"results_{LATE}.json").write_text('{"results": {"pairs"')
    (remark,) = read_evaluation(tmp_path).remarks
    assert remark.startswith("Skipped: ")
    assert f"results_{LATE}.json: this is not valid JSON" in remark


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"results": {', "not valid JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[1]", "has no 'results' of lm_eval"),
        (b'{"results": 3}', "has no 'results' of lm_eval"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_damaged_file_alone_is_named(tmp_path, content, message):
    (tmp_path / f"results_{EARLY}.json").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_evaluations(tmp_path)


def test_nothing_to_read_is_said(tmp_path):
    with pytest.raises(DataError, match="no result of any task here"):
        read_evaluations(tmp_path)
    with pytest.raises(DataError, match="no such file or folder"):
        read_evaluations(tmp_path / "nowhere")
    (tmp_path / "notes.json").write_text("{}")
    with pytest.raises(DataError, match="not a results file of lm_eval"):
        read_evaluations(tmp_path / "notes.json")


def test_samples_of_which_the_results_are_lost_still_count(tmp_path):
    write_run(tmp_path, samples()).unlink()
    result = read_evaluation(tmp_path).tasks["pairs"]
    assert result.main_figure is None
    assert result.samples_path is not None


def test_results_under_a_name_of_the_users_are_found(tmp_path):
    write_run(tmp_path, samples(), name="mine")
    assert read_evaluation(tmp_path).tasks["pairs"].samples_path is not None


def test_groups_are_apart_from_tasks(tmp_path):
    path = write_run(tmp_path, samples())
    content = json.loads(path.read_text())
    content["results"]["all"] = {"alias": "all", "acc,none": 0.5}
    # Older versions of the harness write every task as a group without members.
    content["group_subtasks"] = {"all": ["pairs"], "pairs": []}
    path.write_text(json.dumps(content))
    evaluation = read_evaluation(tmp_path)
    assert (list(evaluation.tasks), list(evaluation.groups)) == (["pairs"], ["all"])


def test_arguments_that_older_versions_wrote_as_text_are_read(tmp_path):
    config = {"model": "hf", "judge": None, "pretrained": None}
    arguments = "pretrained=org/model,dtype=float16,batch_size=8"
    path = write_run(tmp_path, samples(), config={**config, "model_args": arguments})
    assert model_settings(read_run(path)) == {"model": "hf", "dtype": "float16"}


def test_labels_name_what_differs_and_nothing_else():
    assert distinguishing([("a", {"x": 1, "y": 2}), ("a", {"x": 1, "y": 3}), ("b", {"x": 5})]) == [
        "a (y=2)",
        "a (y=3)",
        "b",
    ]
    assert distinguishing([("a", {}), ("a", {})]) == ["a [1]", "a [2]"]


def test_the_digest_does_not_depend_on_the_order_and_knows_repetitions():
    hashes = [{"doc_hash": h, "filter": "none"} for h in ("x", "y", "x")]
    assert samples_digest(hashes) == samples_digest(hashes[::-1])
    assert samples_digest(hashes) == documents_digest([("x", 0), ("x", 1), ("y", 0)])
    assert samples_digest(hashes) != samples_digest(hashes[:2])
    # A document stands there once for each filter.
    other = [{**sample, "filter": "other"} for sample in hashes]
    assert samples_digest([*hashes, *other]) == samples_digest(hashes)
    assert samples_digest([]) is None
    assert samples_digest([{"doc_id": 1}]) is None


def test_samples_that_were_lost_count_where_nothing_else_has_their_task(tmp_path):
    write_run(tmp_path, samples(), stamp=EARLY, config={"template": "raw"})
    write_run(tmp_path, samples(1), stamp=LATE).unlink()
    write_run(tmp_path, samples(1), stamp=LATE, task="other").unlink()
    evaluation = read_evaluation(tmp_path)
    assert evaluation.label == "judge"
    assert evaluation.newest.stamp == EARLY
    assert evaluation.tasks["pairs"].main_figure == Figure("acc", "none", 0.75, documents=4)
    assert evaluation.tasks["other"].main_figure is None
    assert evaluation.remarks == (
        "pairs: skipped samples without results, because there is a complete run.",
    )


def test_a_model_without_a_result_of_a_task_is_said_to_be_left_out(tmp_path):
    write_run(tmp_path / "a", samples())
    path = write_run(tmp_path / "b", samples(), config={"pretrained": "other"})
    content = json.loads(path.read_text())
    content["results"] = {"all": {"acc,none": 0.5}}
    content["group_subtasks"] = {"all": ["pairs"]}
    path.write_text(json.dumps(content))
    (remark,) = read_evaluation(tmp_path).remarks
    assert remark == "Skipped: other has no result of any task, only of groups (all)."


def test_a_hash_that_no_encoding_can_write_has_a_digest():
    assert len(documents_digest([("\ud800", 0)])) == 64
