"""The rows of a comparison, corrected for all tests among them and with what follows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from ultrarm_eval.compare.compared_tasks import FIGURE
from ultrarm_eval.compare.comparison import Row
from ultrarm_eval.compare.conclusions import Named, conclusion
from ultrarm_eval.runs.task_result import MAIN_METRIC
from ultrarm_eval.show.text import visible_name
from ultrarm_eval.stats.multiplicity import holm


def corrected(rows: Sequence[Row], labels: Mapping[str, str]) -> list[Row]:
    """The rows with adjusted p-values and sentences.

    Args:
        rows: All rows of a comparison.
        labels: What the sentences call the runs, by letter.
    """
    tested = [p for row in rows if (p := _tested(row)) is not None]
    adjusted = iter(holm(tested))
    return [
        _concluded(
            row,
            None if _tested(row) is None else next(adjusted),
            len(tested),
            labels,
        )
        for row in rows
    ]


def _tested(row: Row) -> float | None:
    """The p-value that is corrected; none of a part that is too small to show anything."""
    return None if row.part.is_too_small else row.part.difference.p_value


def subject(row: Row) -> str:
    """What sentences call what a row is of."""
    part, task = row.part, visible_name(row.task)
    if part.name is None:
        return task
    kind = "" if part.dimension == FIGURE else f"{part.dimension} "
    return f"{task}, {kind}{visible_name(part.name)}"


def _concluded(row: Row, adjusted_p: float | None, tests: int, labels: Mapping[str, str]) -> Row:
    part = row.part
    named = Named(
        labels[row.a],
        labels[row.b],
        subject(row),
        MAIN_METRIC if part.dimension == FIGURE else visible_name(part.metric),
        part.are_shares,
        part.higher_is_better,
    )
    if part.is_too_small:
        count = part.difference.prompts
        said = f"On {named.on} there are {count} prompts, too few to tell the runs apart."
    else:
        said = conclusion(part.difference, adjusted_p, tests, named)
    return dataclasses.replace(row, adjusted_p=adjusted_p, conclusion=said)
