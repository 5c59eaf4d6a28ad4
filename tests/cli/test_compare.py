import argparse
import csv
import io
import json
import re

import pytest

from tests.benchmarks.rows import write_llmbar
from tests.compare.written_runs import choice, foreign, rated, write_run
from tests.conftest import raw_row, write_jsonl
from tests.exports.runs import harness_run
from ultrarm_eval.cli.compare import add_arguments
from ultrarm_eval.errors import ConfigurationError, DataError

HOSTILE = "evil|`x`\n<script>alert(1)</script> _a_ [l](javascript:1) \u202e\x1b[2J"


@pytest.fixture
def runs(tmp_path):
    a = [rated(i, [float(i % 3 > 0), 0.5], source="flan") for i in range(30)]
    b = [rated(i, [1.0, 0.5], source="flan") for i in range(30)]
    return [
        str(write_run(tmp_path / "a", a)),
        str(write_run(tmp_path / "b", b, model="org/other")),
    ]


@pytest.fixture
def compare(capsys):
    """Runs the command; what it prints."""

    def run(*arguments):
        parser = argparse.ArgumentParser()
        add_arguments(parser)
        options = parser.parse_args([*map(str, arguments)])
        assert options.run(options) == 0
        return capsys.readouterr().out

    return run


def test_the_text_says_what_follows(compare, runs):
    text = compare(*runs)
    # 10 of 30 documents are right in the second run alone: McNemar's p is 2 / 2^10.
    assert "org/other is significantly better than org/judge on pairs, by 33.3 points (95 %" in text
    row = next(line for line in text.splitlines() if line.startswith("  pairs  "))
    assert row.split()[:8] == ["pairs", "30", "66.7", "%", "100.0", "%", "+33.3", "+15.4"]
    assert row.split()[-4:] == ["0.002", "0.002", "McNemar,", "exact"]


def test_columns_are_aligned(compare, runs):
    text = compare(*runs, "--by", "source")
    lines = text[text.index("Differences\n") :].splitlines()[2:5]
    assert len(lines) == 3
    assert len({len(line) for line in lines}) == 1
    assert lines[0].index("Subset") == lines[1].index("all") == lines[2].index("source: flan")
    assert lines[2].split()[:3] == ["pairs", "source:", "flan"]


def test_csv_has_a_row_for_each_difference(compare, runs):
    rows = list(csv.DictReader(io.StringIO(compare(*runs, "--format", "csv", "--by", "source"))))
    assert [(row["task"], row["dimension"], row["part"]) for row in rows] == [
        ("pairs", "", ""),
        ("pairs", "source", "flan"),
    ]
    first = rows[0]
    assert (first["a"], first["b"], first["metric"]) == ("org/judge", "org/other", "acc")
    assert float(first["difference"]) == pytest.approx(1 / 3)
    assert float(first["p_value"]) == pytest.approx(2 / 2**10)
    assert float(first["adjusted_p"]) == pytest.approx(4 / 2**10)
    assert first["conclusion"].startswith("org/other is significantly better")


def test_json_has_everything(compare, runs):
    found = json.loads(compare(*runs, "--format", "json"))
    assert found["format"] == "ultrarm_eval.comparison/1"
    assert [run["letter"] for run in found["runs"]] == ["A", "B"]
    (difference,) = found["differences"]
    assert (difference["documents"], difference["prompts"], difference["test"]) == (
        30,
        30,
        "mcnemar",
    )
    (agreement,) = found["agreements"]
    assert (agreement["a"], agreement["b"], agreement["pairs"]) == ("org/judge", "org/other", 30)
    assert agreement["same"] == pytest.approx(2 / 3)
    assert found["unmatched"] == found["not_shared"] == found["settings"] == []
    assert found["tests"] == 1


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("name", "beginning"),
    [
        ("out.html", "<!doctype html>"),
        ("out.md", "# Comparison of runs"),
        ("out.json", "{"),
        ("out.csv", "task,dimension,part"),
        ("out.txt", "  A  org/judge"),
        ("deep/out", "  A  org/judge"),
    ],
)
def test_the_files_ending_says_the_form(compare, runs, tmp_path, name, beginning):
    path = tmp_path / name
    assert compare(*runs, "-o", path) == f"{path}\n"
    assert path.read_text(encoding="utf-8").startswith(beginning)


def test_a_named_form_goes_before_the_ending(compare, runs, tmp_path):
    compare(*runs, "-o", tmp_path / "out.txt", "--format", "json")
    assert json.loads((tmp_path / "out.txt").read_text())["tests"] == 1


def test_an_ending_without_a_form_is_refused_before_anything_is_read(compare, tmp_path):
    with pytest.raises(ConfigurationError, match="unknown file extension .pdf"):
        compare("nowhere", "-o", tmp_path / "out.pdf")


def test_a_folder_without_results_is_refused(compare, runs, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="there is no result of any task here"):
        compare(runs[0], tmp_path / "empty")
    with pytest.raises(DataError, match="no such file or folder"):
        compare(runs[0], tmp_path / "nowhere")


@pytest.fixture
def hostile_runs(tmp_path):
    """Two runs in which everything that has a name has a hostile one."""

    def samples(wins):
        rows = [choice(i, [float(win), 0.5], HOSTILE) for i, win in enumerate(wins)]
        return [{**row, "doc_id": f"{HOSTILE} {row['doc_id']}"} for row in rows]

    metadata = [{"ties": HOSTILE}, {"ties": "half"}]
    return [
        write_run(
            tmp_path / name,
            {"task": samples(wins)},
            model=f"{HOSTILE} {name}",
            metadata=of_task,
        )
        for name, wins, of_task in (("a", [1, 0, 1], metadata[0]), ("b", [1, 1], metadata[1]))
    ]


def test_markdown_survives_hostile_names(compare, hostile_runs):
    text = compare(*hostile_runs, "--format", "md", "--by", "category")
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert len(tables) > 12
    bars = [len(re.findall(r"(?<!\\)\|", line)) for line in tables]
    heads = [at + 1 for at, line in enumerate(tables) if line.startswith("| ---")]
    for start, stop in zip(heads, [*[head - 2 for head in heads[1:]], len(tables)], strict=True):
        assert set(bars[start - 2 : stop]) == {bars[start - 1]}
    for bare in ("<script", "`x`", "[l](", " _a_ ", "\u202e", "\x1b"):
        assert re.search(rf"(?<!\\){re.escape(bare)}", text) is None, bare
    assert "evil\\|\\`x\\` \\<script\\>" in text


def test_the_terminal_is_not_driven_by_names(compare, hostile_runs):
    text = compare(*hostile_runs)
    assert not {"\x1b", "\u202e"} & set(text)
    assert "evil|`x`" in text


def test_csv_keeps_names_as_they_are(compare, hostile_runs):
    (row,) = csv.DictReader(io.StringIO(compare(*hostile_runs, "--format", "csv"), newline=""))
    assert row["a"].startswith(f"{HOSTILE} a")


@pytest.mark.few(2)
@pytest.mark.parametrize("model", ["- # x", "1. y", "+ z", "# h", "--- "])
def test_a_list_in_markdown_cannot_be_broken_out_of(compare, tmp_path, model):
    runs = [
        write_run(tmp_path / name, [foreign(i, "acc", value) for i in range(12)], model=model)
        for name, model, value in (("a", "org/judge", 0.0), ("b", model, 1.0))
    ]
    text = compare(*runs, "--format", "md")
    assert "is significantly better than org/judge on " in text
    assert not re.search(r"^- ([-+#]|\d+\.)", text, re.MULTILINE)


@pytest.mark.slow
def test_a_real_judge_with_two_templates(compare, tmp_path):
    from lm_eval import simple_evaluate
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    rows = [
        raw_row(
            f"question {i} of the sky?",
            ((f"the sky {i}", 5), (f"grass {i} " * (i % 4), 2), ("list", 1)),
        )
        for i in range(12)
    ]
    data = write_jsonl(tmp_path / "rows.jsonl", rows)
    for template in ("ultrarm", "raw"):
        tracker = EvaluationTracker(output_path=str(tmp_path / template))
        with pytest.MonkeyPatch.context() as patched:
            # The harness asks pip for the installed packages, which takes most of the time here.
            patched.setattr("lm_eval.evaluator.add_env_info", lambda results: None)
            results = simple_evaluate(
                model="ultrarm",
                model_args={"pretrained": "demo", "template": template},
                tasks=["ultrafeedback_pairs"],
                task_manager=TaskManager(include_defaults=False, metadata={"data": str(data)}),
                device="cpu",
                bootstrap_iters=0,
                evaluation_tracker=tracker,
            )
        samples = results.pop("samples")
        tracker.save_results_aggregated(results=results, samples=samples)
        for task, of_task in samples.items():
            tracker.save_results_samples(task_name=task, samples=of_task)
    found = json.loads(compare(tmp_path / "ultrarm", tmp_path / "raw", "--format", "json"))
    assert [run["label"] for run in found["runs"]] == [
        "demo (template=ultrarm)",
        "demo (template=raw)",
    ]
    (difference,) = found["differences"]
    assert (difference["documents"], difference["test"]) == (12, "sign-flip")
    assert -1 <= difference["low"] <= difference["difference"] <= difference["high"] <= 1
    assert found["agreements"][0]["pairs"] == 36
    assert found["unmatched"] == []
    assert [setting["name"] for setting in found["settings"]] == ["template"]


@pytest.mark.slow
def test_groups_have_the_harnesss_figures(compare, tmp_path):
    write_llmbar(tmp_path / "data", 1)
    figures = []
    for template in ("ultrarm", "raw"):
        judge = {"template": template}
        metadata = {"data": str(tmp_path / "data")}
        results = harness_run(
            tmp_path / template, ["llmbar"], metadata, judge=judge, bootstrap_iters=0
        )
        figures.append({name: row.get("acc,none") for name, row in results["results"].items()})
    found = json.loads(compare(tmp_path / "ultrarm", tmp_path / "raw", "--format", "json"))
    rows = {row["task"]: row for row in found["differences"]}
    # The heading has no figure, and so no row.
    assert set(rows) == set(figures[0]) - {"llmbar"}
    for task, row in rows.items():
        expected = [of_run[task] for of_run in figures]
        assert [row["figure_a"], row["figure_b"]] == pytest.approx(expected, abs=1e-12)
        assert row["difference"] == pytest.approx(expected[1] - expected[0], abs=1e-12)
        assert row["paired"]
    group = rows["llmbar_adversarial"]
    assert group["members"] == [f"llmbar_{n}" for n in ("neighbor", "gptinst", "gptout", "manual")]
    assert group["weighting"] == "mean over tasks"
    assert group["documents"] == sum(rows[task]["documents"] for task in group["members"])
    assert found["tests"] == len(rows) == 6
    for form in ("text", "md", "html"):
        written = compare(tmp_path / "ultrarm", tmp_path / "raw", "--format", form)
        assert "mean over tasks" in written
    by_csv = csv.DictReader(
        io.StringIO(compare(tmp_path / "ultrarm", tmp_path / "raw", "--format", "csv"))
    )
    assert next(by_csv)["members"].split() == group["members"]
