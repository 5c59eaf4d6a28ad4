"""The prompts of judged tasks, and the reference answers."""

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
    """A run's choices; None leaves one to the prompt set.

    Attributes:
        data: A source's name, a file or a folder.
        data_revision: Hub revision of the prompt set's own data.
        reference: The reference answers: a model's name, `best` or `median` by the data's ratings,
            a file of answers, or `none`.
        preference: The rating used for `best` and `median`.
        shard: The shard of the data to read.
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
        documents: One document per prompt.
        data: The data they come from.
        reference: The user's name for the reference; `none` if answers are not compared.
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
    """The prompts of preference data, with references from its answers.

    Attributes:
        dataset: The default data set on the hub.
        split: Its split.
        reference: The default reference.
        needs_reference: Whether prompts without answers need a named reference, or are judged
            without one.
    """

    dataset: str
    split: str
    reference: str = "gpt-4"
    needs_reference: bool = True

    def read(self, choice: PromptChoice, task: str) -> JudgedPrompts:
        """Reads a run's prompts, and counts what is excluded, and why.

        Args:
            choice: The run's choices.
            task: The task's name, for messages.

        Raises:
            UltrarmEvalError: The data does not exist or is malformed, or no prompt has the
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
        """Opens the run's prompts; the set's own data if the run names none."""
        sources: Sequence[PairSource] = registry().sources()
        if choice.data is not None:
            # A file of prompts, with or without answers, is no preference data.
            return open_named_or_local(choice.data, self.split, [*sources, OUTPUTS, PROMPTS])
        return open_hub(self.dataset, self.split, choice.data_revision, sources)

    def _references(self, data: PreferenceData, choice: PromptChoice, reference: str) -> Reference:
        """The source of references: a file, or the data's own answers."""
        if is_file(reference):
            return AnswersOfFile(reference)
        return stored_answer(reference, ComparisonRules(choice.preference), data)

    def _checked_reference(
        self, choice: PromptChoice, name: str, data: PreferenceData, task: str
    ) -> str:
        """The reference that this data can provide; `none` for prompts without answers."""
        if data.source is not PROMPTS or name == NO_REFERENCE or self._finds_elsewhere(name):
            return name
        if choice.reference is None and not self.needs_reference:
            logger.info(
                "%s: %s contains only prompts, so answers are scored but not compared "
                "(reference=%s).",
                task,
                data.origin,
                NO_REFERENCE,
            )
            return NO_REFERENCE
        raise DataError(
            f"{data.origin}: this data contains only prompts, so there is no answer {name!r} to "
            'compare with. Name a file of reference answers in the metadata, {"reference": '
            "\"FILE\"} (rows with 'instruction' and 'output', or 'prompt' and 'completion'), "
            f'or compute only rewards with {{"reference": "{NO_REFERENCE}"}}.'
        )

    def _finds_elsewhere(self, reference: str) -> bool:
        """Whether references come from outside the data."""
        return is_file(reference)


@dataclass(frozen=True)
class AlpacaEvalPrompts(PromptSet):
    """AlpacaEval's prompts; by default those of the reference file."""

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
    """Warns that a judge was trained on the prompts of a task.

    Args:
        judge: Its checkpoint.
        task: The task's name.
    """
    logger.warning(
        "%s was trained on the prompts of %s: its rewards there are in-sample, and the "
        "references are among its training answers.",
        judge,
        task,
    )
