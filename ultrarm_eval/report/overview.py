"""A summary of a judge's results, for a page and for Markdown: a row per task, tiles, facts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ultrarm_eval.report.facts import Fact
from ultrarm_eval.report.report import JudgeReport
from ultrarm_eval.report.task_report import TaskReport
from ultrarm_eval.runs.figure import Figure
from ultrarm_eval.runs.sample import REFERENCE
from ultrarm_eval.runs.task_result import MAIN_METRIC
from ultrarm_eval.show.formats import (
    count,
    difference,
    figure_interval,
    figure_value,
    interval,
    percent,
)

# Metrics that equal the accuracy by definition where every prompt has two answers.
_SAME_OF_PAIRS = {"acc_pairs", "best_of_n"}


@dataclass(frozen=True)
class OverviewRow:
    """A task or group in one row.

    Attributes:
        title: Its title.
        mark: What limits it (`in-sample`, `partial`), or that it is a group.
        figure: The metric to quote; None where there is none.
        documents: Number of documents evaluated; this and the following are None if unknown.
        pairs: Number of pairs.
        ties: Number of pairs with equal rewards.
        pick_longest: Accuracy of the longest-answer baseline.
    """

    title: str
    mark: str
    figure: Figure | None
    documents: int | None = None
    pairs: int | None = None
    ties: int | None = None
    pick_longest: float | None = None


@dataclass(frozen=True)
class Tile:
    """A value in large type.

    Attributes:
        label: What it is.
        value: The value.
        beside: Its interval, or what to compare it with.
    """

    label: str
    value: str
    beside: str


def overview(judge: JudgeReport) -> list[OverviewRow]:
    """The rows of a judge's groups and tasks."""
    return [*_groups(judge), *map(_of_task, judge.tasks)]


def tiles(task: TaskReport) -> Iterator[Tile]:
    """The main values of a task, the one to quote first; none without a main metric."""
    main = task.headline
    if main is None:
        return
    yield Tile(f"{main.name}, {task.title}", figure_value(main), figure_interval(main))
    pooled = task.pooled_apart
    if pooled is not None:
        yield Tile(
            f"{task.value_name} pooled over {count(pooled.pairs)} pairs",
            percent(pooled.accuracy),
            interval(pooled.interval, True),
        )
    lengths = task.lengths
    # Where answers are compared with references, the longest answer is not a baseline.
    if lengths is not None and task.kind != REFERENCE:
        between = interval(lengths.pick_longest_interval, True)
        yield Tile("longest-answer baseline", percent(lengths.pick_longest), between)
    if lengths is not None and lengths.length_controlled is not None:
        between = interval(lengths.length_controlled_interval, True)
        label = f"length-controlled {task.value_name}"
        yield Tile(label, percent(lengths.length_controlled), between)
    if task.calibration is not None:
        found = task.calibration
        error, chance = (difference(one, True) for one in (found.error, found.error_by_chance))
        yield Tile("calibration error (ECE)", error, f"points; {chance} from chance")
    if task.margins is not None and task.pooled is not None and task.pooled.pairs:
        ties, pairs = task.margins.ties, task.pooled.pairs
        yield Tile("tie rate", percent(ties / pairs), f"{count(ties)} of {count(pairs)}")


def distinct_figures(task: TaskReport) -> list[Figure]:
    """A task's metrics; those that are equal by definition are one entry with all their names.

    Where every prompt has two answers, the accuracy over documents, the accuracy over pairs and
    best-of-n are equal. The accuracy by the aspect that the task compares is the accuracy.
    """
    same = {f"{MAIN_METRIC}_{task.settings.get('preference')}"}
    if task.are_pairs:
        same |= _SAME_OF_PAIRS
    mains = {one.filter: one for one in task.figures if one.metric == MAIN_METRIC}
    names = {id(one): [one.metric] for one in task.figures}
    shown = []
    for one in task.figures:
        main = mains.get(one.filter)
        if main is not None and one.metric in same and main.equals(one.value):
            names[id(main)].append(one.metric)
        else:
            shown.append(one)
    return [dataclasses.replace(one, label=", ".join(names[id(one)])) for one in shown]


def facts_of_task(task: TaskReport) -> list[Fact]:
    """Data, rules and counts of a task, each once."""
    facts: dict[str, str] = {}
    for name, value in _facts(task):
        if name not in facts:
            facts[name] = value
        elif facts[name] != value:
            # The count of the whole file, of which a subset was evaluated.
            facts[f"{name} in the data"] = value
    return [Fact(name, value) for name, value in facts.items()]


def warnings(tasks: Sequence[TaskReport]) -> Iterator[str]:
    """What a reader must know before quoting any value."""
    seen = [task.title for task in tasks if task.in_sample]
    if seen:
        yield (
            f"In-sample: the judge was trained on the data of {', '.join(seen)}. Its accuracy "
            "there does not measure performance on unseen data."
        )
    parts = [task.title for task in tasks if task.partial]
    if parts:
        named = ", ".join(parts)
        yield (
            f"Partial run: only a subset of the data was evaluated ({named}). Do not compare it "
            "with complete runs."
        )


def _of_task(task: TaskReport) -> OverviewRow:
    marks = (("in-sample", task.in_sample), ("partial", bool(task.partial)))
    return OverviewRow(
        task.title,
        ", ".join(name for name, holds in marks if holds),
        task.headline,
        task.data.get("documents"),
        None if task.pooled is None else task.pooled.pairs,
        None if task.margins is None else task.margins.ties,
        None if task.lengths is None else task.lengths.pick_longest,
    )


def _groups(judge: JudgeReport) -> Iterator[OverviewRow]:
    for title, figures in judge.groups.items():
        ours = [figure for figure in figures if figure.metric == MAIN_METRIC]
        for main in (*ours, *figures)[:1]:
            yield OverviewRow(title, "group", main)


def _facts(task: TaskReport) -> Iterator[tuple[str, str]]:
    digest = task.data.get("digest")
    yield "data", str(task.data.get("data") or "not recorded by the run")
    yield "hash of the documents (SHA-256)", str(digest or "unknown without samples")
    yield "documents", count(task.data.get("documents"))
    for name, value in task.settings.items():
        yield name, str(value)
    for name, value in task.counts.items():
        yield count_label(name), count(value)


def count_label(name: str) -> str:
    """A count's name for a reader: `pairs excluded: equal ratings`."""
    what, excluded, why = name.partition("_left_out")
    label = (
        f"{what} excluded:{why}" if excluded and why else f"{what} excluded" if excluded else name
    )
    return label.replace("_", " ")
