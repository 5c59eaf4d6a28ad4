"""Two recordings: what is a difference, what is none, and what is expected."""

import importlib
import json
import shutil
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
RESULTS = {
    "results": {"task": {"acc,none": 0.123456789012, "n": 3}},
    "date": 1.5,
    "text": "a 0.5 b",
}
ABOUT = {"checkout": "/some/checkout", "recording": "/some/rec", "days": ["2026-01-02"]}


@pytest.fixture
def before(tmp_path):
    """A recording of one command, by hand."""
    folder = tmp_path / "before"
    files = folder / "run" / "files"
    files.mkdir(parents=True)
    (folder / "about.json").write_text(json.dumps(ABOUT))
    (folder / "run" / "command.json").write_text('{"line": ["lm_eval"], "exit_code": 0}')
    (folder / "run" / "stdout").write_text("|acc|0.1235|\n|margin|1.25|\n")
    (folder / "run" / "stderr").write_text(
        "2026-01-02:03:04:05 INFO [some.module:12] read /some/checkout/tasks/x.yaml\n"
        "10%|# | 1/10\r100%|#| 10/10\n"
    )
    (files / "results_2026-01-02T03-04-05.json").write_text(json.dumps(RESULTS, indent=1))
    (files / "samples.jsonl").write_text('{"reward": 1.5}\n{"reward": -2.0}\n')
    return folder


@pytest.fixture
def after(before, tmp_path):
    """The same on another day, in another place."""
    folder = tmp_path / "after"
    shutil.copytree(before, folder)
    about = {"checkout": "/other", "recording": "/elsewhere", "days": ["2027-11-12"]}
    (folder / "about.json").write_text(json.dumps(about))
    (folder / "run" / "stderr").write_text(
        "2027-11-12:13:14:15 INFO [some.module:99] read /other/tasks/x.yaml\n100%|#| 10/10\n"
    )
    path = folder / "run" / "files" / "results_2026-01-02T03-04-05.json"
    path.rename(path.with_name("results_2027-11-12T00-00-00.json"))
    change(folder, date=99.5)
    return folder


def change(folder, **fields):
    (path,) = (folder / "run" / "files").glob("results_*.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}, indent=1))


@pytest.fixture
def compared(monkeypatch, capsys):
    """What the command prints but for its last line, with the status that belongs to it."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    main = importlib.import_module("recordings").main

    def compare(before, after, *options):
        status = main(["compare", str(before), str(after), *options])
        *differences, _ = capsys.readouterr().out.splitlines()
        assert status == bool(differences)
        return differences

    return compare


def test_time_and_place_are_no_difference(compared, before, after):
    assert compared(before, after) == []


@pytest.mark.parametrize(("by", "found"), [(1e-6, True), (1e-8, True), (1e-11, False)])
def test_a_number_is_compared_to_1e_9(compared, before, after, by, found):
    changed = {"task": {"acc,none": 0.123456789012 + by, "n": 3}}
    change(after, results=changed)
    differences = compared(before, after)
    assert len(differences) == found
    if found:
        assert "results_<TIME>.json:$.results.task.acc,none  0.123456789012" in differences[0]


@pytest.mark.parametrize(
    "fields",
    [
        {"text": "a 0.500001 b"},
        {"text": "a 0.5 c"},
        {"results": {"task": {"acc,none": 0.123456789012, "n": 3.0}}},
        {"results": {"task": {"n": 3, "acc,none": 0.123456789012}}},
        {"results": {"task": {"acc,none": 0.123456789012}}},
        {"more": None},
    ],
)
def test_texts_kinds_order_and_fields_count(compared, before, after, fields):
    change(after, **fields)
    assert len(compared(before, after)) == 1


@pytest.mark.parametrize(
    ("file", "old", "new", "shown"),
    [
        ("stdout", "0.1235", "0.1236", "stdout:line 1"),
        ("stdout", "1.25|", "1.250|", "stdout:line 2"),
        ("stderr", "read", "reads", "stderr:line 1"),
        ("files/samples.jsonl", "-2.0", "-2.000001", "samples.jsonl:$[1].reward"),
        ("files/samples.jsonl", '{"reward": 1.5}', '{"reward":1.5}', "samples.jsonl:line 1"),
        ("command.json", ": 0}", ": 1}", "exit code:$"),
    ],
)
def test_every_file_counts(compared, before, after, file, old, new, shown):
    path = after / "run" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    (difference,) = compared(before, after)
    assert difference.startswith(f"run  {shown.removesuffix(':$')}")


def test_a_file_or_a_command_that_is_gone_is_told(compared, before, after):
    (after / "run" / "files" / "samples.jsonl").unlink()
    assert compared(before, after) == ["run  samples.jsonl  written  ->  -"]
    shutil.rmtree(after / "run")
    assert compared(before, after) == ["run  command  recorded  ->  not recorded"]


def test_lines_put_in_between_are_the_only_difference(compared, before, after):
    path = after / "run" / "stdout"
    path.write_text("new\n" + path.read_text())
    assert compared(before, after) == ['run  stdout:line 1  -  ->  "new"']


def test_what_is_meant_is_expected_and_what_is_missing_is_told(compared, before, after, tmp_path):
    change(after, results={"task": {"acc,none": 0.5, "n": 4}})
    expected = tmp_path / "expected"
    expected.write_text(
        "# on purpose\nrun  results_*:$.results.task.*  rounded otherwise\n"
        "run  stdout:*  never there\n"
    )
    assert compared(before, after, "--expected", str(expected)) == [
        "expected, and not there: run  stdout:*  (never there)"
    ]


def test_no_more_lines_than_wanted(compared, before, after):
    change(after, results={}, text="", more=1)
    assert len(compared(before, after, "--most", "2")) == 2


def test_every_benchmark_gets_its_data(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    importlib.import_module("recorded.benchmark_data").write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "rewardbench",
        "rewardbench2",
        "preference_test_sets",
        "llmbar",
        "judgebench",
        "rm_bench",
        "ppe_human",
        "ultrarm_paper",
    }
