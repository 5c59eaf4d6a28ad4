"""Computes metrics from rows of data, without the harness."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lm_eval.api.metrics import mean, stderr_for_metric

from tests.metrics.reference import RewardOf, Row
from ultrarm_eval.benchmarks.comparison import PreferenceComparison
from ultrarm_eval.data.rows import ListedRows
from ultrarm_eval.documents.document import Document
from ultrarm_eval.metrics.over_prompts import mean_where_defined
from ultrarm_eval.rules import ComparisonRules, checked_min_gap, checked_ties
from ultrarm_eval.sources.preference_data import PreferenceData
from ultrarm_eval.sources.ultrafeedback import RAW


@dataclass(frozen=True)
class Measured:
    """What was measured: figures by name (None for N/A), and each prompt's own values."""

    figures: dict[str, float | None]
    undefined: dict[str, int]
    counts: dict[str, int]
    by_row: dict[int, dict[str, Any]]


def measure(
    rows: Sequence[Row],
    reward: RewardOf,
    preference: str | None = None,
    ties: str = "half",
    min_gap: float | str = 0,
) -> Measured:
    """Measures a judge on rows of the raw schema."""
    rules = ComparisonRules(preference, checked_ties(ties), checked_min_gap(min_gap))
    comparison = PreferenceComparison(PreferenceData(ListedRows(rows, "rows"), RAW), rules)
    by_row, values = {}, defaultdict(list)
    for written in comparison.documents:
        # As a sample holds it.
        document = Document.from_json(json.loads(json.dumps(written.to_json())))
        assert document == written
        prompt, texts = document.prompt[0]["content"], document.completions
        asked = comparison.completions_to_score(document)
        metrics = comparison.measure(document, {i: reward(prompt, texts[i]) for i in asked})
        by_row[document.row] = metrics
        for name, value in metrics.items():
            values[name].append(value)
    figures, undefined = {}, {}
    for name, given in values.items():
        metric = comparison.metrics[name]
        if metric.may_be_undefined:
            figures[name], missing = mean_where_defined(given)
            undefined |= {name: missing} if missing else {}
        elif metric.figure is not None:
            figures[name] = metric.figure(given)
        else:
            figures[name] = mean(given)
            # The harness has an error of its own mean alone.
            error = stderr_for_metric(mean, 100)
            figures[f"{name}_stderr"] = error(given) if len(given) > 1 else None
    return Measured(figures, undefined, comparison.documents.counts.as_dict(), by_row)
