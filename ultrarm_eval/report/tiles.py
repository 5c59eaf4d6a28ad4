"""The figures at the head of a report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ultrarm_eval.report.overview import quoted_of
from ultrarm_eval.report.task_report import TaskReport
from ultrarm_eval.report.wording import between
from ultrarm_eval.runs.sample import REFERENCE
from ultrarm_eval.show.page import count, percent


@dataclass(frozen=True)
class Tile:
    """A figure in large type.

    Attributes:
        label: What it is.
        figure: The figure.
        beside: Its interval, or what it is to be held against.
    """

    label: str
    figure: str
    beside: str


def tiles(task: TaskReport) -> Iterator[Tile]:
    """The figures of a task, the one to quote first; none where it has none."""
    quoted = quoted_of(task)
    if quoted is None:
        return
    yield Tile(f"{quoted.name}, {task.title}", quoted.value, quoted.interval)
    yield from _of_pairs(task)


def _of_pairs(task: TaskReport) -> Iterator[Tile]:
    pooled = task.pooled_apart
    if pooled is not None:
        yield Tile(
            f"over all {count(pooled.pairs)} pairs",
            percent(pooled.accuracy),
            between(pooled.interval, "acc"),
        )
    lengths = task.lengths
    # Of a model's answers against references the longer ones are no baseline of the judge.
    if lengths is not None and task.kind != REFERENCE:
        yield Tile(
            "picking the longest",
            percent(lengths.pick_longest),
            between(lengths.pick_longest_interval, "acc"),
        )
    if lengths is not None and lengths.length_controlled is not None:
        yield Tile(
            "length-controlled",
            percent(lengths.length_controlled),
            between(lengths.length_controlled_interval, "acc"),
        )
    if task.calibration is not None:
        error, chance = 100 * task.calibration.error, 100 * task.calibration.error_by_chance
        yield Tile("calibration error", f"{error:.1f}", f"points; by chance {chance:.1f}")
    if task.margins is not None and task.pooled is not None and task.pooled.pairs:
        ties, pairs = task.margins.ties, task.pooled.pairs
        yield Tile("ties", percent(ties / pairs), f"{count(ties)} of {count(pairs)}")
