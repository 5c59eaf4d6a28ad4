"""Reference answers by what a user calls them: a model's name, `best`, `median`, or a file."""

from __future__ import annotations

from pathlib import Path

from ultrarm_eval.data.files import SUFFIXES
from ultrarm_eval.data.opened import OpenedData
from ultrarm_eval.documents.reference_documents import Reference
from ultrarm_eval.metrics.references import BEST, MEDIAN, choose_reference
from ultrarm_eval.rules import ComparisonRules
from ultrarm_eval.sources.answers import prompt_key, read_references
from ultrarm_eval.sources.records import PromptRecord

#: What a user calls no reference: answers get their rewards alone.
NO_REFERENCE = "none"


def is_file(reference: str) -> bool:
    """Whether a reference is meant as a file, there or not."""
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
        """How many of the file's prompts were not asked for."""
        return len(self._answers.keys() - self._asked)


def stored_answer(reference: str, rules: ComparisonRules, data: OpenedData) -> Reference:
    """Chooses references among the completions that the data hold.

    Args:
        reference: `best`, `median`, or a model's name.
        rules: Whose preference the first two go by.
        data: The data.

    Raises:
        ConfigurationError: The data have no such preference.
    """
    by_rating = reference in (BEST, MEDIAN)
    preference = data.source.checked_preference(rules, data.origin) if by_rating else ""

    def find(record: PromptRecord) -> tuple[str, str | None] | None:
        found = choose_reference(record.completions, reference, preference)
        return None if found is None else (found.text, found.model)

    return find
