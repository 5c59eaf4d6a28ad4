"""A judge's figures in short, for a page and for Markdown: a line for each task, tiles, facts."""

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
from ultrarm_eval.show.formats import count, figure_interval, figure_value, interval, percent

# What for two answers, with one of them better, is the accuracy by definition.
_SAME_OF_PAIRS = {"acc_pairs", "best_of_n"}


@dataclass(frozen=True)
class OverviewRow:
    """What a task or group says in one line.

    Attributes:
        title: Its title.
        mark: What limits it (`in-sample`, `partial`), or that it is a group.
        figure: The figure to quote; None where it has none.
        documents: How many were evaluated, and so on; None where it is not known.
        pairs: The pairs.
        ties: Pairs with equal rewards.
        pick_longest: Accuracy of picking the longest answer.
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
    """A figure in large type.

    Attributes:
        label: What it is.
        value: The figure.
        beside: Its interval, or what it is to be held against.
    """

    label: str
    value: str
    beside: str


def overview(judge: JudgeReport) -> list[OverviewRow]:
    """The lines of a judge's groups and tasks."""
    return [*_groups(judge), *map(_of_task, judge.tasks)]


def tiles(task: TaskReport) -> Iterator[Tile]:
    """The figures of a task, the one to quote first; none where it has none."""
    main = task.headline
    if main is None:
        return
    yield Tile(f"{main.name}, {task.title}", figure_value(main), figure_interval(main))
    pooled = task.pooled_apart
    if pooled is not None:
        yield Tile(
            f"over all {count(pooled.pairs)} pairs",
            percent(pooled.accuracy),
            interval(pooled.interval, True),
        )
    lengths = task.lengths
    # Of a model's answers against references the longer ones are no baseline of the judge.
    if lengths is not None and task.kind != REFERENCE:
        between = interval(lengths.pick_longest_interval, True)
        yield Tile("picking the longest", percent(lengths.pick_longest), between)
    if lengths is not None and lengths.length_controlled is not None:
        between = interval(lengths.length_controlled_interval, True)
        yield Tile("length-controlled", percent(lengths.length_controlled), between)
    if task.calibration is not None:
        error, chance = 100 * task.calibration.error, 100 * task.calibration.error_by_chance
        yield Tile("calibration error", f"{error:.1f}", f"points; by chance {chance:.1f}")
    if task.margins is not None and task.pooled is not None and task.pooled.pairs:
        ties, pairs = task.margins.ties, task.pooled.pairs
        yield Tile("ties", percent(ties / pairs), f"{count(ties)} of {count(pairs)}")


def distinct_figures(task: TaskReport) -> list[Figure]:
    """A task's figures, each once that is the same by definition, with all its names.

    Of two answers and the pair that they are, the accuracies over documents and over pairs are one,
    and so is how often the favourite is a best answer; and the accuracy by the aspect that decides
    is the accuracy.
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
    for name, value in _told(task):
        if name not in facts:
            facts[name] = value
        elif facts[name] != value:
            # The file's own count: a part of it was evaluated.
            facts[f"{name} in the data"] = value
    return [Fact(name, value) for name, value in facts.items()]


def warnings(tasks: Sequence[TaskReport]) -> Iterator[str]:
    """What has to be known before any figure is quoted."""
    seen = [task.title for task in tasks if task.in_sample]
    if seen:
        yield (
            f"In-sample: the judge was trained on the data of {', '.join(seen)}. Its accuracy "
            "there says nothing about other data."
        )
    parts = [task.title for task in tasks if task.partial]
    if parts:
        named = ", ".join(parts)
        yield f"Over a part of the data only: {named}. Not to be compared with whole runs."


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


def _told(task: TaskReport) -> Iterator[tuple[str, str]]:
    digest = task.data.get("digest")
    yield "data", str(task.data.get("data") or "not said by the run")
    yield "digest of the documents (SHA-256)", str(digest or "not known without samples")
    yield "documents", count(task.data.get("documents"))
    for name, value in task.settings.items():
        yield name, str(value)
    for name, value in task.counts.items():
        yield name.replace("_", " "), count(value)
