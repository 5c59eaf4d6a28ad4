"""Chosen and rejected: the binarised schemas of UltraFeedback, and plain pairs.

Known: HuggingFaceH4/ultrafeedback_binarized and allenai/ultrafeedback_binarized_cleaned
(`score_chosen`, `score_rejected`), argilla/ultrafeedback-binarized-preferences-cleaned
(`chosen-rating`, `rejected-rating`), trl-lib/ultrafeedback_binarized (no `prompt`), and plain
`prompt`, `chosen`, `rejected`. Each side is a text or a list of messages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from ultrarm_eval.data.records import DataCounts, Location, PromptRecord, RatedCompletion, Row
from ultrarm_eval.data.source import PairSource
from ultrarm_eval.errors import ConfigurationError, DataError
from ultrarm_eval.messages import Message, as_messages

_SCORE_COLUMNS = (("score_chosen", "score_rejected"), ("chosen-rating", "rejected-rating"))
_PREFERRED, _NOT_PREFERRED = Fraction(1), Fraction(0)


def read_row(row: Row, where: Location, counts: DataCounts) -> PromptRecord | None:
    """Reads one pair.

    A pair whose scores are equal or whose answers are identical says nothing about a judge, one
    whose sides continue different conversations or whose scores contradict it has no clear
    meaning: they are left out and counted.

    Args:
        row: A row with `chosen` and `rejected`.
        where: Where it stands.
        counts: Receives what is left out and why.

    Returns:
        A record with two completions, the chosen one first; None if the pair is left out.

    Raises:
        DataError: A score is no number, or the prompt is neither text nor messages.
    """
    counts.add("rows")
    chosen_side, rejected_side = (
        _read_side(row, "chosen", counts),
        _read_side(row, "rejected", counts),
    )
    if chosen_side is None or rejected_side is None:
        counts.add("pairs_left_out_not_text")
        return None
    (chosen_before, chosen), (rejected_before, rejected) = chosen_side, rejected_side
    if chosen_before != rejected_before:
        counts.add("pairs_left_out_different_conversations")
        return None
    prompt = chosen_before or _read_prompt(row, where)
    counts.add("completions", 2)
    counts.add("completions_empty", (not chosen) + (not rejected))
    scores = _read_scores(row, where)
    if scores is not None and scores[0] == scores[1]:
        counts.add("pairs_left_out_equal_scores")
        return None
    if chosen == rejected:
        counts.add("pairs_left_out_identical_answers")
        return None
    if scores is not None and scores[0] < scores[1]:
        counts.add("pairs_left_out_chosen_scored_lower")
        return None
    source = row.get("source")
    return PromptRecord(
        prompt=prompt,
        completions=(
            RatedCompletion(chosen, scores[0] if scores else _PREFERRED),
            RatedCompletion(rejected, scores[1] if scores else _NOT_PREFERRED),
        ),
        source=source if isinstance(source, str) else None,
    )


def _read_side(row: Row, field: str, counts: DataCounts) -> tuple[tuple[Message, ...], str] | None:
    """The conversation before an answer, and the answer; None if there is no answer as text."""
    value = row[field]
    if isinstance(value, str):
        return (), value
    if not isinstance(value, Sequence) or not value:
        counts.add(f"{field}_not_text")
        return None
    try:
        messages = as_messages(value)
    except ConfigurationError:
        counts.add(f"{field}_not_text")
        return None
    return messages[:-1], messages[-1]["content"]


def _read_prompt(row: Row, where: Location) -> tuple[Message, ...]:
    prompt = row.get("prompt")
    if isinstance(prompt, str) or prompt is None:
        return as_messages(prompt)
    if isinstance(prompt, Sequence) and all(isinstance(m, Mapping) for m in prompt):
        try:
            return as_messages(prompt)
        except ConfigurationError as error:
            raise DataError(f"{where}: field 'prompt': {error}") from error
    raise DataError(
        f"{where}: field 'prompt' is {type(prompt).__name__}; it has to be a text or a list of "
        "messages."
    )


def _read_scores(row: Row, where: Location) -> tuple[Fraction, Fraction] | None:
    for fields in _SCORE_COLUMNS:
        values = tuple(row.get(field) for field in fields)
        if values == (None, None):
            continue
        return tuple(_read_score(v, f, where) for v, f in zip(values, fields, strict=True))  # type: ignore[return-value]
    return None


def _read_score(value: Any, field: str, where: Location) -> Fraction:
    try:
        return Fraction(str(value) if isinstance(value, bool) else value)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{where}: field {field!r} is {value!r}; it has to be a number.") from error


BINARIZED = PairSource(
    name="binarized",
    describes=(
        "chosen, rejected (texts or message lists), with score_chosen and score_rejected or "
        "chosen-rating and rejected-rating (H4's, allenai's and argilla's schema)"
    ),
    recognises=lambda columns: (
        {"chosen", "rejected"} <= columns
        and any(set(fields) <= columns for fields in _SCORE_COLUMNS)
    ),
    read_row=read_row,
)
PLAIN = PairSource(
    name="pairs",
    describes="chosen, rejected and optionally prompt (plain pairs, trl-lib's schema)",
    recognises=lambda columns: {"chosen", "rejected"} <= columns,
    read_row=read_row,
)
