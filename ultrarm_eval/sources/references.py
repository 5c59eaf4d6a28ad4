"""Reference answers by the user's name for them: a model's name, `best`, `median`, or a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from ultrarm_eval.data.files import SUFFIXES
from ultrarm_eval.data.records import PromptRecord, RatedCompletion
from ultrarm_eval.rules import ComparisonRules
from ultrarm_eval.sources.answers import prompt_key, read_references
from ultrarm_eval.sources.preference_data import PreferenceData

#: References by rating; any other word is a model's name.
BEST, MEDIAN = "best", "median"
#: What a user calls no reference: answers get their rewards alone.
NO_REFERENCE = "none"

#: Gives a prompt's reference: the answer and who wrote it; None where there is none.
Reference: TypeAlias = Callable[[PromptRecord], tuple[str, str | None] | None]


def is_file(reference: str) -> bool:
    """Whether a reference is meant as a file, existing or not."""
    path = Path(reference)
    return path.suffix.lower() in SUFFIXES or path.is_file()


class AnswersOfFile:
    """The references of a file, by prompt."""

    def __init__(self, path: str) -> None:
        """Reads the file.

        Raises:
            DataError: It cannot be read, or a prompt has two answers.
        """
        self._answers = read_references(Path(path).expanduser())
        self._asked: set[str] = set()

    def __call__(self, record: PromptRecord) -> tuple[str, str | None] | None:
        """A prompt's reference."""
        prompt = prompt_key(record.prompt)
        self._asked.add(prompt)
        answer = self._answers.get(prompt)
        return None if answer is None else (answer, None)

    def unused(self) -> int:
        """The number of the file's prompts that were not used."""
        return len(self._answers.keys() - self._asked)


def stored_answer(reference: str, rules: ComparisonRules, data: PreferenceData) -> Reference:
    """Chooses references among the data's completions.

    Args:
        reference: `best`, `median`, or a model's name.
        rules: The rules with the preference for the first two.
        data: The data.

    Raises:
        ConfigurationError: The data does not have the preference.
    """
    by_rating = reference in (BEST, MEDIAN)
    preference = data.source.checked_preference(rules, data.origin) if by_rating else ""

    def find(record: PromptRecord) -> tuple[str, str | None] | None:
        found = choose_reference(record.completions, reference, preference)
        return None if found is None else (found.text, found.model)

    return find


def choose_reference(
    completions: Sequence[RatedCompletion], reference: str, preference: str
) -> RatedCompletion | None:
    """Chooses a prompt's reference among its completions.

    Args:
        completions: The prompt's completions.
        reference: `best` or `median` of the rated completions (for an even number the lower of the
            two in the middle, and the first of equal ones), or a model's name. Case is ignored if
            only one completion matches, because data sets write both `gpt-4` and `GPT-4`.
        preference: The rating used for `best` and `median`; completions whose rating is known to be
            wrong are excluded.

    Returns:
        The reference, or None if the prompt has none.
    """
    if reference in (BEST, MEDIAN):
        return _by_rating(completions, reference, preference)
    exact = [c for c in completions if c.model == reference]
    if exact:
        return exact[0]
    name = reference.casefold()
    similar = [c for c in completions if c.model is not None and c.model.casefold() == name]
    return similar[0] if len(similar) == 1 else None


def _by_rating(
    completions: Sequence[RatedCompletion], reference: str, preference: str
) -> RatedCompletion | None:
    rated = [
        (c.ratings[preference], c)
        for c in completions
        if preference in c.ratings and preference not in c.unusable_for
    ]
    if not rated:
        return None
    if reference == BEST:
        return max(rated, key=lambda pair: pair[0])[1]
    middle = sorted(rating for rating, _ in rated)[(len(rated) - 1) // 2]
    return next(c for rating, c in rated if rating == middle)
