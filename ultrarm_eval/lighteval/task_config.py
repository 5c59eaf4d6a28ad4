"""lighteval's configuration of a judged task, whose data is read only when the task runs."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any, ClassVar

from lighteval.tasks.lighteval_task import LightevalTaskConfig

from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.lighteval.metrics import judged_metrics
from ultrarm_eval.lighteval.task_judging import TaskJudging
from ultrarm_eval.lighteval.task_prompts import SPLIT, prompt_of
from ultrarm_eval.lighteval.task_settings import TASKS, TaskSettings
from ultrarm_eval.sources.references import NO_REFERENCE


@dataclass
class JudgedTaskConfig(LightevalTaskConfig):  # type: ignore[misc, unused-ignore]
    """A judged task.

    Attributes:
        judging: The facts about the judging in the results, under `config_tasks`: the settings, the
            data with its counts, the judge with its fingerprint, and the number of abstentions.
    """

    judging: dict[str, Any] = field(default_factory=dict)
    # Set behind the constructor, which is lighteval's.
    _answers: ClassVar[TaskJudging | None] = None
    _is_run: ClassVar[bool] = False

    @property
    def hf_repo(self) -> str:  # type: ignore[override, unused-ignore]
        """The folder of the task's prompts, which is created now; its data set until it runs.

        Raises:
            UltrarmEvalError: Few-shot examples are requested, or the data or the judge cannot be
                used.
        """
        if self._answers is None or not self._is_run:
            return self._dataset
        if self.num_fewshots:
            raise ConfigurationError(
                f"{self.full_name}: this task has no few-shot examples. Use {self.name}|0."
            )
        return self._answers.folder()

    @hf_repo.setter
    def hf_repo(self, dataset: str) -> None:
        self._dataset = dataset

    def __deepcopy__(self, memo: dict[int, Any]) -> JudgedTaskConfig:
        """A copy to run: lighteval copies only the tasks that a run names."""
        copied = copy.copy(self)
        copied.__dict__.update(copy.deepcopy(self.__dict__, memo), _is_run=True)
        return copied

    def __str__(self, lite: bool = False) -> str:
        """A table of the fields.

        lighteval caches answers by the short table. It omits the judge, so that another judge can
        score the same cached answers.
        """
        if not lite:
            return str(super().__str__())
        shown = copy.copy(self)
        shown.judging = {}
        return str(LightevalTaskConfig.__str__(shown, lite=True))


def task_config(name: str, task: str, settings: TaskSettings) -> JudgedTaskConfig:
    """A judged task's configuration.

    Args:
        name: Its name.
        task: The name in `TASKS` whose prompts it has.
        settings: Its settings.
    """
    answers = TaskJudging(name, task, settings)
    config = JudgedTaskConfig(
        name=name,
        prompt_function=prompt_of,
        hf_repo=TASKS[task].dataset,
        hf_subset="default",
        metrics=judged_metrics(answers, compares=settings.reference != NO_REFERENCE),
        hf_avail_splits=[SPLIT],
        evaluation_splits=[SPLIT],
        few_shots_split=SPLIT,
        generation_size=settings.generation_size,
        stop_sequence=[],
        version=1,
        judging=answers.facts,
    )
    config.__dict__["_answers"] = answers
    return config
