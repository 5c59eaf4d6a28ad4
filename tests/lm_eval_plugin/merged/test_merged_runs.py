"""Merged runs are the one run: every kind of task, both ways of sharding."""

import csv
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lm_eval.api.model import LM

from tests.benchmarks.rows import llmbar, rewardbench2
from tests.benchmarks.rows import write_jsonl as write_rows
from tests.conftest import raw_row, write_jsonl
from tests.lm_eval_plugin.merged.written import (
    Judge,
    require_as_of_one,
    results_in,
    samples_in,
    write_run,
    write_shards,
)
from tests.metrics.rows import any_rows
from ultrarm_eval.cli.main import main
from ultrarm_eval.demo import demo_data_path
from ultrarm_eval.errors import DataError, UltrarmEvalError
from ultrarm_eval.lm_eval_plugin.merged import samples
from ultrarm_eval.lm_eval_plugin.reward_lm import RewardModelLM


@pytest.fixture
def rows():
    with demo_data_path().open(encoding="utf-8") as file:
        found = [json.loads(line) for line in file][:60]
    # Repeated within a part of two or three (0, 6) and between parts (0, 31), and without a pair.
    equal = raw_row("equal?", (("a", 3), ("b", 3)))
    return [*found[:6], found[0], *found[7:31], found[0], *found[32:58], equal, *found[59:]]


def merge(*given):
    assert main(["merge", *map(str, given)]) == 0


@pytest.mark.slow
def test_a_group_weighted_by_size_with_left_out_rows(tmp_path, rows):
    data = {"data": str(write_jsonl(tmp_path / "data.jsonl", rows))}
    tasks = ["ultrafeedback_by_source", "ultrafeedback_pairs"]
    write_run(tmp_path / "one", tasks, data)
    write_shards(tmp_path / "parts", tasks, data, 3)
    merge(tmp_path / "parts", "-o", tmp_path / "merged")
    require_as_of_one(tmp_path / "merged", tmp_path / "one")
    counts = results_in(tmp_path / "merged")["configs"]["ultrafeedback_pairs"]["metadata"]["counts"]
    assert counts["rows"] == 60
    assert counts["rows_repeating_another"] == 2
    assert counts["rows_left_out_without_pairs"] == 1


def test_files_of_parts(tmp_path, rows, capsys, monkeypatch):
    data = str(write_jsonl(tmp_path / "data.jsonl", rows))
    assert main(["shard", data, "-n", "4", "-o", str(tmp_path / "shards")]) == 0
    write_run(tmp_path / "one", ["ultrafeedback_pairs"], {"data": data})
    for number in range(1, 5):
        part = tmp_path / "shards" / f"part-{number:05d}-of-00004.jsonl"
        write_run(tmp_path / "parts", ["ultrafeedback_pairs"], {"data": str(part)})
    merge(tmp_path / "parts", "-o", tmp_path / "merged")
    require_as_of_one(tmp_path / "merged", tmp_path / "one")
    assert "4 shards, 60 rows, 59 documents" in capsys.readouterr().out
    # More shards than a process may have files open at once.
    monkeypatch.setattr(samples, "_FILES_AT_ONCE", 3)
    merge(tmp_path / "parts", "-o", tmp_path / "again")
    require_as_of_one(tmp_path / "again", tmp_path / "one")


def test_rewardbench2_with_its_subsets_and_ties_joined_over_parts(tmp_path):
    rows = [*rewardbench2(1), *rewardbench2(1)[:2]]
    for number, row in enumerate(rows):
        row["prompt"] += f" {number}"
    rows = rows[:-2]
    data = {"data": str(write_rows(tmp_path / "rewardbench2.jsonl", rows))}
    write_run(tmp_path / "one", ["rewardbench2"], data)
    write_shards(tmp_path / "parts", ["rewardbench2"], data, 2)
    merge(tmp_path / "parts", "-o", tmp_path / "merged")
    require_as_of_one(tmp_path / "merged", tmp_path / "one")


def test_a_group_of_plain_means(tmp_path):
    folder = tmp_path / "llmbar"
    folder.mkdir()
    for name in ("natural", "neighbor", "gptinst", "gptout", "manual"):
        write_rows(folder / f"{name}.jsonl", llmbar(3, name))
    write_run(tmp_path / "one", ["llmbar"], {"data": str(folder)})
    write_shards(tmp_path / "parts", ["llmbar"], {"data": str(folder)}, 2)
    merge(tmp_path / "parts", "-o", tmp_path / "merged")
    require_as_of_one(tmp_path / "merged", tmp_path / "one")


def test_categories_that_one_part_alone_has(tmp_path):
    # Part 1 has the even rows, and with them other categories than part 2.
    names = ["a", "x,y", "b", None, "a", "x,y", "b", "z", "c"]
    pairs = [
        {"prompt": f"p{i}", "chosen": f"good {i}", "rejected": f"bad {i}", "kind": kind}
        for i, kind in enumerate(names)
    ]
    metadata = {"data": str(write_jsonl(tmp_path / "pairs.jsonl", pairs)), "category": "kind"}
    write_run(tmp_path / "one", ["preference_pairs"], metadata)
    write_shards(tmp_path / "parts", ["preference_pairs"], metadata, 2)
    merge(tmp_path / "parts", "-o", tmp_path / "merged")
    require_as_of_one(tmp_path / "merged", tmp_path / "one")


def test_a_judge_that_may_abstain(tmp_path, rows):
    def model():
        return RewardModelLM.of_judge(Judge(silent=3), "digests", "org/toy")

    data = {"data": str(write_jsonl(tmp_path / "data.jsonl", rows))}
    write_run(tmp_path / "one", ["ultrafeedback_pairs"], data, model())
    write_shards(tmp_path / "parts", ["ultrafeedback_pairs"], data, 3, model)
    merge(tmp_path / "parts", "-o", tmp_path / "merged")
    require_as_of_one(tmp_path / "merged", tmp_path / "one")
    metadata = results_in(tmp_path / "merged")["configs"]["ultrafeedback_pairs"]["metadata"]
    assert metadata["completions_without_score"] > 10
    assert metadata["documents_without_score"] > 0


class Likelihoods(LM):
    """A language model whose likelihoods are a judge's rewards."""

    def loglikelihood(self, requests, **_):
        return [(Judge().score([r.args[0]], [r.args[1]])[0], False) for r in requests]

    def generate_until(self, requests, **_):
        return [f"an answer {len(request.args[0])}" for request in requests]

    def loglikelihood_rolling(self, requests, **_):
        raise NotImplementedError


def test_a_language_model_by_likelihood(tmp_path, rows):
    data = {"data": str(write_jsonl(tmp_path / "data.jsonl", rows))}
    write_run(tmp_path / "one", ["ultrafeedback_pairs"], data, Likelihoods())
    write_shards(tmp_path / "parts", ["ultrafeedback_pairs"], data, 3, Likelihoods)
    merge(tmp_path / "parts", "-o", tmp_path / "merged")
    require_as_of_one(tmp_path / "merged", tmp_path / "one")
    assert "acc_norm,none" in results_in(tmp_path / "merged")["results"]["ultrafeedback_pairs"]


def test_answers_that_a_judge_scored_beside_a_file_of_references(tmp_path, rows, monkeypatch):
    monkeypatch.setattr(
        "ultrarm_eval.lm_eval_plugin.reward_filters.shared_judge", lambda *_: Judge(silent=9)
    )
    answers = [{"prompt": row["instruction"], "completion": "so"} for row in rows[:20]]
    unused = [{"prompt": "asked by nobody", "completion": "so"}]
    distinct = {one["prompt"]: one for one in [*answers, *unused]}
    references = str(write_jsonl(tmp_path / "references.jsonl", list(distinct.values())))
    metadata = {
        "data": str(write_jsonl(tmp_path / "data.jsonl", rows)),
        "judge": "demo",
        "reference": references,
    }
    write_run(tmp_path / "one", ["ultrafeedback_judge"], metadata, Likelihoods())
    write_shards(tmp_path / "parts", ["ultrafeedback_judge"], metadata, 3, Likelihoods)
    merge(tmp_path / "parts", "-o", tmp_path / "merged")
    require_as_of_one(tmp_path / "merged", tmp_path / "one")
    counts = results_in(tmp_path / "one")["configs"]["ultrafeedback_judge"]["metadata"]["counts"]
    assert counts["references_without_a_prompt"] == 1


def test_best_of_n_with_its_filters(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "ultrarm_eval.lm_eval_plugin.reward_filters.shared_judge", lambda *_: Judge()
    )

    class Writer(Likelihoods):
        def generate_until(self, requests, **_):
            # Of every question some answers are right, whichever part it is in.
            return [
                f"so. The answer is {(len(r.args[0]) * i) % 3}." for i, r in enumerate(requests)
            ]

    rows = [{"question": f"q{'?' * (i % 4)}{i}", "answer": f"#### {i % 3}"} for i in range(11)]
    metadata = {
        "data": str(write_jsonl(tmp_path / "gsm8k.jsonl", rows)),
        "judge": "demo",
        "n": 3,
    }
    options = {"num_fewshot": 0}
    parts = write_shards(tmp_path / "parts", ["gsm8k_best_of_n"], metadata, 3, Writer, **options)
    merge(tmp_path / "parts", "-o", tmp_path / "merged")
    merged = results_in(tmp_path / "merged")
    figures = merged["results"]["gsm8k_best_of_n"]
    each = [json.loads(p.read_text(encoding="utf-8"))["results"]["gsm8k_best_of_n"] for p in parts]
    sizes = [4, 4, 3]
    means = [name for name in figures if "," in name and "_stderr," not in name]
    # Four ways of picking among one, two and three.
    assert len(means) == 12
    for name in means:
        whole = sum(n * one[name] for n, one in zip(sizes, each, strict=True)) / 11
        assert figures[name] == pytest.approx(whole, rel=1e-12, abs=1e-12)
    (lines,) = samples_in(tmp_path / "merged").values()
    questions = [json.loads(line)["doc"]["question"] for line in lines.splitlines()]
    assert questions == [row["question"] for row in rows]
    assert merged["n-samples"]["gsm8k_best_of_n"] == {"original": 11, "effective": 11}


@pytest.mark.slow
@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(any_rows(), st.integers(2, 4), st.sampled_from(["half", "wrong"]), st.integers(2, 40))
def test_whatever_rows_and_parts(tmp_path_factory, rows, number, ties, distinct):
    folder = tmp_path_factory.mktemp("any")

    def model():
        return RewardModelLM.of_judge(Judge(ties=distinct), "digests", "org/toy")

    data = {"data": str(write_jsonl(folder / "data.jsonl", rows)), "ties": ties}
    try:
        write_run(folder / "one", ["ultrafeedback_pairs"], data, model())
        write_shards(folder / "parts", ["ultrafeedback_pairs"], data, number, model)
    except UltrarmEvalError:
        # A part, or all of it, has no pair.
        return
    merge(folder / "parts", "-o", folder / "merged")
    require_as_of_one(folder / "merged", folder / "one")


@pytest.mark.slow
def test_merged_runs_are_read_as_any_run(tmp_path, rows, capsys):
    data = {"data": str(write_jsonl(tmp_path / "data.jsonl", rows))}
    write_run(tmp_path / "one", ["ultrafeedback_by_source"], data)
    write_shards(tmp_path / "runs", ["ultrafeedback_by_source"], data, 3)
    # Into the folder of the runs, and again: what was merged is no run that is merged.
    for _ in range(2):
        merge(tmp_path / "runs", "-o", tmp_path / "runs" / "merged")
    assert "Skipped, because it is a merged run itself" in capsys.readouterr().out
    merged, one = str(tmp_path / "runs" / "merged"), str(tmp_path / "one")
    for command in (
        ["report", merged, "-o", str(tmp_path / "report.html")],
        ["leaderboard", merged, "-o", str(tmp_path / "board")],
        ["export", "model-index", merged, "-o", str(tmp_path / "out"), "--model", "org/toy"],
    ):
        assert main(command) == 0
    assert main(["compare", merged, one, "--format", "json", "-o", str(tmp_path / "c.json")]) == 0
    written = json.loads((tmp_path / "c.json").read_text(encoding="utf-8"))
    assert len(written["differences"]) == 7
    assert not any(row["difference"] for row in written["differences"])
    with (tmp_path / "board" / "board.csv").open(encoding="utf-8") as file:
        assert {row["partial"] for row in csv.DictReader(file)} == {"false"}


def test_a_part_of_a_part_is_refused(tmp_path, rows):
    data = str(write_jsonl(tmp_path / "data.jsonl", rows))
    assert main(["shard", data, "-n", "2", "-o", str(tmp_path / "shards")]) == 0
    part = str(tmp_path / "shards" / "part-00001-of-00002.jsonl")
    with pytest.raises(UltrarmEvalError, match="is already shard 1 of 2"):
        write_run(tmp_path / "x", ["ultrafeedback_pairs"], {"data": part, "shard": "1/2"})


def test_a_part_that_was_cut_off_is_refused(tmp_path, rows):
    data = str(write_jsonl(tmp_path / "data.jsonl", rows))
    assert main(["shard", data, "-n", "2", "-o", str(tmp_path / "shards")]) == 0
    part = tmp_path / "shards" / "part-00001-of-00002.jsonl"
    part.write_bytes(part.read_bytes().rpartition(b"{")[0])
    with pytest.raises(DataError, match="does not match its hash"):
        write_run(tmp_path / "x", ["ultrafeedback_pairs"], {"data": str(part)})
