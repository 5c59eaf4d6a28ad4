"""`ultrarm-eval report`: runs of other versions and of no judge, tokens, and files it cannot write."""

import io
import json
import logging
import os
import sys
from pathlib import Path

import pytest

from tests.report.written_runs import STAMP, rated, rated_sample, samples_of, write_run
from ultrarm_eval.cli.main import main
from ultrarm_eval.report import token_rewards

DEMO_RUN = Path(__file__).parents[2] / "results" / "demo" / "run"


def judged(count=12, **fields):
    documents = [rated(i, [f"good {i}", f"bad {i}"], ["5", "1"], **fields) for i in range(count)]
    return [(d, [0.0, 1.0] if i % 4 == 0 else [1.0, 0.0]) for i, d in enumerate(documents)]


@pytest.fixture
def run(tmp_path):
    write_run(tmp_path / "run", samples_of(rated_sample, judged()))
    return tmp_path / "run"


@pytest.fixture
def said(caplog, monkeypatch):
    """What is logged: the command's own logger does not pass it on."""
    monkeypatch.setattr(logging.getLogger("ultrarm_eval"), "propagate", True)
    return caplog


def refused(capsys, *arguments):
    assert main(["report", *map(str, arguments)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("ultrarm-eval report: ")
    return captured.err


def as_json(capsys, *arguments):
    assert main(["report", *map(str, arguments), "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


class TestOtherRuns:
    def test_a_run_as_lm_eval_0_4_10_writes_it(self, tmp_path, capsys):
        samples = samples_of(rated_sample, judged())
        figures = {"acc,none": 0.75, "acc_stderr,none": 0.13, "margin_stderr,none": "N/A"}
        write_run(
            tmp_path / "run",
            samples,
            # Every task is a group without members, and has neither name nor sample_len.
            results={"pairs": {"alias": "pairs", **figures}, "both": {"alias": "both"}},
            group_subtasks={"both": ["pairs"], "pairs": []},
            versions={"pairs": 1.0},
            total_evaluation_time_seconds="16.75",
            date=1795624564.1,
            lm_eval_version="0.4.10",
        )
        found = as_json(capsys, tmp_path / "run")
        (judge,) = found["judges"]
        (task,) = judge["tasks"]
        assert (task["title"], task["main"]["value"], task["main"]["stderr"]) == (
            "pairs",
            0.75,
            0.13,
        )
        assert task["overall"]["accuracy"] == 0.75
        facts = {fact["name"]: fact["value"] for fact in judge["facts"]}
        assert facts["lm-eval"] == "0.4.10"
        assert facts["total time"] == "16.8 s"
        assert len(found["pairs"]) == 12

    def test_samples_of_a_task_that_is_not_ours_give_its_mean(self, tmp_path, capsys):
        samples = [
            {"doc_id": i, "doc": {"q": i}, "doc_hash": str(i), "metrics": ["acc"], "acc": i % 2}
            for i in range(8)
        ]
        write_run(tmp_path / "run", samples, config={"judge": None, "model": "hf"})
        found = as_json(capsys, tmp_path / "run")
        (task,) = found["judges"][0]["tasks"]
        assert (task["kind"], task["overall"]["accuracy"], task["pooled"]) == (None, 0.5, None)
        assert found["pairs"] == []

    def test_a_damaged_file_beside_a_whole_one_is_named_and_left_out(self, run, capsys, said):
        (run / "results_2020-01-01T00-00-00.json").write_text('{"results": {"pai')
        found = as_json(capsys, run)
        assert found["judges"][0]["tasks"][0]["main"]["value"] == 0.75
        (remark,) = found["judges"][0]["remarks"]
        assert "results_2020-01-01T00-00-00.json: this is not valid JSON" in remark
        assert remark in said.text

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "not valid JSON"),
            (b'{"results": ', "not valid JSON"),
            (b"\xff\xfe", "this is not UTF-8 (byte 0)"),
            (b"[1, 2]", "no 'results' of lm_eval"),
            (b'{"results": 3}', "no 'results' of lm_eval"),
            (b'{"results": {}}', "no result of any task"),
        ],
    )
    def test_a_damaged_file_alone_is_a_message(self, tmp_path, capsys, content, message):
        path = tmp_path / f"results_{STAMP}.json"
        path.write_bytes(content)
        for given in (path, tmp_path):
            error = refused(capsys, given, "-o", tmp_path / "report.html")
            assert message in error
            assert str(tmp_path) in error
        assert not (tmp_path / "report.html").exists()

    def test_a_file_of_samples_with_nothing_in_it(self, run, capsys):
        (samples,) = run.glob("samples_*")
        samples.write_bytes(b"")
        (task,) = as_json(capsys, run)["judges"][0]["tasks"]
        assert (task["main"]["value"], task["overall"]) == (0.75, None)
        assert "contains no readable sample" in task["remarks"][0]


class TestTheFile:
    @pytest.mark.slow
    def test_the_format_counts_before_the_ending(self, run, tmp_path, capsys):
        path = tmp_path / "report.txt"
        assert "unknown file extension .txt" in refused(capsys, run, "-o", path)
        assert main(["report", str(run), "-o", str(path), "--format", "md"]) == 0
        assert path.read_text(encoding="utf-8").startswith("# Report: judge")
        html = tmp_path / "REPORT.HTM"
        assert main(["report", str(run), "-o", str(html)]) == 0
        assert html.read_text(encoding="utf-8").startswith("<!doctype html>")

    @pytest.mark.slow
    def test_a_folder_in_its_place_stays_as_it_is(self, run, tmp_path, capsys):
        folder = tmp_path / "folder.html"
        folder.mkdir()
        error = refused(capsys, run, "-o", folder)
        assert f"{folder}: cannot write the output there (Is a directory)" in error
        assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.html", "run"]

    @pytest.mark.slow
    def test_a_file_in_the_place_of_its_folder(self, run, tmp_path, capsys):
        (tmp_path / "file").write_text("mine")
        error = refused(capsys, run, "-o", tmp_path / "file" / "report.html")
        assert "cannot write the output there" in error
        assert (tmp_path / "file").read_text() == "mine"

    @pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
    def test_a_folder_that_may_not_be_written_to(self, run, tmp_path, capsys):
        folder = tmp_path / "closed"
        folder.mkdir(mode=0o555)
        assert "Permission denied" in refused(capsys, run, "-o", folder / "report.html")

    @pytest.mark.slow
    def test_a_full_disk_leaves_the_old_report(self, run, tmp_path, capsys, monkeypatch):
        path = tmp_path / "report.html"
        assert main(["report", str(run), "-o", str(path)]) == 0
        old = path.read_bytes()
        capsys.readouterr()

        def full(self, data):
            with self.open("wb") as file:
                file.write(data[:10])
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "write_bytes", full)
        assert "No space left on device" in refused(capsys, run, "-o", path)
        assert path.read_bytes() == old
        assert sorted(one.name for one in tmp_path.iterdir()) == ["report.html", "run"]

    def test_a_pipe_is_written_to_and_not_replaced(self, run, tmp_path, capsys):
        pipe = tmp_path / "pipe.md"
        os.mkfifo(pipe)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        try:
            assert main(["report", str(run), "-o", str(pipe)]) == 0
            assert pipe.is_fifo()
            assert os.read(reader, 16) == b"# Report: judge\n"
        finally:
            os.close(reader)

    def test_a_terminal_that_cannot_show_all_shows_the_rest(self, run, monkeypatch):
        written = io.BytesIO()
        terminal = io.TextIOWrapper(written, encoding="ascii")
        monkeypatch.setattr(sys, "stdout", terminal)
        assert main(["report", str(run), "--format", "md"]) == 0
        assert b"| pairs | acc | 75.0 % |" in written.getvalue()

    def test_half_of_a_surrogate_pair_is_replaced(self, run, capsys):
        (samples,) = run.glob("samples_*")
        samples.write_text(samples.read_text().replace('"good 0"', '"good \\ud800"'))
        assert main(["report", str(run), "--format", "json"]) == 0
        assert '"good ?"' in capsys.readouterr().out


class TestTokens:
    def test_markdown_has_no_place_for_them(self, run, capsys):
        error = refused(capsys, run, "--format", "md", "--tokens", 3)
        assert "a Markdown report shows no pairs" in error
        assert "give 0 or more" in refused(capsys, run, "--tokens", -1)

    def test_one_checkpoint_is_not_that_of_two_judges(self, run, tmp_path, capsys):
        samples = samples_of(rated_sample, judged())
        write_run(tmp_path / "other", samples, config={"pretrained": "other"})
        error = refused(
            capsys, run, "--against", tmp_path / "other", "--tokens", 1, "--pretrained", "demo"
        )
        assert "results are of 2 checkpoints (judge, other)" in error

    def test_another_checkpoint_than_the_runs_is_noticed(self, tmp_path, capsys, said):
        write_run(tmp_path / "run", samples_of(rated_sample, judged()))
        found = as_json(capsys, tmp_path / "run", "--tokens", 1, "--pretrained", "demo")
        assert found["pairs"][0]["tokens"][0]["rewards"]
        assert "the rewards of judge differ from those of its run" in said.text

    def test_the_same_checkpoint_gives_no_such_warning(self, capsys, said):
        as_json(capsys, DEMO_RUN, "--pairs", 2, "--tokens", 2)
        assert "not those of its run" not in said.text

    @pytest.mark.parametrize("where", ["prompt", "answer"])
    def test_texts_that_are_cut_for_the_page_have_none(self, tmp_path, capsys, where):
        long = "word " * 5000
        documents = [
            rated(
                i,
                ["good" if where == "prompt" else long, "bad"],
                ["5", "1"],
                prompt=long if where == "prompt" else f"question {i}",
            )
            for i in range(2)
        ]
        samples = samples_of(rated_sample, [(document, [0.0, 1.0]) for document in documents])
        write_run(tmp_path / "run", samples)
        found = as_json(capsys, tmp_path / "run", "--tokens", 1, "--pretrained", "demo")
        # The judge would read another text than it did.
        assert [pair["tokens"] for pair in found["pairs"]] == [None, None]

    def test_an_answer_whose_beginning_the_judge_did_not_read_says_so(self, tmp_path, capsys):
        documents = [
            rated(i, ["word " * 1500, "bad"], ["5", "1"], prompt="word " * (1500 * i))
            for i in range(2)
        ]
        samples = samples_of(rated_sample, [(document, [0.0, 1.0]) for document in documents])
        write_run(tmp_path / "run", samples)
        found = as_json(capsys, tmp_path / "run", "--tokens", 2, "--pretrained", "demo")
        for pair in found["pairs"]:
            # Of the short answer the prompt's beginning may be cut off, and it itself is whole.
            assert [side["cut"] for side in pair["tokens"]] == [True, False]

    def test_where_they_would_be_too_much_the_rest_has_none(
        self, tmp_path, capsys, said, monkeypatch
    ):
        monkeypatch.setattr(token_rewards, "_MOST_BYTES", 40)
        found = as_json(capsys, DEMO_RUN, "--pairs", 3, "--tokens", 3)
        assert [pair["tokens"] is None for pair in found["pairs"]][:2] == [False, True]
        assert "has room for the tokens of only 1 pairs" in said.text
