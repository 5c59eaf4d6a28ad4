"""The rows of a comparison, corrected for all tests among them and with what follows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from ultrarm_eval.analysis.compared_tasks import FIGURE
from ultrarm_eval.analysis.comparison import Row
from ultrarm_eval.analysis.conclusions import Named, conclusion
from ultrarm_eval.pages.visible import visible_name
from ultrarm_eval.results.task_result import MAIN_METRIC
from ultrarm_eval.statistics.multiplicity import holm


def corrected(rows: Sequence[Row], labels: Mapping[str, str]) -> list[Row]:
    """The rows with adjusted p-values and sentences.

    Args:
        rows: All rows of a comparison.
        labels: What the sentences call the runs, by letter.
    """
    tested = [p for row in rows if (p := row.part.difference.p_value) is not None]
    adjusted = iter(holm(tested))
    return [
        _concluded(
            row,
            None if row.part.difference.p_value is None else next(adjusted),
            len(tested),
            labels,
        )
        for row in rows
    ]


def _concluded(row: Row, adjusted_p: float | None, tests: int, labels: Mapping[str, str]) -> Row:
    part = row.part
    on = visible_name(row.task)
    if part.dimension == FIGURE:
        on += f", {visible_name(part.name)}"
    elif part.name is not None:
        on += f", {part.dimension} {visible_name(part.name)}"
    named = Named(
        labels[row.a],
        labels[row.b],
        on,
        MAIN_METRIC if part.dimension == FIGURE else visible_name(part.metric),
        part.are_shares,
        part.higher_is_better,
    )
    said = conclusion(part.difference, adjusted_p, tests, named)
    return dataclasses.replace(row, adjusted_p=adjusted_p, conclusion=said)
