"""A comparison as data: JSON with everything, and CSV with one row for each difference."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ultrarm_eval.compare.comparison import Comparison, Row
from ultrarm_eval.compare.statements import LEVEL
from ultrarm_eval.runs.json_values import as_plain
from ultrarm_eval.show.table import csv_text

FORMAT = "ultrarm_eval.comparison/1"
_Column = Callable[[Comparison, Row], Any]
#: The fields of each difference, in both formats.
_COLUMNS: dict[str, _Column] = {
    "task": lambda _, row: row.task,
    "dimension": lambda _, row: row.part.dimension,
    "part": lambda _, row: row.part.name,
    "a": lambda comparison, row: comparison.label(row.a),
    "b": lambda comparison, row: comparison.label(row.b),
    "metric": lambda _, row: row.part.metric,
    "higher_is_better": lambda _, row: row.part.higher_is_better,
    "documents": lambda _, row: row.part.difference.documents,
    "prompts": lambda _, row: row.part.difference.prompts,
    "figure_a": lambda _, row: row.part.difference.figure_a,
    "figure_b": lambda _, row: row.part.difference.figure_b,
    "difference": lambda _, row: row.part.difference.value,
    "low": lambda _, row: getattr(row.part.difference.interval, "low", None),
    "high": lambda _, row: getattr(row.part.difference.interval, "high", None),
    "level": lambda _, row: getattr(row.part.difference.interval, "level", None),
    "interval_method": lambda _, row: getattr(row.part.difference.interval, "method", None),
    "test": lambda _, row: row.part.difference.test,
    "p_value": lambda _, row: row.part.difference.p_value,
    "adjusted_p": lambda _, row: row.adjusted_p,
    "a_higher": lambda _, row: row.part.difference.a_higher,
    "b_higher": lambda _, row: row.part.difference.b_higher,
    "paired": lambda _, row: row.part.difference.is_paired,
    "conclusion": lambda _, row: row.conclusion,
    "members": lambda _, row: list(row.part.members),
    "weighting": lambda _, row: row.part.weighting,
}


def as_json(comparison: Comparison) -> str:
    """The comparison as JSON, see `FORMAT`."""
    written = {
        "format": FORMAT,
        "level": LEVEL,
        "tests": comparison.tests,
        "runs": as_plain(comparison.runs),
        "differences": as_plain([_record(comparison, row) for row in comparison.rows]),
        "agreements": [
            {
                "task": row.task,
                "a": comparison.label(row.a),
                "b": comparison.label(row.b),
                **as_plain(row.agreement),
            }
            for row in comparison.agreements
        ],
        "unmatched": as_plain(comparison.unmatched),
        "not_shared": as_plain(comparison.not_shared),
        "settings": as_plain(comparison.settings),
        "cautions": as_plain(comparison.cautions),
    }
    return json.dumps(written, indent=2, allow_nan=False) + "\n"


def as_csv(comparison: Comparison) -> str:
    """The differences as CSV with a header; unknown values are empty."""
    records = [_record(comparison, row) for row in comparison.rows]
    rows = [{**one, "members": " ".join(one["members"])} for one in records]
    return csv_text(list(_COLUMNS), (list(row.values()) for row in rows))


def _record(comparison: Comparison, row: Row) -> dict[str, Any]:
    return {name: value(comparison, row) for name, value in _COLUMNS.items()}
