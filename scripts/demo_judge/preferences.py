"""Preference rows as a judge sees them: rendered texts, and the exact means they are rated by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

from demo_grammar.schema import ASPECTS, NOT_RATED, Completion, PlainAnnotation, Row


@dataclass(frozen=True)
class RatedPrompt:
    """The completions of one prompt.

    Attributes:
        responses: The completions alone.
        texts: The completions in the judge's template, without BOS.
        means: Exact mean of each completion's numeric aspect ratings.
    """

    responses: tuple[str, ...]
    texts: tuple[str, ...]
    means: tuple[Fraction, ...]


def render(instruction: str, response: str) -> str:
    """Puts a prompt and a completion into the template of UltraRM's model card."""
    return f"Human: {instruction}\n\nAssistant: {response}"


def _mean_rating(completion: Completion) -> Fraction:
    annotations = cast("dict[str, PlainAnnotation]", completion["annotations"])
    ratings = [annotations[aspect]["Rating"] for aspect in ASPECTS]
    numbers = [int(rating) for rating in ratings if rating != NOT_RATED]
    # Floats would do for four ratings, but not for a comparison of thirds with N/A about.
    return Fraction(sum(numbers), len(numbers))


def rated_prompts(rows: Iterable[Row]) -> list[RatedPrompt]:
    """Turns raw rows into what a judge is trained on and measured by."""
    prompts = []
    for row in rows:
        completions = row["completions"]
        responses = tuple(completion["response"] for completion in completions)
        prompts.append(
            RatedPrompt(
                responses=responses,
                texts=tuple(render(row["instruction"], response) for response in responses),
                means=tuple(_mean_rating(completion) for completion in completions),
            )
        )
    return prompts
