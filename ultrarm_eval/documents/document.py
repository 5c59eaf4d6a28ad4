"""Documents: one prompt with its completions and ratings, as plain JSON values.

A document is what a harness carries around and writes into its samples, so it holds everything
that is needed to score it and to compute its metrics again.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from typing import Any

from ultrarm_eval.data.records import PromptRecord
from ultrarm_eval.errors import DataError
from ultrarm_eval.exact_numbers import exact_fraction

FORMAT = "ultrarm_eval.document/2"
#: The fields of a document, in their order.
FIELDS = (
    "format",
    "row",
    "source",
    "prompt",
    "completions",
    "lengths",
    "models",
    "preference",
    "ratings",
    "aspects",
)

Document = dict[str, Any]


def make_document(
    row: int, record: PromptRecord, preference: str, aspects: Sequence[str]
) -> Document:
    """Makes a document.

    Args:
        row: The number of the row it is from.
        record: The prompt with its completions.
        preference: The rating that orders the pairs.
        aspects: Ratings that get an accuracy of their own.
    """
    completions = record.completions
    return {
        "format": FORMAT,
        "row": row,
        "source": record.source,
        "prompt": [dict(message) for message in record.prompt],
        "completions": [completion.text for completion in completions],
        "lengths": [len(completion.text) for completion in completions],
        "models": [completion.model for completion in completions],
        "preference": preference,
        "ratings": [_spelled(c.ratings.get(preference)) for c in completions],
        "aspects": {
            aspect: [_spelled(c.ratings.get(aspect)) for c in completions] for aspect in aspects
        },
    }


def is_document(value: object) -> bool:
    """Whether a harness's document is one of ours."""
    return isinstance(value, Mapping) and value.get("format") == FORMAT


def ratings_of(document: Mapping[str, Any]) -> list[Fraction | None]:
    """The exact ratings of a document's completions, by its preference.

    Raises:
        DataError: One is no fraction.
    """
    return _exact(document["ratings"])


def aspect_ratings_of(document: Mapping[str, Any]) -> dict[str, list[Fraction | None]]:
    """The exact ratings of a document's completions, by aspect; empty for data without aspects.

    Raises:
        DataError: One is no fraction.
    """
    return {aspect: _exact(ratings) for aspect, ratings in document["aspects"].items()}


def without_ratings_of(document: Mapping[str, Any], completions: Collection[int]) -> Document:
    """A document in which some completions have no ratings, so that no pair is made of them."""

    def rest(ratings: Sequence[str | None]) -> list[str | None]:
        return [None if i in completions else rating for i, rating in enumerate(ratings)]

    return {
        **document,
        "ratings": rest(document["ratings"]),
        "aspects": {aspect: rest(ratings) for aspect, ratings in document["aspects"].items()},
    }


def _exact(ratings: Sequence[object]) -> list[Fraction | None]:
    return [None if rating is None else _parsed(rating) for rating in ratings]


def _parsed(rating: object) -> Fraction:
    found = _fraction(rating) if isinstance(rating, str) else None
    if found is None:
        raise DataError(
            f"A document has the rating {rating!r:.40}; it has to be a fraction as text, such as "
            "'13/3', or null."
        )
    return found


_fraction = functools.lru_cache(maxsize=4096)(exact_fraction)


def _spelled(rating: Fraction | None) -> str | None:
    return None if rating is None else str(rating)
