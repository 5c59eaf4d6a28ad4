"""Figures as a report words them, on a page and in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from ultrarm_eval.report.task_report import TaskReport
from ultrarm_eval.runs.figure import Figure, is_share
from ultrarm_eval.runs.sample import REFERENCE
from ultrarm_eval.runs.task_result import MAIN_METRIC
from ultrarm_eval.show.page import count, number, percent
from ultrarm_eval.stats.intervals import Interval

# What for two answers, with one of them better, is the accuracy by definition.
_SAME_OF_PAIRS = {"acc_pairs", "best_of_n"}
# Between the same figure added up in another order.
_ROUNDING = 1e-9


def value_name(task: TaskReport) -> str:
    """What the values of a task's documents are."""
    if task.kind == REFERENCE:
        return "win rate"
    if task.kind is not None or task.main is None:
        return "accuracy"
    return task.main.metric


def worded(value: float | None, metric: str) -> str:
    """A value in percent, or as a number where it is no share."""
    return percent(value) if is_share(metric) else number(value)


def between(interval: Interval | None, metric: str) -> str:
    """An interval in words."""
    if interval is None:
        return "\N{EN DASH}"
    return f"{worded(interval.low, metric)} to {worded(interval.high, metric)}"


def distinct_figures(task: TaskReport) -> list[tuple[str, Figure]]:
    """A task's figures with their names, each once that is the same by definition.

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
        if main is not None and one.metric in same and abs(one.value - main.value) < _ROUNDING:
            names[id(main)].append(one.metric)
        else:
            shown.append(one)
    return [(", ".join(names[id(one)]), one) for one in shown]


def headline(task: TaskReport) -> tuple[str, float, Interval | None] | None:
    """The figure to quote of a task: metric, value and interval; None where there is none."""
    if task.overall is not None and (task.main is None or task.kind == REFERENCE):
        return value_name(task), task.overall.accuracy, task.overall.interval
    if task.main is None:
        return None
    same = task.overall is not None and abs(task.overall.accuracy - task.main.value) < 1e-9
    interval = task.overall.interval if same and task.overall else task.main.interval
    return task.main.metric, task.main.value, interval


def about(task: TaskReport) -> Iterator[tuple[str, str]]:
    """Data, rules and counts of a task."""
    digest = task.data.get("digest")
    yield "data", str(task.data.get("data") or "not said by the run")
    yield "digest of the documents (SHA-256)", str(digest or "not known without samples")
    yield "documents", count(task.data.get("documents"))
    for name, value in task.settings.items():
        yield name, str(value)
    for name, value in task.counts.items():
        yield name.replace("_", " "), count(value)


def warnings(tasks: tuple[TaskReport, ...]) -> Iterator[str]:
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
