"""The way from rows to figures, without the harness's loop around it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lm_eval.api.metrics import stderr_for_metric

from tests.metrics.reference import ASPECTS, RewardOf, Row
from ultrarm_eval.data.rows import ListedRows
from ultrarm_eval.documents.prompt_documents import PromptDocuments
from ultrarm_eval.lm_eval_plugin.aggregations import NOT_AVAILABLE, Aggregations
from ultrarm_eval.metrics.of_prompt import completions_to_score, prompt_metrics
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
    documents = PromptDocuments(PreferenceData(ListedRows(rows, "rows"), RAW), rules)
    by_row, values = {}, defaultdict(list)
    for document in json.loads(json.dumps(list(documents))):
        prompt, texts = document["prompt"][0]["content"], document["completions"]
        scored = completions_to_score(document, rules)
        metrics = prompt_metrics(document, {i: reward(prompt, texts[i]) for i in scored}, rules)
        by_row[document["row"]] = metrics
        for name, value in metrics.items():
            values[name].append(value)
    aggregations = Aggregations()
    by_metric = aggregations.by_metric(["kendall_tau", *(f"acc_{aspect}" for aspect in ASPECTS)])
    figures = {}
    for name, given in values.items():
        figures[name] = by_metric[name](given)
        stderr = stderr_for_metric(by_metric[name], 100)
        if stderr is not None:
            figures[f"{name}_stderr"] = stderr(given) if len(given) > 1 else None
    return Measured(
        {name: None if value == NOT_AVAILABLE else value for name, value in figures.items()},
        {name: count for name, count in aggregations.undefined.items() if count},
        documents.counts.as_dict(),
        by_row,
    )
