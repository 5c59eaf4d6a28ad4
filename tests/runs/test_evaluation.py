"""Folders as interrupted, repeated and old runs leave them; see also test_result_choice.py."""

import json
import math

import pytest

from tests.report.written_runs import STAMP, rated, rated_sample, samples_of, write_run
from ultrarm_eval.cli.main import main
from ultrarm_eval.runs.evaluation import read_evaluation, read_evaluations
from ultrarm_eval.runs.samples_file import read_samples

EARLY, LATE = "2026-01-01T00-00-00.000000", "2026-02-02T00-00-00"


def samples(margins=(1.0, -1.0, 2.0)):
    judged = [
        (rated(i, [f"good {i}", f"bäd {i}"], ["2", "1"]), [margin, 0.0])
        for i, margin in enumerate(margins)
    ]
    return samples_of(rated_sample, judged)


def report(capsys, folder):
    """What the command says of the only task of a folder."""
    assert main(["report", str(folder), "--format", "json"]) == 0
    (judge,) = json.loads(capsys.readouterr().out)["judges"]
    (task,) = judge["tasks"]
    return judge, task


class TestWhichResultCounts:
    def test_one_with_samples_goes_before_a_newer_one_without(self, tmp_path):
        write_run(tmp_path, samples(), stamp=EARLY)
        write_run(tmp_path, None, stamp=LATE)
        result = read_evaluation(tmp_path).tasks["pairs"]
        assert result.run.stamp == EARLY

    def test_one_over_all_data_goes_before_one_with_samples_over_a_part(self, tmp_path):
        write_run(tmp_path, None, stamp=EARLY)
        write_run(tmp_path, samples(), {"shard": "1/2"}, stamp=LATE)
        result = read_evaluation(tmp_path).tasks["pairs"]
        assert (result.run.stamp, result.parts) == (EARLY, {})

    def test_tasks_of_several_runs_are_one_evaluation(self, tmp_path):
        write_run(tmp_path / "a", samples(), task="one", stamp=EARLY)
        write_run(tmp_path / "b" / "c", samples(), task="two", stamp=LATE)
        evaluation = read_evaluation(tmp_path)
        assert list(evaluation.tasks) == ["one", "two"]
        assert [run.stamp for run in evaluation.runs] == [EARLY, LATE]
        assert evaluation.newest.stamp == LATE

    def test_names_of_tasks_that_begin_alike_do_not_share_samples(self, tmp_path):
        write_run(tmp_path, samples(), task="pairs")
        write_run(tmp_path, None, task="pairs_demo", stamp=EARLY)
        tasks = read_evaluation(tmp_path).tasks
        assert tasks["pairs"].samples_path.name == f"samples_pairs_{STAMP}.jsonl"
        assert tasks["pairs_demo"].samples_path is None


class TestInterruptedRuns:
    def test_samples_alone_are_reported_without_the_harnesss_figures(self, tmp_path, capsys):
        write_run(tmp_path / "my-judge", samples()).unlink()
        judge, task = report(capsys, tmp_path)
        assert judge["label"] == "my-judge"
        assert (task["main"], task["figures"]) == (None, [])
        assert task["overall"]["accuracy"] == pytest.approx(2 / 3)
        assert "pairs has no metrics of lm-eval: the run was interrupted" in task["remarks"][0]

    def test_samples_beside_damaged_results_are_reported(self, tmp_path, capsys):
        path = write_run(tmp_path, samples())
        path.write_text(path.read_text()[:-20])
        judge, task = report(capsys, tmp_path)
        assert task["pooled"]["pairs"] == 3
        (remark,) = judge["remarks"]
        assert f"{path}: this is not valid JSON" in remark

    @pytest.mark.parametrize("rest", [2, 40, 400])
    def test_samples_that_end_in_a_line_are_said_to_be_incomplete(self, tmp_path, capsys, rest):
        write_run(tmp_path, samples())
        (path,) = tmp_path.glob("samples_*")
        whole = path.read_bytes()
        path.write_bytes(whole[: whole.rindex(b"\n", 0, -1) + rest])
        _, task = report(capsys, tmp_path)
        assert task["data"]["documents"] == 2
        assert task["main"]["value"] == pytest.approx(2 / 3)
        assert task["overall"]["accuracy"] == 0.5
        assert task["counts"]["lines_damaged"] == 1
        first, second = task["remarks"]
        assert "1 line of the samples was skipped" in first
        assert f"{path}, line 3: this is not valid JSON" in first
        assert "results cover 3 documents and the samples 2" in second

    def test_samples_that_end_in_a_character_are_said_to_be_incomplete(self, tmp_path, capsys):
        write_run(tmp_path, samples())
        (path,) = tmp_path.glob("samples_*")
        whole = path.read_bytes()
        path.write_bytes(whole[: whole.rindex("ä".encode()) + 1])
        _, task = report(capsys, tmp_path)
        assert task["data"]["documents"] == 2
        assert f"{path}, line 3: this is not UTF-8" in task["remarks"][0]

    def test_results_without_samples_are_reported_as_they_are(self, tmp_path, capsys):
        write_run(tmp_path, None, {"data_digest": "abc"})
        _, task = report(capsys, tmp_path)
        assert (task["main"]["value"], task["overall"]) == (0.5, None)
        assert task["data"]["digest"] == "abc"
        assert "There are no samples of pairs" in task["remarks"][0]

    def test_samples_of_a_judge_that_scored_nothing_are_not_said_to_be_missing(
        self, tmp_path, capsys
    ):
        judged = [(rated(0, ["a", "b"], ["2", "1"]), [math.nan, math.nan])]
        write_run(tmp_path, samples_of(rated_sample, judged))
        _, task = report(capsys, tmp_path)
        assert task["remarks"] == [
            f"samples_pairs_{STAMP}.jsonl contains no readable sample with a score, so the report "
            "shows only the metrics."
        ]


class TestOtherFormsOfFiles:
    def test_results_under_a_users_name_at_any_depth(self, tmp_path, capsys):
        # `--output_path runs/mine.json` gives runs/mine_TIME.json, with samples beside it.
        path = write_run(tmp_path / "runs", samples(), name="mine", stamp=LATE)
        assert path.name == f"mine_{LATE}.json"
        assert report(capsys, tmp_path)[1]["pooled"]["pairs"] == 3
        assert report(capsys, path)[1]["pooled"]["pairs"] == 3

    def test_files_of_lm_eval_0_4_10(self, tmp_path):
        # Arguments as text, no count of documents, every task a group without members.
        path = write_run(
            tmp_path,
            samples(),
            config={
                "model": "hf",
                "judge": None,
                "pretrained": None,
                "model_args": "pretrained=org/model,dtype=float16",
            },
            model_name="org/model",
            group_subtasks={"pairs": []},
        )
        content = json.loads(path.read_text())
        del content["n-samples"]
        path.write_text(json.dumps(content))
        evaluation = read_evaluation(tmp_path)
        assert evaluation.model == "org/model"
        assert evaluation.settings == {"model": "hf", "dtype": "float16"}
        assert evaluation.tasks["pairs"].documents is None
        assert len(read_samples(evaluation.tasks["pairs"]).documents) == 3

    def test_other_json_in_the_folder_is_left_alone(self, tmp_path):
        write_run(tmp_path, samples())
        (tmp_path / "config.json").write_text("no JSON at all")
        (tmp_path / "samples_pairs.jsonl").write_text("{}")
        assert read_evaluation(tmp_path).remarks == ()


def test_several_models_are_in_order_of_their_labels(tmp_path):
    for name in ("b", "a", "c"):
        write_run(tmp_path / name, samples(), config={"pretrained": name})
    assert [one.label for one in read_evaluations(tmp_path)] == ["a", "b", "c"]
