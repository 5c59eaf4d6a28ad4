"""AlpacaEval's prompts against a file of reference answers."""

from __future__ import annotations

from pathlib import Path

from ultrarm_eval.data.files import open_file
from ultrarm_eval.data.records import PromptRecord
from ultrarm_eval.lm_eval_plugin.judging_task import JudgingTask
from ultrarm_eval.lm_eval_plugin.metadata import TaskOptions
from ultrarm_eval.sources.alpaca_eval import OUTPUTS, published_answers
from ultrarm_eval.sources.answers import read_answers
from ultrarm_eval.sources.preference_data import PreferenceData
from ultrarm_eval.sources.references import NO_REFERENCE, AnswersOfFile, Reference, is_file


class AlpacaEvalTask(JudgingTask):
    """AlpacaEval's prompts; without data of one's own, those of the reference file."""

    default_reference = "text_davinci_003"

    def open_prompts(self, options: TaskOptions, reference: str) -> PreferenceData:
        """Opens the prompts the run names; those of the references if it names none."""
        if options.data is not None:
            return super().open_prompts(options, reference)
        # The prompts are the same whoever answered them.
        named = self.default_reference if reference == NO_REFERENCE else reference
        path = _answers_file(str(named), options)
        # Every row with its own answer, also where two rows have one prompt.
        read_answers(path)
        return PreferenceData(open_file(path), OUTPUTS)

    def finds_elsewhere(self, reference: str) -> bool:
        """They always come from a file."""
        return True

    def find_references(
        self, data: PreferenceData, options: TaskOptions, reference: str
    ) -> Reference:
        """The answers of the reference's file."""
        if options.data is None:
            return _own_answer
        return AnswersOfFile(str(_answers_file(reference, options)))


def _answers_file(reference: str, options: TaskOptions) -> Path:
    if is_file(reference):
        return Path(reference).expanduser()
    return published_answers(reference, options.data_revision)


def _own_answer(record: PromptRecord) -> tuple[str, str | None]:
    (answer,) = record.completions
    return answer.text, answer.model
