"""Every field of results and samples with wrong values, and every command that reads them.

The files are the harness's own; a field is found by walking them. Whatever stands in one, a command
ends with its output or with an error of this package.
"""

import argparse
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest

from tests.runs.written_by_harness import TASKS, lines_of, write_runs
from ultrarm_eval.board.board import make_board
from ultrarm_eval.board.data import as_csv, as_json
from ultrarm_eval.board.page import as_page as board_page
from ultrarm_eval.cli import export as export_command
from ultrarm_eval.compare import data as comparison_data
from ultrarm_eval.compare import text as comparison_text
from ultrarm_eval.compare.compute import compare_runs
from ultrarm_eval.compare.page import as_page as comparison_page
from ultrarm_eval.errors import ConfigurationError, DataError, UltrarmEvalError
from ultrarm_eval.report.page import as_page as report_page
from ultrarm_eval.report.report import make_report
from ultrarm_eval.report.text import as_markdown
from ultrarm_eval.runs.evaluation import read_evaluation, read_evaluations
from ultrarm_eval.runs.json_values import as_plain
from ultrarm_eval.runs.samples_file import read_samples

#: As they stand in a file; Python writes no number of 400 digits as a float, and no 1e400.
WRONG = [
    "null",
    "true",
    "-1",
    "0",
    "3.5",
    "1e300",
    "1e400",
    "NaN",
    "-Infinity",
    "1" + "0" * 400,
    '""',
    '"x"',
    '"1e999999999"',
    r'"\ud800"',
    "[]",
    "{}",
    '[1, "x", null, {"a": []}]',
    "[" * 90 + "]" * 90,
    "[" * 700 + "]" * 700,
    None,
]
_PLACE = "@@the wrong value@@"


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Iterator[dict[str, list[Path]]]:
    patch = pytest.MonkeyPatch()
    patch.setenv("HF_DATASETS_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield write_runs(tmp_path_factory.mktemp("runs"), patch)
    patch.undo()


def fields(value, path=()):
    """Every leaf and every container."""
    yield path
    if not isinstance(value, dict | list):
        return
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield from fields(item, (*path, key))


def changed(value, path, wrong):
    """The JSON text with a wrong value in a field; without the field if None."""
    copy = json.loads(json.dumps(value))
    if not path:
        return wrong or ""
    at = copy
    for key in path[:-1]:
        at = at[key]
    if wrong is None:
        del at[path[-1]]
    else:
        at[path[-1]] = _PLACE
    return json.dumps(copy).replace(json.dumps(_PLACE), wrong or "")


def damaged(results, folder, kind, path, wrong):
    """A copy of a run in which the results, or the first sample, have a wrong value."""
    content, lines = json.loads(results.read_text()), lines_of(results)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    written = [json.dumps(line) for line in lines]
    if kind == "samples":
        written[0] = changed(lines[0], path, wrong)
    (samples,) = results.parent.glob("samples_*.jsonl")
    (folder / samples.name).write_text("".join(f"{line}\n" for line in written))
    text = changed(content, path, wrong) if kind == "results" else json.dumps(content)
    (folder / results.name).write_text(text)
    return folder


def export(form, folder, *options):
    """Runs `ultrarm-eval export`, its errors raised."""
    parser = argparse.ArgumentParser()
    export_command.add_arguments(parser)
    output = str(folder.parent / "out")
    given = parser.parse_args([form, str(folder), "-o", output, "--model", "org/x", *options])
    assert given.run(given) == 0


def commands(folder, other):
    """Every command that reads runs, by name."""
    options = ["--metrics", "all", "--allow-partial", "--dataset", "org/data"]

    def report(*, page=False):
        found = make_report(read_evaluations(folder), pairs=2)
        json.dumps(as_plain(found), ensure_ascii=False, allow_nan=False)
        as_markdown(found)
        if page:
            report_page(found)

    def compare(*, page=False):
        found = compare_runs([folder, other], by=("source", "category", "aspect"))
        comparison_text.as_text(found)
        comparison_text.as_markdown(found)
        comparison_data.as_json(found)
        comparison_data.as_csv(found)
        if page:
            comparison_page(found)

    def leaderboard():
        board = make_board(read_evaluations(folder), folder)
        as_csv(board)
        as_json(board)
        board_page(board, title="board")

    return {
        "report": report,
        "report as a page": lambda: report(page=True),
        "compare": compare,
        "compare as a page": lambda: compare(page=True),
        "leaderboard": leaderboard,
        "eval-results": lambda: export("eval-results", folder, *options),
        "model-index": lambda: export("model-index", folder, *options),
        "every-eval-ever": lambda: export("every-eval-ever", folder, *options),
        "rewardbench": lambda: export("rewardbench", folder),
    }


def run_faults(written, tmp_path, faults, of_each):
    """Tries so many faults, each on some of the commands, drawn with a seed."""
    draw = random.Random(15)
    places = []
    for kind in TASKS:
        content, first = json.loads(written[kind][0].read_text()), lines_of(written[kind][0])[0]
        places += [(kind, "results", path) for path in fields(content)]
        places += [(kind, "samples", path) for path in fields(first)]
    for _ in range(faults):
        kind, what, path = draw.choice(places)
        wrong = draw.choice(WRONG)
        results, other = written[kind]
        folder = damaged(results, tmp_path / "run", what, path, wrong)
        known = commands(folder, other)
        for name in draw.sample(list(known), of_each):
            shutil.rmtree(folder.parent / "out", ignore_errors=True)
            try:
                known[name]()
            except UltrarmEvalError:
                pass
            except Exception as error:
                pytest.fail(f"{name} of {kind}, {what} {path} = {str(wrong)[:40]}: {error!r}")


@pytest.mark.parametrize(
    "kind", ["suite", *(pytest.param(k, marks=pytest.mark.slow) for k in TASKS if k != "suite")]
)
def test_the_files_as_they_are_written_are_read_by_every_command(written, kind):
    results, other = written[kind]
    for name, run in commands(results.parent, other).items():
        if name == "eval-results" and not hasattr(huggingface_hub, "EvalResultEntry"):
            with pytest.raises(ConfigurationError, match="huggingface_hub"):
                run()
        elif (name == "rewardbench") <= (kind == "suite"):
            run()
        shutil.rmtree(results.parent.parent / "out", ignore_errors=True)
    for result in read_evaluation(results).tasks.values():
        observed = read_samples(result)
        assert (observed.counts, observed.remarks) == ({}, ())


@pytest.mark.parametrize("faults", [30, pytest.param(120, marks=pytest.mark.slow)])
def test_a_wrong_value_anywhere_ends_in_output_or_an_own_error(written, tmp_path, faults):
    run_faults(written, tmp_path, faults=faults, of_each=1)


@pytest.mark.campaign
@pytest.mark.slow
def test_thousands_of_wrong_values(written, tmp_path):
    run_faults(written, tmp_path, faults=3000, of_each=9)


NO_NUMBER = ['"x"', "true", "null", "[]", "{}", '"1e999999999"', "1" + "0" * 400, "-Infinity"]
BEYOND_A_SHARE = ["-1", "3.5", "1e300", "1e400"]


def numbers_of_samples():
    """Of every kind of sample the fields that figures are made of, and what is no value of one."""
    for wrong in [*NO_NUMBER, "-1e200", "[[1]]"]:
        yield "pairs", ("filtered_resps", 0, 0), wrong
        yield "suite", ("filtered_resps", 1, 0), wrong
        if wrong != "null":  # the judge gave none
            yield "judged", ("judged", 0, "reward"), wrong
            yield "judged", ("judged_reference", "reward"), wrong
            yield "best", ("judged", 1, "reward"), wrong
    for wrong in [*NO_NUMBER, *BEYOND_A_SHARE]:
        # None and what has no value of its own: the next test.
        if wrong != "null":
            yield "pairs", ("acc",), wrong
            yield "pairs", ("acc_honesty",), wrong
        if wrong not in ("null", "[]"):
            yield "suite", ("acc",), wrong
        if wrong != "null":  # not rated
            yield "pairs", ("doc", "ratings", 0), wrong
            yield "pairs", ("doc", "aspects", "honesty", 0), wrong
        yield "suite", ("doc", "correct"), wrong
        yield "pairs", ("filtered_resps",), wrong
        yield "judged", ("judged", 0), wrong
    for wrong in ['"x"', "3.5", "null", "{}", '[["5", 1]]', '"12"']:
        yield "pairs", ("doc", "completions"), wrong
        yield "suite", ("doc", "prompt"), wrong
        yield "judged", ("resps",), wrong
        yield "suite", ("doc",), wrong
        yield "pairs", ("doc", "format"), wrong
        yield "pairs", ("filter",), wrong
    for path in [("doc",), ("doc", "format"), ("filtered_resps",), ("doc", "ratings")]:
        yield "pairs", path, None


@pytest.mark.few(70)
@pytest.mark.parametrize(("kind", "path", "wrong"), numbers_of_samples())
def test_a_damaged_sample_is_left_out_counted_and_named(written, tmp_path, kind, path, wrong):
    results, _ = written[kind]
    folder = damaged(results, tmp_path / "run", "samples", path, wrong)
    (whole,) = (read_samples(r) for r in read_evaluation(results).tasks.values())
    (observed,) = (read_samples(r) for r in read_evaluation(folder).tasks.values())
    assert observed.counts == {"lines_damaged": 1}
    (remark,) = observed.remarks
    assert remark.startswith("1 line of the samples was skipped")
    assert "line 1: " in remark
    assert len(remark) < 600
    # The others are what they were.
    assert observed.documents.value.tolist() == whole.documents.value[1:].tolist()
    kept = whole.pairs.document > 0
    assert observed.pairs.credit.tolist() == whole.pairs.credit[kept].tolist()


@pytest.mark.product
@pytest.mark.parametrize("wrong", ['"x"', "null", "NaN", "1" + "0" * 400, '"1e999999999"', None])
@pytest.mark.parametrize(("kind", "metric"), [("plain", "exact_match"), ("pairs", "acc")])
def test_a_document_without_a_number_is_counted_and_named(written, tmp_path, kind, metric, wrong):
    if kind == "pairs" and wrong not in ("null", None):
        pytest.skip("is damage, see above")
    folder = damaged(written[kind][0], tmp_path / "run", "samples", (metric,), wrong)
    (observed,) = (read_samples(r) for r in read_evaluation(folder).tasks.values())
    assert observed.counts == {"documents_without_value": 1}
    (remark,) = observed.remarks
    assert remark.startswith(f"1 document without a value of {metric} ")
    assert remark.endswith("line 1.")


def test_an_export_of_samples_refuses_what_is_no_number(written, tmp_path):
    for wrong in ('"x"', "1" + "0" * 400, '"1e999999999"'):
        folder = damaged(written["plain"][0], tmp_path / "run", "samples", ("exact_match",), wrong)
        with pytest.raises(DataError, match="has no value of 'exact_match'"):
            export("every-eval-ever", folder, "--allow-partial", "--dataset", "org/data")


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("filtered_resps",), "5"),
        (("filtered_resps", 0, 0), "NaN"),
        (("filtered_resps", 0, 0), "1" + "0" * 400),
        (("doc_id",), '"x"'),
        (("doc",), "[]"),
        (("doc", "completions", 0), "5"),
        (("doc", "id"), "null"),
        (("doc", "prompt"), '"x"'),
    ],
)
def test_rewardbenchs_files_are_made_of_whole_samples_alone(written, tmp_path, path, wrong):
    folder = damaged(written["suite"][0], tmp_path / "run", "samples", path, wrong)
    with pytest.raises(DataError, match=r"[Ss]ample .{0,12}"):
        export("rewardbench", folder)


@pytest.mark.parametrize(
    "content",
    [
        b'{"results": {"t": {"acc,none": ' + b"9" * 5000 + b"}}}",
        b"[" * 200_000,
        b'{"results": ' + b"[" * 101 + b"]" * 101 + b"}",
        b'{"results": ' * 101 + b"1" + b"}" * 101,
    ],
)
def test_a_results_file_beyond_what_can_be_read_is_named(tmp_path, content):
    path = tmp_path / "results_2026-03-04T05-06-07.890123.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"results_2026.*: this"):
        read_evaluations(path)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ('"x"', '"x"'),
        ("true", "true"),
        ("1" + "0" * 400, "1" + "0" * 39 + "…"),
        ("-1", "-1.0"),
        ("3.5", "3.5"),
        ('"1e999999999"', '"1e999999999"'),
    ],
)
def test_a_figure_that_is_none_is_told(written, tmp_path, wrong, told):
    results, _ = written["pairs"]
    path = ("results", TASKS["pairs"], "acc,none")
    folder = damaged(results, tmp_path / "run", "results", path, wrong)
    (remark,) = read_evaluation(folder).remarks
    assert remark.startswith(f"{TASKS['pairs']}: {results.name} contains invalid metric values: ")
    assert f"acc,none is {told}." in remark
    assert read_evaluation(results).remarks == ()


def test_figures_that_are_not_defined_are_not_damaged(written, tmp_path):
    for wrong in ('"N/A"', "null", "NaN"):
        path = ("results", TASKS["pairs"], "margin,none")
        folder = damaged(written["pairs"][0], tmp_path / "run", "results", path, wrong)
        assert read_evaluation(folder).remarks == ()
