"""Chosen and rejected: the binarized schemas of UltraFeedback, and plain pairs.

Known: HuggingFaceH4/ultrafeedback_binarized and allenai/ultrafeedback_binarized_cleaned
(`score_chosen`, `score_rejected`), argilla/ultrafeedback-binarized-preferences-cleaned
(`chosen-rating`, `rejected-rating`), trl-lib/ultrafeedback_binarized (no `prompt`), and plain
`prompt`, `chosen`, `rejected`. `conversations` defines a row's conversation.
"""

from __future__ import annotations

from fractions import Fraction

from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.records import PromptRecord, RatedCompletion, read_name
from ultrarm_eval.data.rows import Location, Row
from ultrarm_eval.exact_numbers import exact_number
from ultrarm_eval.sources.conversations import ADVICE, names_prompt, read_pair
from ultrarm_eval.sources.message_fields import UnusableRowError
from ultrarm_eval.sources.source import DEFAULT_PREFERENCE, PairSource

_SCORE_COLUMNS = (("score_chosen", "score_rejected"), ("chosen-rating", "rejected-rating"))
_PREFERRED, _NOT_PREFERRED = Fraction(1), Fraction(0)


def _is_understood(columns: frozenset[str]) -> bool:
    return {"chosen", "rejected"} <= columns and names_prompt(columns)


def read_row(row: Row, _where: Location, counts: DataCounts) -> PromptRecord | None:
    """Reads one pair.

    A pair with equal scores or identical answers says nothing about a judge; one whose sides
    continue different conversations, or whose scores contradict it or are not numbers, has no clear
    meaning. These pairs are excluded and counted.

    Args:
        row: A row with `chosen` and `rejected`.
        _where: Its place.
        counts: Receives what is excluded and why.

    Returns:
        A record with two completions, the chosen one first; None if the pair is excluded.
    """
    counts.add("rows")
    try:
        pair = read_pair(row)
    except UnusableRowError as error:
        counts.add(f"pairs_left_out_{error.reason}", why=str(error))
        return None
    pair.count(counts)
    chosen, rejected = pair.answers
    if not pair.prompt:
        counts.add("pairs_without_prompt")
    counts.add("completions", 2)
    counts.add("completions_empty", (not chosen) + (not rejected))
    fields, ratings = _read_ratings(row)
    problem = _problem(chosen, rejected, ratings)
    if problem is not None:
        counts.add(f"pairs_left_out_{problem}", why=_why(problem, row, fields))
        return None
    return PromptRecord(
        prompt=pair.prompt,
        completions=tuple(
            RatedCompletion(text, {DEFAULT_PREFERENCE: rating})
            for text, rating in zip((chosen, rejected), ratings, strict=True)
            if rating is not None
        ),
        source=read_name(row.get("source"), "sources_not_text", counts),
    )


def _read_ratings(
    row: Row,
) -> tuple[tuple[str, str], tuple[Fraction | None, Fraction | None]]:
    """The scores' columns, and the scores: exact numbers, or None."""
    for fields in _SCORE_COLUMNS:
        if any(field in row for field in fields):
            chosen, rejected = (exact_number(row.get(field)) for field in fields)
            return fields, (chosen, rejected)
    return _SCORE_COLUMNS[0], (_PREFERRED, _NOT_PREFERRED)


def _problem(
    chosen: str, rejected: str, ratings: tuple[Fraction | None, Fraction | None]
) -> str | None:
    if ratings[0] is None or ratings[1] is None:
        return "score_no_number"
    if ratings[0] == ratings[1]:
        return "equal_scores"
    if chosen == rejected:
        return "identical_answers"
    return "chosen_scored_lower" if ratings[0] < ratings[1] else None


def _why(problem: str, row: Row, fields: tuple[str, str]) -> str:
    if problem == "identical_answers":
        return "the chosen and the rejected answer are identical"
    scores = " and ".join(f"{field!r} is {row.get(field)!r:.40}" for field in fields)
    if problem == "score_no_number":
        return f"{scores}; scores must be plain numbers below 10**100"
    return f"{scores}; the chosen answer must have the higher score"


BINARIZED = PairSource(
    name="binarized",
    describes=(
        "chosen, rejected (texts or message lists), with score_chosen and score_rejected or "
        "chosen-rating and rejected-rating (H4's, allenai's and argilla's schema)"
    ),
    recognises=lambda columns: (
        _is_understood(columns) and any(set(fields) <= columns for fields in _SCORE_COLUMNS)
    ),
    read_row=read_row,
    advice=ADVICE,
)
PLAIN = PairSource(
    name="pairs",
    describes="chosen, rejected and optionally prompt (plain pairs, trl-lib's schema)",
    recognises=_is_understood,
    read_row=read_row,
    has_ratings=False,
    advice=ADVICE,
)
