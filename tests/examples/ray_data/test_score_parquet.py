"""The command: what it refuses, its stages one after the other, and all of it on a Ray cluster."""

import dataclasses
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
import score_parquet
from pyarrow import parquet
from scored_parquet.scored_parts import Counts
from scored_parquet.workers import PartReader, PartScorer

from tests.examples.ray_data.conftest import answers
from ultrarm_eval.errors import ScoringError

SCRIPT = Path(score_parquet.__file__)
COUNTS = {"rows": 8, "scored": 7, "truncated": 0, "refused": {"not_text": 1}}


@pytest.fixture
def arguments(write, data, output):
    """The command line for a data set of eight rows in two files, one of them unusable."""
    rows = answers(8)
    rows[2]["completion"] = None
    write("a.parquet", rows[:5])
    write("sub/b.parquet", rows[5:])
    return [
        str(data), "-o", str(output), "--pretrained", "demo", "--engine", "torch",
        "--rows-per-part", "3", "--gpus-per-worker", "0",
    ]  # fmt: skip


def run_of(arguments):
    """What workers are given, as the command makes it."""
    return score_parquet.run_of(score_parquet.parsed(arguments))


def scored_here(run, numbers):
    """Counts of parts that go through both stages in this process."""
    reader, scorer = PartReader(run), PartScorer(run)
    told = [scorer({n: [v] for n, v in reader({"part": each}).items()}) for each in numbers]
    assert [one["part"] for one in told] == [[each] for each in numbers]
    return {
        n: Counts.from_json(json.loads(one["counts"][0]))
        for n, one in zip(numbers, told, strict=True)
    }


def test_the_stages_give_the_judges_rewards(arguments, judge, output):
    run = run_of(arguments)
    scored_here(run, range(len(run.parts)))
    table = pa.concat_tables(
        [parquet.read_table(part.target.path, partitioning=None) for part in run.parts]
    )
    rows = [row for row in table.to_pylist() if row["refused"] is None]
    assert len(rows) == 7
    alone = judge.score_one_at_a_time(
        [row["prompt"] for row in rows], [row["completion"] for row in rows]
    )
    assert [row["reward"] for row in rows] == pytest.approx(alone, abs=1e-4)
    assert {row["judge"] for row in rows} == {judge.fingerprint()}
    assert table.column("id").to_pylist() == list(range(8))


@pytest.mark.slow
def test_what_is_finished_is_not_scored_again_and_needs_no_cluster(
    arguments, output, capsys, monkeypatch
):
    asked = []

    def on_no_cluster(run, missing, workers, gpus):
        asked.append(missing)
        return scored_here(run, missing)

    scored_here(run_of(arguments), [1])
    monkeypatch.setattr(score_parquet, "_score_parts", on_no_cluster)
    for _ in range(2):
        assert score_parquet.main(arguments) == 0
        counts = json.loads(capsys.readouterr().out)
        assert counts == COUNTS
    # Part 1 was there; the second run asked for nothing.
    assert asked == [[0, 2]]
    summary = json.loads((Path(str(output)) / "_summary.json").read_text())
    assert {name: summary[name] for name in COUNTS} == COUNTS


def test_a_worker_with_other_weights_than_the_run_scores_nothing(arguments, output):
    run = dataclasses.replace(run_of(arguments), fingerprint="0" * 64)
    with pytest.raises(ScoringError, match=r"rows 0 to 2: The judge of this worker .*not the same"):
        scored_here(run, [0])
    assert not Path(str(output)).exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--judge-args", "device=cuda:0"], "device is no setting of this command.*gpus-per-worker"),
        (["--judge-args", "data_parallel_size=2"], "data_parallel_size.*--workers"),
        (["--judge-args", "score_store=f"], "score_store.*parts that are written"),
        (["--engine", "server", "--judge-args", "base_url=http://x:1"], "--engine is vllm or torch"),
        (["--prompt", "nothing"], "the column 'nothing' is missing"),
        (["--pretrained", "/nowhere"], "/nowhere"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_ends_in_a_line(arguments, capsys, more, message):
    assert score_parquet.main([*arguments, *more]) == 2
    told = capsys.readouterr().err
    assert re.search(message, told), told


@pytest.mark.parametrize(
    ("option", "value"),
    [("--workers", "0"), ("--rows-per-part", "x"), ("--gpus-per-worker", "-1")],
)
def test_numbers_are_checked(arguments, capsys, option, value):
    with pytest.raises(SystemExit):
        score_parquet.main([*arguments, option, value])
    assert f"argument {option}" in capsys.readouterr().err


def test_each_worker_has_the_gpus_that_the_engine_computes_on(arguments):
    given = [one for one in arguments if one not in ("--gpus-per-worker", "0")]
    vllm = [*given, "--engine", "vllm", "--tensor-parallel-size", "4"]
    pipelined = [*vllm, "--judge-args", "pipeline_parallel_size=2"]
    for line, gpus in (
        (given, 1),
        (vllm, 4),
        (pipelined, 8),
        ([*vllm, "--gpus-per-worker", "2"], 2),
    ):
        options = score_parquet.parsed(line)
        assert score_parquet.gpus_of(options, score_parquet.choice_of(options)) == gpus


@pytest.mark.slow
def test_on_a_cluster_of_two_workers_a_run_goes_on_where_it_was(arguments, judge, output):
    pytest.importorskip("ray", reason="ray is not installed (pip install 'ray[data]')")
    command = [sys.executable, str(SCRIPT), *arguments, "--workers", "2"]
    for removed in (None, "a-000000000003.parquet"):
        if removed is not None:
            (Path(str(output)) / removed).unlink()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        counts = json.loads(done.stdout[done.stdout.index("{") :])
        assert counts == COUNTS
        expected = "3 of them to score" if removed is None else "1 of them to score"
        assert expected in done.stderr
    files = sorted(Path(str(output)).rglob("*.parquet"))
    table = pa.concat_tables([parquet.read_table(file, partitioning=None) for file in files])
    rows = [row for row in table.to_pylist() if row["refused"] is None]
    alone = judge.score_one_at_a_time(
        [row["prompt"] for row in rows], [row["completion"] for row in rows]
    )
    assert [row["reward"] for row in rows] == pytest.approx(alone, abs=1e-4)


def test_the_commands_of_the_documentation_are_ones_that_it_takes():
    root = SCRIPT.parents[2]
    pages = [SCRIPT.with_name("README.md"), root / "docs" / "many-machines.md"]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    lines = re.findall(r"score_parquet\.py (DATA .*|s3://.*)$", text, re.MULTILINE)
    assert len(lines) == 4
    for line in lines:
        options = score_parquet.parsed(shlex.split(line, comments=True))
        assert score_parquet.gpus_of(options, score_parquet.choice_of(options)) in (1, 2)
