"""A comparison as a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from ultrarm_eval.compare.comparison import ACCURACY_OF_PAIRS, Comparison, Row
from ultrarm_eval.compare.parts import Part
from ultrarm_eval.compare.statements import is_shown, small_parts_note, statements
from ultrarm_eval.show.page import render_page

_TESTS = {
    "mcnemar": "McNemar's exact test",
    "sign-flip": "sign-flip test",
    "unpaired z": "unpaired z-test",
}


def as_page(comparison: Comparison) -> str:
    """The comparison as one HTML file that loads nothing."""
    rows = comparison.shown_rows
    reach = _reach(row for row in rows if row.part.are_shares)
    tasks = [
        _task(comparison, title, [row for row in rows if row.task == title], reach)
        for title in dict.fromkeys(row.task for row in rows)
    ]
    is_pair = len(comparison.runs) == 2
    return render_page(
        "comparison.html.jinja",
        scripts=("theme.js",),
        title=f"Comparison of {len(comparison.runs)} runs",
        comparison=comparison,
        tasks=tasks,
        said=statements(comparison, [row for row in rows if row.part.name is None]),
        has_groups=any(row.part.members for row in rows),
        small_parts=small_parts_note(comparison) if comparison.small_parts else "",
        is_pair=is_pair,
        first="A" if is_pair else "first",
        second="B" if is_pair else "second",
        has_right=not comparison.accuracies_are_told,
        accuracy_of_pairs=ACCURACY_OF_PAIRS,
        agreements=[(t, list(of)) for t, of in groupby(comparison.agreements, lambda a: a.task)],
        letters=[run.letter for run in comparison.runs],
        tests=_TESTS,
        is_shown=is_shown,
    )


def _task(
    comparison: Comparison, title: str, rows: Sequence[Row], reach_of_shares: float
) -> dict[str, Any]:
    part = rows[0].part
    reach = reach_of_shares if part.are_shares else _reach(rows)
    direction = {True: "higher is better", False: "lower is better", None: ""}
    said = [part.metric, direction[part.higher_is_better]]
    return {
        "title": title,
        "metric": ", ".join(word for word in said if word),
        "rows": [(row, _name(row.part)) for row in rows],
        # The range of the bars.
        "span": (-reach, reach) if reach else None,
        "said_of_parts": statements(comparison, [row for row in rows if row.part.name is not None]),
    }


def _name(part: Part) -> str:
    if part.name is not None:
        return f"{part.dimension}: {part.name}"
    return f"group: {part.weighting}" if part.members else "all documents"


def _reach(rows: Iterable[Row]) -> float:
    """How far the bars reach to either side, with some margin."""
    intervals = [i for row in rows if (i := row.part.difference.interval) is not None]
    return 1.05 * max((max(map(abs, i.ends)) for i in intervals), default=0.0)
