"""Figures that are the same by definition, and parts that say nothing, have no row."""

import json
from pathlib import Path

import pytest

from tests.report.written_runs import (
    rated,
    rated_sample,
    samples_of,
    write_run,
)
from ultrarm_eval.report.facts import facts_of
from ultrarm_eval.report.overview import distinct_figures, tiles
from ultrarm_eval.report.page import as_page
from ultrarm_eval.report.report import make_report
from ultrarm_eval.report.text import as_markdown
from ultrarm_eval.runs.evaluation import read_evaluations
from ultrarm_eval.stats.significance import FEWEST_PROMPTS

METADATA = {"preference": "helpfulness", "ties": "half"}


def report_of(folder, judged, metadata=METADATA):
    samples = samples_of(rated_sample, judged, metadata)
    # Pooled over pairs, as the harness does.
    right, total = (sum(sample["acc_pairs"][i] for sample in samples) for i in (0, 1))
    write_run(folder, samples, metadata, figures={"acc_pairs,none": right / total})
    return make_report(read_evaluations(folder), pairs=3)


def pairs(count, sources=("flan",), reward=lambda i: float(i % 3)):
    return [
        (
            rated(
                i,
                [f"good {i}", f"bad {i}"],
                ["5", "1"],
                source=sources[i % len(sources)],
                aspects={"helpfulness": ["5", "1"], "honesty": ["1", "5"]},
            ),
            [reward(i), 1.0],
        )
        for i in range(count)
    ]


def names_of(report):
    (judge,) = report.judges
    (task,) = judge.tasks
    return [figure.name for figure in distinct_figures(task)]


def test_of_pairs_the_accuracy_has_one_row_with_all_its_names(tmp_path):
    report = report_of(tmp_path, pairs(12))
    (task,) = report.judges[0].tasks
    values = {figure.metric: figure.value for figure in task.figures}
    assert values["acc"] == values["acc_pairs"] == values["best_of_n"] == values["acc_helpfulness"]
    names = names_of(report)
    assert names[0].split(", ")[0] == "acc"
    assert set(names[0].split(", ")) == {"acc", "acc_pairs", "best_of_n", "acc_helpfulness"}
    assert sum("acc_pairs" in name for name in names) == 1
    # Equal by chance is not the same: honesty and the others keep their rows.
    assert {"acc_honesty", "tie_rate", "margin"} <= set(names)
    labels = [tile.label for tile in tiles(task)]
    assert not any(label.startswith("over all") for label in labels)
    assert "over all pairs" not in as_markdown(report)
    assert f"| {names[0]} | none |" in as_markdown(report)
    assert as_page(report).count("over all 12 pairs") == 0


def test_a_tie_that_is_wrong_is_no_lost_best_answer(tmp_path):
    metadata = {**METADATA, "ties": "wrong"}
    report = report_of(tmp_path, pairs(9, reward=lambda i: 1.0), metadata)
    names = names_of(report)
    assert "acc_pairs" in names[0]
    assert "best_of_n" not in names[0]
    assert "best_of_n" in names


def test_of_more_answers_every_figure_has_its_row(tmp_path):
    judged = [
        (rated(i, ["a", "b", "c"], ["1", "3", "5"]), [0.0, float(i % 2), 1.5]) for i in range(9)
    ]
    report = report_of(tmp_path, judged, {"preference": "fine_grained", "ties": "half"})
    (task,) = report.judges[0].tasks
    assert len(names_of(report)) == len(task.figures)
    assert any(tile.label == "accuracy pooled over 27 pairs" for tile in tiles(task))
    assert "pooled over all pairs" in as_markdown(report)


@pytest.mark.few(1)
@pytest.mark.parametrize("small", [1, 2])
def test_parts_of_few_documents_have_no_row_and_are_counted(tmp_path, small):
    sources = ["large"] * 20 + ["tiny"] * 2 + (["other"] if small == 2 else [])
    judged = [
        ({**document, "source": source, "prompt": [{"role": "user", "content": "x" * 7}]}, rewards)
        for source, (document, rewards) in zip(sources, pairs(len(sources)), strict=True)
    ]
    # One length of answers, and one prompt each: no other dimension has small parts.
    report = report_of(tmp_path, judged)
    (task,) = report.judges[0].tasks
    assert len(task.slices) - len(task.shown_slices) >= small
    shown = {one.name for one in task.shown_slices if one.dimension == "source"}
    assert shown == {"large"}
    count = len(task.slices) - len(task.shown_slices)
    verb = "are" if count > 1 else "is"
    subsets = "subsets" if count > 1 else "subset"
    said = f"{count} {subsets} of fewer than {FEWEST_PROMPTS} documents {verb} not shown"
    for written in (as_markdown(report), as_page(report)):
        assert said in written
        assert "tiny" not in written.partition("pairs-data")[0].split("Pairs worth reading")[0]


@pytest.mark.slow
def test_where_no_part_is_small_nothing_is_said(tmp_path):
    report = report_of(tmp_path, pairs(60))
    for written in (as_markdown(report), as_page(report)):
        assert "not shown" not in written


@pytest.mark.parametrize(
    ("config", "shown"),
    [
        ({"device": "cuda:0", "device_used": "cpu"}, "cpu"),
        ({"device": "cuda:0", "device_used": None}, None),
        ({"device": "cuda:0"}, None),
        ({"device": None, "device_used": "cuda:1"}, "cuda:1"),
    ],
)
def test_the_device_is_the_one_that_was_used(tmp_path, config, shown):
    path = write_run(tmp_path, samples_of(rated_sample, pairs(3), METADATA), METADATA)
    content = json.loads(path.read_text())
    content["config"].update(config)
    path.write_text(json.dumps(content))
    (evaluation,) = read_evaluations(tmp_path)
    facts = {fact.name: fact.value for fact in facts_of(evaluation)}
    assert facts.get("device") == shown


def test_every_setting_that_rewards_depend_on_is_told_with_its_label(tmp_path):
    settings = {"judge": "dpo", "reference": "org/base", "beta": 0.5, "special_tokens": "parse"}
    path = write_run(tmp_path, samples_of(rated_sample, pairs(3), METADATA), METADATA)
    content = json.loads(path.read_text())
    content["config"].update(settings, batching="shared")
    path.write_text(json.dumps(content))
    (evaluation,) = read_evaluations(tmp_path)
    facts = {fact.name: fact.value for fact in facts_of(evaluation)}
    told = {"judge": "dpo", "reference": "org/base", "beta": "0.5"}
    assert told.items() <= facts.items()
    assert facts["special tokens in texts"] == "parse"
    assert "batching" not in facts


def test_a_count_of_the_judge_is_told_once(tmp_path):
    path = write_run(tmp_path, samples_of(rated_sample, pairs(3), METADATA), METADATA)
    content = json.loads(path.read_text())
    content["config"].update(
        judge_counts={"texts": 9, "computed_tokens": 1200}, scoring_seconds=2.5
    )
    path.write_text(json.dumps(content))
    (evaluation,) = read_evaluations(tmp_path)
    facts = [(fact.name, fact.value) for fact in facts_of(evaluation)]
    assert [name for name, _ in facts if name.startswith("texts ")] == ["texts requested"]
    assert [name for name, _ in facts if "tokens" in name] == [
        "tokens computed",
        "tokens per second",
    ]
    assert dict(facts)["tokens per second"] == "480 (2.5 s in the model)"


def test_numbers_of_tokens_have_a_comma_between_thousands():
    run = Path(__file__).parents[2] / "results/demo/run"
    (evaluation,) = read_evaluations(run)
    facts = {fact.name: fact.value for fact in facts_of(evaluation)}
    assert facts["max_length"] == "1,024 tokens, longer texts truncated on the left"
    assert facts["parameters"] == "456,448"
