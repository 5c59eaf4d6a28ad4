"""UltraFeedback's raw schema (openbmb/UltraFeedback): up to four rated completions a prompt.

The preference is the mean of the aspect ratings, as an exact fraction, with "N/A" left out: what
UltraRM was trained on (arXiv 2310.01377, section on reward modelling).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from ultrarm_eval.data.records import DataCounts, Location, PromptRecord, RatedCompletion, Row
from ultrarm_eval.data.source import PairSource
from ultrarm_eval.messages import as_messages

ASPECTS = ("instruction_following", "honesty", "truthfulness", "helpfulness")
NOT_APPLICABLE = "N/A"
_LOWEST, _HIGHEST = 1, 5


def read_row(row: Row, _where: Location, counts: DataCounts) -> PromptRecord | None:
    """Reads one prompt.

    Args:
        row: A row of the raw schema.
        _where: Where it stands.
        counts: Receives what is left out and why.

    Returns:
        The record; None if the row has no prompt or no completion that is text.
    """
    counts.add("rows")
    instruction, completions = row["instruction"], row["completions"]
    if not isinstance(instruction, str):
        counts.add("rows_left_out_prompt_not_text")
        return None
    if not isinstance(completions, Sequence) or isinstance(completions, str | bytes):
        counts.add("rows_left_out_completions_no_list")
        return None
    read = [_read_completion(completion, counts) for completion in completions]
    usable = tuple(completion for completion in read if completion is not None)
    if len(usable) < 4:
        counts.add("rows_with_fewer_than_four_completions")
    if not usable:
        counts.add("rows_left_out_without_completions")
        return None
    source = row.get("source")
    return PromptRecord(
        prompt=as_messages(instruction),
        completions=usable,
        source=source if isinstance(source, str) else None,
    )


def _read_completion(completion: Any, counts: DataCounts) -> RatedCompletion | None:
    counts.add("completions")
    if not isinstance(completion, Mapping):
        counts.add("completions_left_out_not_text")
        return None
    response = completion.get("response")
    if not isinstance(response, str):
        counts.add("completions_left_out_not_text")
        return None
    if not response:
        counts.add("completions_empty")
    model = completion.get("model")
    return RatedCompletion(
        text=response,
        rating=_mean_rating(completion.get("annotations"), counts),
        model=model if isinstance(model, str) else None,
    )


def _mean_rating(annotations: Any, counts: DataCounts) -> Fraction | None:
    by_aspect = annotations if isinstance(annotations, Mapping) else {}
    ratings = [
        rating
        for aspect in ASPECTS
        if (rating := _aspect_rating(by_aspect.get(aspect), counts)) is not None
    ]
    if not ratings:
        counts.add("completions_without_rating")
        return None
    return sum(ratings, Fraction(0)) / len(ratings)


def _aspect_rating(annotation: Any, counts: DataCounts) -> Fraction | None:
    rating = annotation.get("Rating") if isinstance(annotation, Mapping) else None
    if rating is None:
        counts.add("ratings_missing")
        return None
    if isinstance(rating, str) and rating.strip() == NOT_APPLICABLE:
        counts.add("ratings_not_applicable")
        return None
    try:
        value = Fraction(rating.strip() if isinstance(rating, str) else rating)
    except (ValueError, TypeError, OverflowError, ZeroDivisionError):
        counts.add("ratings_unreadable")
        return None
    if isinstance(rating, bool) or not _LOWEST <= value <= _HIGHEST:
        counts.add("ratings_out_of_range")
        return None
    return value


RAW = PairSource(
    name="ultrafeedback",
    describes="instruction, completions (UltraFeedback's raw schema)",
    recognises=lambda columns: {"instruction", "completions"} <= columns,
    read_row=read_row,
)
