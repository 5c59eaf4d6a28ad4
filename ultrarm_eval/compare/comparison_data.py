"""A comparison as data: JSON with everything, and CSV with one row for each difference."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from ultrarm_eval.compare.comparison import Comparison, Row
from ultrarm_eval.compare.conclusions import LEVEL
from ultrarm_eval.runs.plain import as_plain

FORMAT = "ultrarm_eval.comparison/1"
_COLUMNS = (
    "task",
    "dimension",
    "part",
    "a",
    "b",
    "metric",
    "higher_is_better",
    "documents",
    "prompts",
    "figure_a",
    "figure_b",
    "difference",
    "low",
    "high",
    "level",
    "interval_method",
    "test",
    "p_value",
    "adjusted_p",
    "a_higher",
    "b_higher",
    "paired",
    "conclusion",
    "members",
    "weighting",
)


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
    """The differences as CSV with a head; what is not known is empty."""
    written = io.StringIO()
    writer = csv.DictWriter(written, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in comparison.rows:
        record = _record(comparison, row)
        writer.writerow({**record, "members": " ".join(record["members"])})
    return written.getvalue()


def _record(comparison: Comparison, row: Row) -> dict[str, Any]:
    part, found = row.part, row.part.difference
    interval = found.interval
    return {
        "task": row.task,
        "dimension": part.dimension,
        "part": part.name,
        "a": comparison.label(row.a),
        "b": comparison.label(row.b),
        "metric": part.metric,
        "higher_is_better": part.higher_is_better,
        "documents": found.documents,
        "prompts": found.prompts,
        "figure_a": found.figure_a,
        "figure_b": found.figure_b,
        "difference": found.value,
        "low": None if interval is None else interval.low,
        "high": None if interval is None else interval.high,
        "level": None if interval is None else interval.level,
        "interval_method": None if interval is None else interval.method,
        "test": found.test,
        "p_value": found.p_value,
        "adjusted_p": row.adjusted_p,
        "a_higher": found.a_higher,
        "b_higher": found.b_higher,
        "paired": found.is_paired,
        "conclusion": row.conclusion,
        "members": list(part.members),
        "weighting": part.weighting,
    }
