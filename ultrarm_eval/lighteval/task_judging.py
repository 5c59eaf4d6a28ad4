"""Judges a model's answers in a lighteval run once for all metrics."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lighteval.models.model_output import ModelResponse
from lighteval.tasks.requests import Doc

from ultrarm_eval.documents.document import Document
from ultrarm_eval.documents.judged_prompts import warn_of_training
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.judges.base import Judge, Judgement
from ultrarm_eval.judges.judged_answers import judge_answers
from ultrarm_eval.judges.judgements import check_texts
from ultrarm_eval.judges.kept_answers import answers_not_judged
from ultrarm_eval.judges.shared_judges import judge_facts, shared_judge
from ultrarm_eval.lighteval.task_prompts import document_of, folder_of, warn_of_conversations
from ultrarm_eval.lighteval.task_settings import IN_SAMPLE, TASKS, TaskSettings
from ultrarm_eval.messages import Prompt

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class JudgedAnswer:
    """An answer and its reference, with their judgements.

    Attributes:
        answer: The model's answer.
        judgement: Its judgement.
        reference: The reference answer, if there is one.
        reference_judgement: The reference's judgement.
    """

    answer: str
    judgement: Judgement
    reference: str | None = None
    reference_judgement: Judgement | None = None


class Facts(dict[str, Any]):
    """The facts about a task's judging in the results, filled in as they become known.

    lighteval copies configurations; the copies share this object.
    """

    def __deepcopy__(self, memo: Any) -> Facts:
        return self


class TaskJudging:
    """A task's prompts, its judge, and the judgements of a run's answers.

    lighteval computes the metrics of a task one after the other, and copies them with each
    configuration: all of them share this object.

    Attributes:
        facts: Its entries in the results.
    """

    def __init__(self, name: str, task: str, settings: TaskSettings) -> None:
        """Stores the arguments; nothing is read yet.

        Args:
            name: The task's name.
            task: The name in `TASKS` whose prompts it has.
            settings: Its settings.
        """
        self._name, self._task, self._settings = name, task, settings
        self.facts = Facts(settings={**asdict(settings), "judge_args": dict(settings.judge_args)})
        self._folder: Path | None = None
        self._known: tuple[list[tuple[str, str]], list[JudgedAnswer]] | None = None

    def __deepcopy__(self, memo: Any) -> TaskJudging:
        return self

    @property
    def judge(self) -> Judge:
        """The judge; its weights are loaded with the first text."""
        return shared_judge(self._settings.judge, self._settings.judge_args)

    def folder(self) -> str:
        """Reads the prompts, lets the judge check them, and returns the folder that contains them.

        Raises:
            UltrarmEvalError: The data or the judge cannot be used.
        """
        if self._folder is None:
            self._folder = self._read()
        return str(self._folder)

    def _read(self) -> Path:
        settings = self._settings
        found = TASKS[self._task].read(settings.prompts, self._name)
        documents = found.documents[: settings.limit]
        counts = found.documents.counts.as_dict()
        logger.info("%s: %s", self._name, ", ".join(f"{k}={n}" for k, n in counts.items()))
        for remark in found.documents.remarks():
            logger.warning("%s: %s", self._name, remark)
        warn_of_conversations(documents, self._name)
        if settings.judge in IN_SAMPLE.get(self._task, ()):
            warn_of_training(settings.judge, self._name)
        check_texts(self.judge, ((d.prompt, "", d.where) for d in documents))
        self.facts |= {
            "data_used": found.data.origin,
            "data_schema": found.data.source.name,
            "reference": found.reference,
            "counts": counts,
            "documents_used": len(documents),
        }
        return folder_of(documents)

    def judged(self, docs: Sequence[Doc], responses: Sequence[ModelResponse]) -> list[JudgedAnswer]:
        """The judgements of a run's answers; the same answers are judged only once.

        Args:
            docs: The documents of the run.
            responses: The model's response to each of them.

        Raises:
            AnswersNotJudgedError: The judge failed; the answers are kept in a file.
            ConfigurationError: A prompt has several answers.
        """
        answers = [_answer(response) for response in responses]
        asked = [(doc.id, answer) for doc, answer in zip(docs, answers, strict=True)]
        if self._known is not None and self._known[0] == asked:
            return self._known[1]
        # In the order of the data, which lighteval shuffles: batches are then what they are in any
        # other harness.
        order = sorted(range(len(docs)), key=lambda place: int(docs[place].id))
        documents = [document_of(docs[place]) for place in order]
        in_order = self._judged(documents, [answers[place] for place in order])
        judged = [one for _, one in sorted(zip(order, in_order, strict=True), key=_place)]
        self.facts |= {
            "judge_used": judge_facts(self.judge),
            "answers_without_score": sum(one.judgement.unscored for one in judged),
            "references_without_score": sum(
                one.reference_judgement is not None and one.reference_judgement.unscored
                for one in judged
            ),
        }
        self._known = (asked, judged)
        return judged

    def _judged(self, documents: Sequence[Document], answers: Sequence[str]) -> list[JudgedAnswer]:
        prompts: list[Prompt] = [document.prompt for document in documents]
        references = [document.reference for document in documents]
        of_prompts = [[answer] for answer in answers]
        try:
            found = judge_answers(self.judge, prompts, of_prompts, references)
        except Exception as error:
            # Whatever it was: hours of writing are not to be lost with it.
            failure = answers_not_judged(
                error,
                prompts,
                of_prompts,
                references,
                self._settings.judge,
                self._settings.judge_args,
            )
            raise failure from error
        return [
            JudgedAnswer(answer, judged.answers[0], reference, judged.reference)
            for answer, reference, judged in zip(answers, references, found, strict=True)
        ]


def _place(one: tuple[int, JudgedAnswer]) -> int:
    return one[0]


def _answer(response: ModelResponse) -> str:
    """The model's answer; a missing one becomes an empty answer.

    Raises:
        ConfigurationError: There are several answers.
    """
    texts = response.final_text
    if len(texts) > 1:
        raise ConfigurationError(
            f"A prompt has {len(texts)} answers, but these tasks judge only one. Leave "
            "num_samples out of the metric options."
        )
    return (texts[0] if texts else "") or ""
