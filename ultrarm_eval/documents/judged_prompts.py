"""Which prompts a model answers and a judge scores, and what the answers are compared with."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ultrarm_eval.data.files import open_file
from ultrarm_eval.data.records import PromptRecord
from ultrarm_eval.data.rows import Shard
from ultrarm_eval.documents.reference import ReferenceDocuments
from ultrarm_eval.errors import DataError
from ultrarm_eval.plugins import registry
from ultrarm_eval.rules import ComparisonRules
from ultrarm_eval.sources.alpaca_eval import OUTPUTS, published_answers
from ultrarm_eval.sources.answers import read_answers
from ultrarm_eval.sources.preference_data import PreferenceData, open_hub, open_named_or_local
from ultrarm_eval.sources.prompts import PROMPTS
from ultrarm_eval.sources.references import (
    NO_REFERENCE,
    AnswersOfFile,
    Reference,
    is_file,
    stored_answer,
)
from ultrarm_eval.sources.source import PairSource

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PromptChoice:
    """What a run names; None leaves it to the prompt set.

    Attributes:
        data: A source's word, a file or a folder.
        data_revision: Hub revision of the prompt set's own data.
        reference: What answers are compared with: a model's name, `best` or `median` by the data's
            ratings, a file of answers, or `none`.
        preference: The rating that `best` and `median` go by.
        shard: The part of the data to read.
    """

    data: str | None = None
    data_revision: str | None = None
    reference: str | None = None
    preference: str | None = None
    shard: Shard | None = None


@dataclass(frozen=True)
class JudgedPrompts:
    """Prompts with their references.

    Attributes:
        documents: A document for each prompt.
        data: The data they are of.
        reference: What the user calls the reference; `none` where answers are compared with
            nothing.
    """

    documents: ReferenceDocuments
    data: PreferenceData
    reference: str

    @property
    def compares(self) -> bool:
        """Whether answers are compared with references."""
        return self.reference != NO_REFERENCE


@dataclass(frozen=True)
class PromptSet:
    """The prompts of preference data, and references among their answers.

    Attributes:
        dataset: The data set of the hub for a run that names no data.
        split: Its split.
        reference: The references of a run that names none.
        needs_reference: Whether prompts alone want a reference named, or are judged without one.
    """

    dataset: str
    split: str
    reference: str = "gpt-4"
    needs_reference: bool = True

    def read(self, choice: PromptChoice, task: str) -> JudgedPrompts:
        """Reads the prompts that a run names, and counts what is left out, and why.

        Args:
            choice: What the run names.
            task: What the task is called, for messages.

        Raises:
            UltrarmEvalError: There are no such data, they are malformed, or no prompt has the
                reference.
        """
        asked = choice.reference or self.reference
        data = self._prompts(choice, asked)
        name = self._checked_reference(choice, asked, data, task)
        reference = None if name == NO_REFERENCE else self._references(data, choice, name)
        documents = ReferenceDocuments(data, reference, name, shard=choice.shard)
        if isinstance(reference, AnswersOfFile):
            documents.counts.add("references_without_a_prompt", reference.unused())
        return JudgedPrompts(documents, data, name)

    def _prompts(self, choice: PromptChoice, reference: str) -> PreferenceData:
        """Opens the prompts the run names; the set's own data if it names none."""
        sources: Sequence[PairSource] = registry().sources()
        if choice.data is not None:
            # A file of prompts, with or without answers, is no preference data.
            return open_named_or_local(choice.data, self.split, [*sources, OUTPUTS, PROMPTS])
        return open_hub(self.dataset, self.split, choice.data_revision, sources)

    def _references(self, data: PreferenceData, choice: PromptChoice, reference: str) -> Reference:
        """What gives a prompt's reference: a file, or the data's own answers."""
        if is_file(reference):
            return AnswersOfFile(reference)
        return stored_answer(reference, ComparisonRules(choice.preference), data)

    def _checked_reference(
        self, choice: PromptChoice, name: str, data: PreferenceData, task: str
    ) -> str:
        """The reference that these data can have; none for prompts alone that need none."""
        if data.source is not PROMPTS or name == NO_REFERENCE or self._finds_elsewhere(name):
            return name
        if choice.reference is None and not self.needs_reference:
            logger.info(
                "%s: %s are prompts alone, so answers get their rewards and are compared with "
                "nothing (reference=%s).",
                task,
                data.origin,
                NO_REFERENCE,
            )
            return NO_REFERENCE
        raise DataError(
            f"{data.origin}: these are prompts alone, which have no answer {name!r} to compare "
            'with. Name a file of reference answers in the metadata, {"reference": "FILE"} (rows '
            "with 'instruction' and 'output', or 'prompt' and 'completion'), or ask for rewards "
            f'alone, {{"reference": "{NO_REFERENCE}"}}.'
        )

    def _finds_elsewhere(self, reference: str) -> bool:
        """Whether a reference is found elsewhere than in the data."""
        return is_file(reference)


@dataclass(frozen=True)
class AlpacaEvalPrompts(PromptSet):
    """AlpacaEval's prompts; without data of one's own, those of the reference file."""

    reference: str = "text_davinci_003"

    def _prompts(self, choice: PromptChoice, reference: str) -> PreferenceData:
        if choice.data is not None:
            return super()._prompts(choice, reference)
        # The prompts are the same whoever answered them.
        named = self.reference if reference == NO_REFERENCE else reference
        path = _answers_file(named, choice)
        # Every row with its own answer, also where two rows have one prompt.
        read_answers(path)
        return PreferenceData(open_file(path), OUTPUTS)

    def _finds_elsewhere(self, reference: str) -> bool:
        """They always come from a file."""
        return True

    def _references(self, data: PreferenceData, choice: PromptChoice, reference: str) -> Reference:
        if choice.data is None:
            return _own_answer
        return AnswersOfFile(str(_answers_file(reference, choice)))


def _answers_file(reference: str, choice: PromptChoice) -> Path:
    if is_file(reference):
        return Path(reference).expanduser()
    return published_answers(reference, choice.data_revision)


def _own_answer(record: PromptRecord) -> tuple[str, str | None]:
    (answer,) = record.completions
    return answer.text, answer.model


def warn_of_training(judge: str, task: str) -> None:
    """Says that a judge was trained on the prompts of a task.

    Args:
        judge: Its checkpoint.
        task: What the task is called.
    """
    logger.warning(
        "%s was trained on prompts of %s: its rewards there are in-sample, and the references "
        "among the answers it learnt from.",
        judge,
        task,
    )
