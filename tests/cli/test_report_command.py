"""`ultrarm-eval report`: what is written, and what is said of files that are not whole."""

import json
from pathlib import Path

import pytest

from tests.report.written_runs import rated, rated_sample, samples_of, write_run
from ultrarm_eval.cli.main import main

DEMO_RUN = Path(__file__).parents[2] / "results" / "demo" / "run"


def judged(rewards=None):
    documents = [
        rated(i, [f"good {i}", f"bad {i}", "middling"], ["5", "1", "3"], source="flan")
        for i in range(12)
    ]
    return [(d, (rewards or (lambda i: [2.0, 0.0, 1.0]))(i)) for i, d in enumerate(documents)]


def swapped(i):
    return [0.0, 2.0, 1.0] if i == 7 else [2.0, 0.0, 1.0]


@pytest.fixture
def run(tmp_path):
    write_run(tmp_path / "run", samples_of(rated_sample, judged(swapped)))
    return tmp_path / "run"


def report(capsys, *arguments, status=0):
    assert main(["report", *map(str, arguments)]) == status
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return captured.err if status else captured.out


def as_json(capsys, *arguments):
    return json.loads(report(capsys, *arguments, "--format", "json"))


def test_the_files_ending_says_the_form(run, tmp_path, capsys):
    for name, beginning in (
        ("r.html", "<!doctype html>"),
        ("r.md", "# Report: judge"),
        ("r.json", '{\n "title": "judge"'),
    ):
        written = tmp_path / "new" / name
        assert report(capsys, run, "-o", written) == f"{written}\n"
        assert written.read_text(encoding="utf-8").startswith(beginning)


def test_without_a_file_the_page_is_report_html_and_the_rest_goes_to_the_terminal(
    run, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert report(capsys, run) == "report.html\n"
    assert (tmp_path / "report.html").is_file()
    assert report(capsys, run, "--format", "md").startswith("# Report")


@pytest.mark.slow
def test_two_calls_write_the_same_bytes(run, tmp_path, capsys):
    for form in ("html", "md", "json"):
        first, second = tmp_path / f"1.{form}", tmp_path / f"2.{form}"
        report(capsys, run, "-o", first)
        report(capsys, run, "-o", second)
        assert first.read_bytes() == second.read_bytes()


def test_mistakes_come_first_and_every_text_is_there(run, capsys):
    found = as_json(capsys, run)
    pair = found["pairs"][0]
    assert pair["reason"] == "confident mistake"
    assert (pair["chosen"]["text"], pair["rejected"]["text"]) == ("good 7", "bad 7")
    assert pair["rewards"] == {"judge": [0.0, 2.0]}
    assert pair["gap"] == 4.0
    # Of each document one pair for a reason: one mistake and twelve others. Margins are 1 and 2, and
    # none is at most half the median one.
    reasons = [pair["reason"] for pair in found["pairs"]]
    assert [reasons.count(r) for r in ("confident mistake", "small margin", "random")] == [
        1,
        0,
        12,
    ]


def test_the_pairs_on_which_judges_disagree_are_found_with_both_rewards(run, tmp_path, capsys):
    write_run(tmp_path / "other", samples_of(rated_sample, judged()), config={"pretrained": "b"})
    found = as_json(capsys, run, "--against", tmp_path / "other")
    disagreeing = [p for p in found["pairs"] if p["reason"] == "judges disagree"]
    (pair,) = disagreeing
    assert pair["document"] == 7
    assert pair["rewards"] == {"b": [2.0, 0.0], "judge": [0.0, 2.0]}
    assert [judge["label"] for judge in found["judges"]] == ["b", "judge"]


def test_no_pairs_on_request(run, capsys):
    assert as_json(capsys, run, "--pairs", 0)["pairs"] == []
    assert "give 0 or more" in report(capsys, run, "--pairs", -1, status=2)


def test_results_without_samples_are_reported_as_far_as_they_go(tmp_path, capsys):
    write_run(tmp_path / "run", None)
    task = as_json(capsys, tmp_path / "run")["judges"][0]["tasks"][0]
    assert task["main"]["value"] == 0.5
    assert task["overall"] is None
    assert "Run lm_eval with --log_samples" in task["remarks"][0]
    page = tmp_path / "r.html"
    report(capsys, tmp_path / "run", "-o", page)
    assert "Run lm_eval with --log_samples" in page.read_text(encoding="utf-8")


def test_samples_that_were_cut_off_are_counted(run, capsys):
    (samples,) = run.glob("samples_*")
    content = samples.read_bytes()
    samples.write_bytes(content[: content.rindex(b"\n", 0, -1) + 60])
    task = as_json(capsys, run)["judges"][0]["tasks"][0]
    assert task["data"]["documents"] == 11
    assert task["counts"]["lines_damaged"] == 1
    remarks = " ".join(task["remarks"])
    assert "line 12: this is not valid JSON" in remarks
    assert "cover 12 documents and the samples 11" in remarks


def test_a_run_that_was_interrupted_is_reported_from_its_samples(run, capsys):
    (results,) = run.glob("results_*")
    results.unlink()
    task = as_json(capsys, run)["judges"][0]["tasks"][0]
    assert task["main"] is None
    # One document of twelve has all three pairs wrong.
    assert task["overall"]["accuracy"] == pytest.approx(11 / 12)
    assert "the run was interrupted" in task["remarks"][0]


def test_a_partial_run_says_so(tmp_path, capsys):
    write_run(tmp_path / "run", samples_of(rated_sample, judged()), config={"limit": 2})
    text = report(capsys, tmp_path / "run", "--format", "md")
    assert "only a subset of the data was evaluated (pairs)" in text


def test_in_sample_data_are_marked(tmp_path, capsys):
    samples = samples_of(rated_sample, judged())
    write_run(tmp_path / "run", samples, {"in_sample_for": ["judge", "x"]})
    text = report(capsys, tmp_path / "run", "--format", "md")
    assert "In-sample: the judge was trained on the data of pairs." in text


@pytest.mark.few(3)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "no such file or folder"),
        (["."], "no result of any task here"),
        (
            ["run", "-o", "r.pdf"],
            "r.pdf: unknown file extension .pdf. Choose a format with --format html|md|json",
        ),
        (["run", "-o", "run"], None),
        (["run", "--against", "nowhere"], "no such file or folder"),
    ],
)
def test_what_cannot_be_done_is_said(run, tmp_path, capsys, monkeypatch, arguments, message):
    (tmp_path / "empty").mkdir()
    folder = tmp_path if arguments != ["."] else tmp_path / "empty"
    monkeypatch.chdir(folder)
    said = report(capsys, *arguments, status=2)
    assert said.startswith("ultrarm-eval report: ")
    assert message is None or message in said


def test_the_tokens_end_in_the_reward_of_the_samples(capsys):
    found = as_json(capsys, DEMO_RUN, "--pairs", 2, "--tokens", 1)
    pair = found["pairs"][0]
    for side, reward in zip(pair["tokens"], pair["rewards"]["demo"], strict=True):
        assert side["rewards"][-1] == pytest.approx(reward, abs=1e-4)
    assert "".join(pair["tokens"][0]["tokens"]).strip() == pair["chosen"]["text"].strip()
    assert found["pairs"][1]["tokens"] is None


def test_tokens_of_what_is_no_judge_are_refused(tmp_path, capsys):
    write_run(
        tmp_path / "run",
        samples_of(rated_sample, judged()),
        config={"judge": None, "model": "hf"},
    )
    assert "Omit --tokens" in report(capsys, tmp_path / "run", "--tokens", 1, status=2)
