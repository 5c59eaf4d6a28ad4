"""The figures of a report a second time: plain loops over the harness's files, exact where it goes.

Nothing here is taken from the package. What the loops compute is what the field means by each
figure; where it leaves a choice (edges of ranges, how ties share ranks) it stands beside the loop.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

from tests.report.reference_documents import HALF, Document, Pair
from tests.report.reference_statistics import mean, median, ranges, shared_ranks


def all_pairs(documents: Sequence[Document]) -> list[Pair]:
    """The pairs of all documents, in their order."""
    return [pair for document in documents for pair in document.pairs]


def accuracy(documents: Iterable[Document]) -> float | None:
    """The mean over the documents that have an accuracy."""
    return mean(d.accuracy for d in documents if d.accuracy is not None)


def pooled_accuracy(pairs: Iterable[Pair]) -> float | None:
    """The mean credit."""
    return mean(pair.credit for pair in pairs)


def counts(pairs: Sequence[Pair]) -> dict[str, int]:
    """Pairs, and how many are right, tied and wrong."""
    return {
        "pairs": len(pairs),
        "right": sum(pair.margin > 0 for pair in pairs),
        "ties": sum(pair.margin == 0 for pair in pairs),
        "wrong": sum(pair.margin < 0 for pair in pairs),
    }


def margins(pairs: Sequence[Pair]) -> dict[str, float | None]:
    """Mean and medians of the margins."""
    found = [pair.margin for pair in pairs]
    return {
        "mean": mean(found) if all(map(math.isfinite, found)) else None,
        "median": median(found),
        "median_right": median(m for m in found if m > 0),
        "median_wrong": median(m for m in found if m < 0),
    }


def accuracy_by_group(documents: Iterable[Document]) -> dict[str, tuple[float, int]]:
    """By source or subset: accuracy, and documents."""
    groups: dict[str, list[float]] = {}
    for document in documents:
        if document.accuracy is not None and document.group is not None:
            groups.setdefault(document.group, []).append(document.accuracy)
    return {name: (mean(values) or 0.0, len(values)) for name, values in groups.items()}


def accuracy_by_aspect(documents: Iterable[Document]) -> dict[str, tuple[float, int, int]]:
    """By aspect: accuracy over the documents with a pair, how many these are, and their pairs."""
    aspects: dict[str, list[list[Pair]]] = {}
    for document in documents:
        for aspect, pairs in document.of_aspect.items():
            if pairs:
                aspects.setdefault(aspect, []).append(pairs)
    return {
        aspect: (
            mean(sum((p.credit for p in pairs), Fraction(0)) / len(pairs) for pairs in found)
            or 0.0,
            len(found),
            sum(map(len, found)),
        )
        for aspect, found in aspects.items()
    }


def accuracy_by_prompt_length(
    documents: Iterable[Document],
) -> list[tuple[tuple[int, int], float, int]]:
    """By range of characters of all turns: accuracy, and documents."""
    known = [d for d in documents if d.accuracy is not None]
    sizes = [sum(map(len, d.turns)) for d in known]
    return [
        ((low, high), accuracy(inside) or 0.0, len(inside))
        for low, high in ranges(sizes)
        for inside in [[d for d, n in zip(known, sizes, strict=True) if low <= n <= high]]
    ]


def accuracy_by_gap(pairs: Sequence[Pair]) -> list[tuple[tuple[Any, Any], float, int]]:
    """By range of the difference in rating: pooled accuracy, and pairs."""
    known = [pair for pair in pairs if pair.gap is not None]
    return [
        ((low, high), pooled_accuracy(inside) or 0.0, len(inside))
        for low, high in ranges([pair.gap for pair in known])
        for inside in [[pair for pair in known if low <= (pair.gap or 0) <= high]]
    ]


def split_by_length(pairs: Sequence[Pair]) -> dict[str, list[Pair]]:
    """The pairs by whether the preferred answer is longer."""
    sides: dict[str, list[Pair]] = {"longer": [], "shorter": [], "equal": []}
    for pair in pairs:
        difference = pair.chosen_length - pair.rejected_length
        sides["longer" if difference > 0 else "shorter" if difference < 0 else "equal"].append(pair)
    return sides


def pick_longest(pairs: Sequence[Pair]) -> float | None:
    """The accuracy of a judge that takes the longer answer, one half for equal lengths."""
    sides = split_by_length(pairs)
    return mean(
        [1] * len(sides["longer"]) + [HALF] * len(sides["equal"]) + [0] * len(sides["shorter"])
    )


def length_controlled(pairs: Sequence[Pair]) -> float | None:
    """The mean of the accuracies of both sides."""
    sides = split_by_length(pairs)
    if not sides["longer"] or not sides["shorter"]:
        return None
    means = [
        sum((p.credit for p in sides[side]), Fraction(0)) / len(sides[side])
        for side in ("longer", "shorter")
    ]
    return float(sum(means) / 2)


def longer_preferred(pairs: Sequence[Pair]) -> float | None:
    """The share of pairs of unequal lengths in which the judge prefers the longer answer."""
    sides = split_by_length(pairs)
    return mean(
        [pair.outcome for pair in sides["longer"]] + [1 - pair.outcome for pair in sides["shorter"]]
    )


def calibration_error(pairs: Sequence[Pair], bins: int = 10) -> float | None:
    """The expected calibration error of sigmoid(|margin|), in bins of equal width over [0.5, 1]."""
    inside: list[list[tuple[float, Fraction]]] = [[] for _ in range(bins)]
    for pair in pairs:
        confidence = 1 / (1 + math.exp(-abs(pair.margin)))
        place = min(int((confidence - 0.5) / 0.5 * bins), bins - 1)
        inside[place].append((confidence, pair.outcome))
    if not pairs:
        return None
    gaps = [
        abs(math.fsum(c for c, _ in each) - float(sum(o for _, o in each)))
        for each in inside
        if each
    ]
    return math.fsum(gaps) / len(pairs)


def negative_log_likelihood(pairs: Sequence[Pair], temperature: float = 1.0) -> float | None:
    """The mean of -log sigmoid(margin / temperature)."""
    if not pairs:
        return None
    losses = []
    for pair in pairs:
        scaled = pair.margin / temperature
        losses.append(max(-scaled, 0.0) + math.log1p(math.exp(-abs(scaled))))
    return math.fsum(losses) / len(losses)


def best_temperature(pairs: Sequence[Pair]) -> float | None:
    """The temperature of the least loss; None where it is 0 or infinite.

    The loss falls towards infinite confidence where no pair is wrong, and towards none at all where
    the margins sum to no more than 0 (the loss is convex in 1 / temperature, with this slope at 0).
    """
    found = [pair.margin for pair in pairs]
    if not any(m > 0 for m in found) or not any(m < 0 for m in found) or math.fsum(found) <= 0:
        return None

    def loss(sharpness: float) -> float:
        return negative_log_likelihood(pairs, 1 / sharpness) or 0.0

    # Three rounds of a grid around the best point of the one before, then thirds.
    low, high = 1e-9, 1e9
    for _ in range(3):
        grid = [low * (high / low) ** (i / 200) for i in range(201)]
        best = min(range(201), key=lambda i: loss(grid[i]))
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, 200)]
    for _ in range(100):
        first, second = low + (high - low) / 3, high - (high - low) / 3
        if loss(first) <= loss(second):
            high = second
        else:
            low = first
    return 2 / (low + high)


def rank_confusion(documents: Iterable[Document]) -> tuple[int, list[list[float]], int] | None:
    """Rank by rating (rows) against rank by reward: completions, shares of each row, documents.

    Over the documents with the most frequent number of completions that are rated and scored (the
    larger one of two that are equally frequent); equal values share their ranks in equal parts.
    """
    usable = [d.rated for d in documents if len({rating for rating, _ in d.rated}) > 1]
    numbers = Counter(map(len, usable))
    size = max(numbers, key=lambda n: (numbers[n], n), default=0)
    # Two ranks say no more than an accuracy.
    if size < 3:
        return None
    kept = [rated for rated in usable if len(rated) == size]
    table = [[Fraction(0)] * size for _ in range(size)]
    for rated in kept:
        by_rating = shared_ranks([rating for rating, _ in rated])
        by_reward = shared_ranks([reward for _, reward in rated])
        for ratings, rewards in zip(by_rating, by_reward, strict=True):
            for i in range(size):
                for j in range(size):
                    table[i][j] += ratings[i] * rewards[j]
    return size, [[float(cell / len(kept)) for cell in row] for row in table], len(kept)


def digest(documents: Iterable[Document]) -> str:
    """SHA-256 of the sorted lines `hash:occurrence`, whatever the order of the documents."""
    seen: Counter[str] = Counter()
    lines = []
    for document in documents:
        lines.append(f"{document.hash}:{seen[document.hash]}")
        seen[document.hash] += 1
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def confident_mistakes(documents: Sequence[Document]) -> list[tuple[int, float]]:
    """(document, margin) of the lowest margin of each document that has one below 0, in order."""
    found = []
    for number, document in enumerate(documents):
        lowest = min((pair.margin for pair in document.pairs), default=0.0)
        if lowest < 0:
            found.append((number, lowest))
    return sorted(found, key=lambda one: one[1])


def smallest_margins(documents: Sequence[Document]) -> list[tuple[int, float]]:
    """(document, margin) of the margin nearest to 0 of each document, in order.

    Each document's surest mistake is not among them: it is shown as that. Nor is what is more than
    half the median of all margins, without their signs.
    """
    found = []
    middle = (
        median([abs(pair.margin) for pair in all_pairs(documents)]) if all_pairs(documents) else 0
    )
    for number, document in enumerate(documents):
        margins = [pair.margin for pair in document.pairs]
        if margins and min(margins) < 0:
            margins.remove(min(margins))
        if margins and abs(min(margins, key=abs)) <= middle / 2:
            found.append((number, min(margins, key=abs)))
    return sorted(found, key=lambda one: abs(one[1]))
