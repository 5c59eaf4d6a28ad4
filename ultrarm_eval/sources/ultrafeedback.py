"""UltraFeedback's raw schema (openbmb/UltraFeedback): up to four rated completions per prompt.

It has three types of rating: four aspects from 1 to 5, their mean (`fine_grained`), on which
UltraRM was trained (arXiv 2310.01377, section on reward modeling), and an overall score from 1 to
10. The mean is computed from the aspects, as an exact fraction without "N/A".
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.records import PromptRecord, RatedCompletion, read_name
from ultrarm_eval.data.rows import JsonLines, Location, Row
from ultrarm_eval.demo import DEMO_NAME, demo_data_path
from ultrarm_eval.exact_numbers import exact_number
from ultrarm_eval.sources.conversations import read_prompt
from ultrarm_eval.sources.message_fields import UnusableRowError, require_prose
from ultrarm_eval.sources.source import PairSource

FINE_GRAINED, OVERALL = "fine_grained", "overall"
ASPECTS = ("instruction_following", "honesty", "truthfulness", "helpfulness")
NOT_APPLICABLE = "N/A"
#: Allowed values of an aspect's rating and of overall scores.
ASPECT_RANGE, OVERALL_RANGE = (1, 5), (1, 10)

#: Why a completion is excluded from overall preferences: OpenBMB/UltraFeedback issue 8.
FALSE_TEN = "false_ten"
_ABOUT_FALSE_TENS = (
    "an overall score of 10 with aspect ratings of 2 or less on average is a known error of "
    "UltraFeedback's first version, where 10 stood for 1 (github.com/OpenBMB/UltraFeedback, "
    "issue 8). preference=overall excludes these completions; fine_grained is not affected. "
    "Corrected data: openbmb/UltraFeedback on the hub, revisions since 2023-12-29"
)
_FALSE_TEN_SCORE, _FALSE_TEN_MEAN = 10, 2
# The stored mean is rounded, in some files to two digits.
_STORED_MEAN_TOLERANCE = Fraction(1, 100)


def read_row(row: Row, _where: Location, counts: DataCounts) -> PromptRecord | None:
    """Reads one prompt.

    Args:
        row: A row of the raw schema.
        _where: Its place.
        counts: Receives what is excluded and why.

    Returns:
        The record; None if the row has no prompt or no text completion.
    """
    counts.add("rows")
    instruction, completions = row["instruction"], row["completions"]
    if instruction is None:
        counts.add("rows_left_out_prompt_not_text", why="field 'instruction' is null")
        return None
    try:
        asked = read_prompt(row, "instruction")
    except UnusableRowError as error:
        counts.add(f"rows_left_out_{error.reason}", why=str(error))
        return None
    asked.count(counts)
    if row.get("input"):
        counts.add(
            "rows_left_out_with_input",
            why=(
                "the row has both 'instruction' and 'input'. Merge them into 'instruction', as "
                "the models received them"
            ),
        )
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
    return PromptRecord(
        prompt=asked.prompt,
        completions=usable,
        source=read_name(row.get("source"), "sources_not_text", counts),
    )


def read_notes(row: Row) -> list[dict[str, str]]:
    """The rater's notes on each completion that is kept: its critique and its rationales.

    Also a completion's `principle`, the additional instruction that its model received.
    """
    completions = row.get("completions")
    if not isinstance(completions, Sequence) or isinstance(completions, str | bytes):
        return []
    kept = (one for one in completions if _read_completion(one, DataCounts()) is not None)
    return [_notes(completion) for completion in kept]


def _notes(completion: Mapping[str, Any]) -> dict[str, str]:
    notes = {name: completion.get(name) for name in ("principle", "critique")}
    annotations = completion.get("annotations")
    for aspect in ASPECTS:
        annotation = annotations.get(aspect) if isinstance(annotations, Mapping) else None
        if isinstance(annotation, Mapping):
            # Two aspects have a type with its own rationale in addition to the rating.
            reason, of_type = annotation.get("Rationale For Rating"), annotation.get("Rationale")
            notes[aspect] = of_type if reason is None else reason
            notes[f"{aspect}_type"] = None if reason is None else of_type
    return {name: text for name, text in notes.items() if isinstance(text, str) and text.strip()}


def _read_completion(completion: Any, counts: DataCounts) -> RatedCompletion | None:
    counts.add("completions")
    if not isinstance(completion, Mapping):
        counts.add("completions_left_out_not_text")
        return None
    response = completion.get("response")
    if not isinstance(response, str):
        counts.add("completions_left_out_not_text")
        return None
    try:
        require_prose(response, "response")
    except UnusableRowError as error:
        counts.add("completions_left_out_not_text", why=str(error))
        return None
    if not response:
        counts.add("completions_empty")
    ratings, is_false_ten = _read_ratings(completion, counts)
    return RatedCompletion(
        text=response,
        ratings=ratings,
        model=read_name(completion.get("model"), "models_not_text", counts),
        unusable_for={OVERALL: FALSE_TEN} if is_false_ten else {},
    )


def _read_ratings(
    completion: Mapping[str, Any], counts: DataCounts
) -> tuple[dict[str, Fraction], bool]:
    """A completion's ratings by name, and whether its overall score is a false ten."""
    annotations = completion.get("annotations")
    by_aspect = annotations if isinstance(annotations, Mapping) else {}
    ratings: dict[str, Fraction] = {}
    for aspect in ASPECTS:
        annotation = by_aspect.get(aspect)
        given = annotation.get("Rating") if isinstance(annotation, Mapping) else None
        rating = _read_number(given, ASPECT_RANGE, "ratings", counts, part=aspect)
        if rating is not None:
            ratings[aspect] = rating
    mean = _exact_mean(tuple(ratings.values()))
    overall = _read_number(completion.get("overall_score"), OVERALL_RANGE, "overall_scores", counts)
    if overall is not None:
        ratings[OVERALL] = overall
    if mean is None:
        counts.add("completions_without_aspect_ratings")
        return ratings, False
    ratings[FINE_GRAINED] = mean
    _check_stored_mean(completion.get("fine-grained_score"), mean, counts)
    is_false_ten = overall == _FALSE_TEN_SCORE and mean <= _FALSE_TEN_MEAN
    counts.add("overall_scores_false_tens", int(is_false_ten))
    return ratings, is_false_ten


def _read_number(
    given: Any,
    allowed: tuple[int, int],
    what: str,
    counts: DataCounts,
    part: str | None = None,
) -> Fraction | None:
    if given is None:
        counts.add(f"{what}_missing", part=part)
        return None
    if isinstance(given, str) and given.strip() == NOT_APPLICABLE:
        counts.add(f"{what}_not_applicable", part=part)
        return None
    value = exact_number(given)
    if value is None:
        counts.add(f"{what}_unreadable", part=part)
        return None
    if not allowed[0] <= value <= allowed[1]:
        counts.add(f"{what}_out_of_range", part=part)
        return None
    return value


def _check_stored_mean(stored: Any, mean: Fraction, counts: DataCounts) -> None:
    value = exact_number(stored)
    if value is None:
        counts.add("stored_means_missing" if stored is None else "stored_means_unreadable")
    elif abs(value - mean) > _STORED_MEAN_TOLERANCE:
        counts.add("stored_means_differing")


@functools.lru_cache(maxsize=4096)
def _exact_mean(values: tuple[Fraction, ...]) -> Fraction | None:
    return sum(values, Fraction(0)) / len(values) if values else None


RAW = PairSource(
    name="ultrafeedback",
    describes="instruction, completions (UltraFeedback's raw schema)",
    recognises=lambda columns: {"instruction", "completions"} <= columns,
    read_row=read_row,
    preferences=(FINE_GRAINED, OVERALL, *ASPECTS),
    aspects=ASPECTS,
    read_notes=read_notes,
    advice={
        f"completions_left_out_{FALSE_TEN}": _ABOUT_FALSE_TENS,
        "overall_scores_false_tens": _ABOUT_FALSE_TENS,
        "stored_means_differing": (
            "the stored fine-grained_score differs from the mean of the completion's aspect "
            "ratings; the mean is used"
        ),
    },
)
#: The bundled demo data, by the name `demo`.
DEMO = dataclasses.replace(
    RAW,
    name=DEMO_NAME,
    describes="the bundled synthetic data, in UltraFeedback's raw schema",
    # Never chosen by columns: the schema belongs to `ultrafeedback`, the name to the demo.
    recognises=lambda columns: False,
    open_rows=lambda: JsonLines(demo_data_path(), DEMO_NAME),
)
