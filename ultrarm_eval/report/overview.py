"""The line that a report has for each task and group, on a page and in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ultrarm_eval.report.contents import JudgeReport
from ultrarm_eval.report.facts import Fact
from ultrarm_eval.report.task_report import TaskReport
from ultrarm_eval.report.wording import about, between, headline, worded
from ultrarm_eval.runs.figure import Figure, is_share
from ultrarm_eval.runs.task_result import MAIN_METRIC
from ultrarm_eval.stats.intervals import Interval

# What a report calls figures that are no metric of the harness: both are shares.
_OWN_NAMES = {"accuracy": "acc", "win rate": "win_rate"}


@dataclass(frozen=True)
class Quoted:
    """A figure to quote.

    Attributes:
        name: What it is.
        value: As text.
        interval: Its 95 % interval as text.
        bar: Low end, value and high end of the interval of a share; None where there is none.
    """

    name: str
    value: str
    interval: str
    bar: tuple[float, float, float] | None


@dataclass(frozen=True)
class OverviewRow:
    """What a task or group says in one line.

    Attributes:
        title: Its title.
        mark: What limits it (`in-sample`, `partial`), or that it is a group.
        quoted: The figure to quote.
        documents: How many were evaluated, and so on; None where it is not known.
        pairs: The pairs.
        ties: Pairs with equal rewards.
        pick_longest: Accuracy of picking the longest answer.
    """

    title: str
    mark: str
    quoted: Quoted
    documents: int | None = None
    pairs: int | None = None
    ties: int | None = None
    pick_longest: float | None = None


def overview(judge: JudgeReport) -> list[OverviewRow]:
    """The lines of a judge's groups and tasks."""
    return [*_groups(judge), *map(_of_task, judge.tasks)]


def quoted(name: str, value: float | None, interval: Interval | None) -> Quoted:
    """A figure in words.

    Args:
        name: The metric, or what the report calls it.
        value: The figure.
        interval: Its interval.
    """
    metric = _OWN_NAMES.get(name, name)
    has_bar = is_share(metric) and value is not None and interval is not None
    return Quoted(
        name,
        worded(value, metric),
        between(interval, metric),
        (interval.low, value, interval.high)
        if has_bar and interval and value is not None
        else None,
    )


def quoted_of(task: TaskReport) -> Quoted | None:
    """The figure to quote of a task; None where it has none."""
    found = headline(task)
    return None if found is None else quoted(*found)


def facts_of_task(task: TaskReport) -> list[Fact]:
    """Data, rules and counts of a task, each once."""
    facts: dict[str, str] = {}
    for name, value in about(task):
        if name not in facts:
            facts[name] = value
        elif facts[name] != value:
            # The file's own count: a part of it was evaluated.
            facts[f"{name} in the data"] = value
    return [Fact(name, value) for name, value in facts.items()]


def _of_task(task: TaskReport) -> OverviewRow:
    marks = (("in-sample", task.in_sample), ("partial", bool(task.partial)))
    return OverviewRow(
        task.title,
        ", ".join(name for name, holds in marks if holds),
        quoted_of(task) or quoted("", None, None),
        task.data.get("documents"),
        None if task.pooled is None else task.pooled.pairs,
        None if task.margins is None else task.margins.ties,
        None if task.lengths is None else task.lengths.pick_longest,
    )


def _groups(judge: JudgeReport) -> Iterator[OverviewRow]:
    for title, figures in judge.groups.items():
        main = _main(figures)
        if main is not None:
            found = quoted(main.metric, main.value, main.interval)
            yield OverviewRow(title, "group", found)


def _main(figures: Sequence[Figure]) -> Figure | None:
    ours = [figure for figure in figures if figure.metric == MAIN_METRIC]
    return next(iter([*ours, *figures]), None)
