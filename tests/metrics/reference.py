"""Every metric by plain loops over raw rows, with no code of the package."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

from scipy.stats import kendalltau

ASPECTS = ("instruction_following", "honesty", "truthfulness", "helpfulness")
WITH_STDERR = ("acc", "tie_rate", "margin", "nll", "best_of_n")
WITHOUT_STDERR = (
    "acc_pairs",
    "kendall_tau",
    "acc_longest",
    "acc_length_controlled",
    *(f"acc_{aspect}" for aspect in ASPECTS),
)

Row = Mapping[str, Any]
RewardOf = Callable[[str, str], float]


def reference_metrics(
    rows: Sequence[Row],
    reward: RewardOf,
    preference: str = "fine_grained",
    ties: str = "half",
    min_gap: float | str = 0,
) -> dict[str, Any]:
    """The metrics of a judge on rows of UltraFeedback's raw schema.

    Returns:
        Each metric and standard error by name (None where there is none), and `documents`,
        `pairs`, `false_tens` and `undefined` (by metric, documents without a value).
    """
    gap = Fraction(str(min_gap))
    tie = {"half": Fraction(1, 2), "wrong": Fraction(0)}[ties]
    prompts, false_tens = [], 0
    for row in rows:
        completions, left_out = _completions(row, preference)
        false_tens += left_out
        pairs = _pairs([c["ratings"][preference] for c in completions], gap)
        if pairs:
            for completion in completions:
                completion["reward"] = reward(row["instruction"], completion["text"])
            prompts.append((completions, pairs))
    result: dict[str, Any] = {"documents": len(prompts), "false_tens": false_tens}
    result["pairs"] = sum(len(pairs) for _, pairs in prompts)
    result["undefined"] = {}
    if not prompts:
        return result

    by_prompt: dict[str, list[float]] = {name: [] for name in (*WITH_STDERR, "kendall_tau")}
    for completions, pairs in prompts:
        margins = [c["reward"] - r["reward"] for c, r in _of(pairs, completions)]
        by_prompt["acc"].append(float(_credit(pairs, completions, tie) / len(pairs)))
        by_prompt["tie_rate"].append(sum(m == 0 for m in margins) / len(pairs))
        by_prompt["margin"].append(math.fsum(margins) / len(pairs))
        by_prompt["nll"].append(math.fsum(surprise(m) for m in margins) / len(pairs))
        rated = [c for c in completions if c["ratings"][preference] is not None]
        by_prompt["best_of_n"].append(_best_of_n(rated, preference))
        by_prompt["kendall_tau"].append(_kendall_tau(rated, preference))
    for name, values in by_prompt.items():
        result[name] = math.fsum(values) / len(values)
        if name in WITH_STDERR:
            result[f"{name}_stderr"] = _standard_error(values)

    result["acc_pairs"] = _pooled([_credit(p, c, tie) for c, p in prompts], [p for _, p in prompts])
    result["acc_longest"] = _pooled(
        [_credit(p, c, Fraction(1, 2), by="length") for c, p in prompts], [p for _, p in prompts]
    )
    result["acc_length_controlled"] = _length_controlled(prompts, tie)
    for aspect in ASPECTS:
        values = []
        for completions, _ in prompts:
            pairs = _pairs([c["ratings"][aspect] for c in completions], gap)
            if pairs:
                values.append(float(_credit(pairs, completions, tie) / len(pairs)))
        result[f"acc_{aspect}"] = math.fsum(values) / len(values) if values else None
        if len(values) < len(prompts):
            result["undefined"][f"acc_{aspect}"] = len(prompts) - len(values)
    return result


def surprise(margin: float, digits: int = 50) -> float:
    """-log sigmoid(margin), computed to so many digits after the point."""
    with localcontext() as context:
        context.prec = digits
        return float((1 + (-Decimal(margin)).exp()).ln())


def _completions(row: Row, preference: str) -> tuple[list[dict[str, Any]], int]:
    """The completions that can be compared, and how many false tens were left out."""
    kept: list[dict[str, Any]] = []
    false_tens = 0
    if not isinstance(row["instruction"], str) or not isinstance(row["completions"], list):
        return kept, false_tens
    for completion in row["completions"]:
        if not isinstance(completion, dict) or not isinstance(completion.get("response"), str):
            continue
        annotations = completion.get("annotations") or {}
        ratings: dict[str, Fraction | None] = {
            aspect: _rating((annotations.get(aspect) or {}).get("Rating"), 5) for aspect in ASPECTS
        }
        given = [rating for rating in ratings.values() if rating is not None]
        mean = sum(given, Fraction(0)) / len(given) if given else None
        overall = _rating(completion.get("overall_score"), 10)
        ratings.update(fine_grained=mean, overall=overall)
        if preference == "overall" and overall == 10 and mean is not None and mean <= 2:
            false_tens += 1
            continue
        text = completion["response"]
        kept.append({"text": text, "length": len(text), "ratings": ratings})
    return kept, false_tens


def _rating(given: Any, highest: int) -> Fraction | None:
    if isinstance(given, bool):
        return None
    try:
        value = Fraction(str(given).strip())
    except ValueError:
        return None
    return value if 1 <= value <= highest else None


def _pairs(ratings: Sequence[Fraction | None], gap: Fraction) -> list[tuple[int, int]]:
    return [
        (i, j)
        for i, higher in enumerate(ratings)
        for j, lower in enumerate(ratings)
        if higher is not None and lower is not None and higher > lower and higher - lower >= gap
    ]


def _of(
    pairs: Sequence[tuple[int, int]], completions: Sequence[Any]
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    return [(completions[i], completions[j]) for i, j in pairs]


def _credit(
    pairs: Sequence[tuple[int, int]],
    completions: Sequence[Any],
    tie: Fraction,
    by: str = "reward",
) -> Fraction:
    total = Fraction(0)
    for chosen, rejected in _of(pairs, completions):
        if chosen[by] == rejected[by]:
            total += tie
        elif chosen[by] > rejected[by]:
            total += 1
    return total


def _pooled(credits_of: Sequence[Fraction], pairs: Sequence[Sequence[Any]]) -> float:
    return float(sum(credits_of) / sum(len(p) for p in pairs))


def _best_of_n(rated: Sequence[Any], preference: str) -> float:
    top_reward = max(c["reward"] for c in rated)
    top_rating = max(c["ratings"][preference] for c in rated)
    picked = [c["ratings"][preference] == top_rating for c in rated if c["reward"] == top_reward]
    return sum(picked) / len(picked)


def _kendall_tau(rated: Sequence[Any], preference: str) -> float:
    rewards = [c["reward"] for c in rated]
    if len(set(rewards)) == 1:
        return 0.0
    ratings = [float(c["ratings"][preference]) for c in rated]
    return float(kendalltau(ratings, rewards, variant="b").statistic)


def _length_controlled(
    prompts: Sequence[tuple[Sequence[Any], Sequence[tuple[int, int]]]], tie: Fraction
) -> float | None:
    sides = []
    for sign in (1, -1):
        earned, count = Fraction(0), 0
        for completions, pairs in prompts:
            side = [
                (i, j)
                for i, j in pairs
                if (completions[i]["length"] - completions[j]["length"]) * sign > 0
            ]
            earned += _credit(side, completions, tie)
            count += len(side)
        if not count:
            return None
        sides.append(earned / count)
    return float(sum(sides) / 2)


def _standard_error(values: Sequence[float]) -> float | None:
    n = len(values)
    if n < 2:
        return None
    mean = math.fsum(values) / n
    return math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1) / n)
