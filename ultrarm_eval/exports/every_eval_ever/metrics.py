"""What the schema wants to know of a metric: its id, range, unit and direction.

Ids, kinds and units are those that the database's own converter of lm-eval results gives
(every-eval-ever 0.3.0, converters/common/metrics.py), so that records made either way join.
"""

from __future__ import annotations

import math
import re
from typing import Any

from ultrarm_eval.exports.figures import ReportedFigure

_IDS = {"acc": "accuracy", "exact_match": "exact-match", "f1": "f1"}
_HARNESS = "lm-evaluation-harness"
_SHARE = (0.0, 1.0)
_ANY = (-math.inf, math.inf)
_FROM_0, _FROM_1 = (0.0, math.inf), (1.0, math.inf)
_BOUNDS = {
    **dict.fromkeys(("acc", "tie_rate", "best_of_n", "exact_match", "f1", "em"), _SHARE),
    **dict.fromkeys(("win_rate", "win_rate_length_controlled", "empty", "truncated"), _SHARE),
    **dict.fromkeys(("margin", "reward"), _ANY),
    **dict.fromkeys(("nll", "response_length", "bits_per_byte"), _FROM_0),
    **dict.fromkeys(("perplexity", "word_perplexity", "byte_perplexity"), _FROM_1),
    "kendall_tau": (-1.0, 1.0),
}
# Figures of picking among k answers have the range of the metric that they are of.
_OF_A_PICK = re.compile(r"(?:_(?:first|judge|majority|oracle))?@\d+$")
# RewardBench 2's Ties is a weighted sum that may lie a little outside of 0 to 1.
_WITH_TIES = {"rewardbench2", "rewardbench2_ties"}
_OF_TIES = {"ties", "overall"}


def metric_config(figure: ReportedFigure) -> dict[str, Any]:
    """The schema's `metric_config` of a figure."""
    metric = figure.metric
    described = metric if figure.filter_name == "none" else f"{metric} ({figure.filter_name})"
    higher = figure.result.higher_is_better(metric)
    config: dict[str, Any] = {
        "evaluation_description": described,
        "metric_id": _IDS.get(metric, f"{_HARNESS}.{metric}"),
        "metric_name": metric,
        "lower_is_better": higher is False,
    }
    if metric in ("acc", "exact_match") or metric.startswith("acc_"):
        config["metric_kind"] = "accuracy"
    details = {"harness_key": figure.key}
    if higher is None:
        details["polarity"] = "not_applicable"
    bounds = _bounds(figure)
    if bounds is None:
        details["bounds_status"] = "unknown"
    else:
        config["score_type"] = "continuous"
        config["min_score"], config["max_score"] = map(_in_json, bounds)
        if bounds == _SHARE:
            config["metric_unit"] = "proportion"
    return {**config, "additional_details": details}


def _bounds(figure: ReportedFigure) -> tuple[float, float] | None:
    """The range of a metric; None where it is not known."""
    name = _OF_A_PICK.sub("", figure.metric)
    suite = figure.members[0].metadata.get("suite")
    if figure.task in _WITH_TIES or (suite == "rewardbench2" and name in _OF_TIES):
        return None
    bounds = _BOUNDS.get(name)
    if bounds is None and (name.startswith("acc_") or suite is not None):
        bounds = _SHARE
    if bounds is None or not bounds[0] <= figure.value <= bounds[1]:
        return None
    return bounds


def _in_json(bound: float) -> float | str:
    if math.isinf(bound):
        return "Infinity" if bound > 0 else "-Infinity"
    return bound
