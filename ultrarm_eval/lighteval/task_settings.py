"""The settings of a judged task: judge, prompts and references."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ultrarm_eval.documents.judged_prompts import AlpacaEvalPrompts, PromptChoice, PromptSet
from ultrarm_eval.errors import ConfigurationError, unknown_choice
from ultrarm_eval.judges import DEFAULT_CHECKPOINT

#: The environment variable with the settings of this package's own tasks.
VARIABLE = "ULTRARM_EVAL_METADATA"
#: The default sources of the tasks' prompts.
TASKS: Mapping[str, PromptSet] = {
    "ultrafeedback_judge": PromptSet("openbmb/UltraFeedback", "train"),
    "alpaca_eval_ultrarm": AlpacaEvalPrompts("tatsu-lab/alpaca_eval", "eval"),
}
#: Judges trained on the prompts of a task.
IN_SAMPLE: Mapping[str, tuple[str, ...]] = {"ultrafeedback_judge": (DEFAULT_CHECKPOINT,)}


@dataclass(frozen=True)
class TaskSettings:
    """The settings of a judged task.

    Attributes:
        judge: The judge's checkpoint: a folder, a hub id, or `demo`; or the name of a judge.
        judge_args: The judge's settings; `judge` is its registered name.
        data: A file or folder of prompts, or a source's name; None for the task's own data set.
        data_revision: Hub revision of that data set.
        reference: The reference answers: a model's name, `best` or `median` by the data's ratings,
            a file of answers, or `none`; None for the task's default.
        preference: The rating used for `best` and `median`.
        limit: The number of prompts to use, from the first on; None for all.
        generation_size: The largest number of tokens of an answer.
    """

    judge: str = DEFAULT_CHECKPOINT
    judge_args: Mapping[str, Any] = field(default_factory=dict)
    data: str | None = None
    data_revision: str | None = None
    reference: str | None = None
    preference: str | None = None
    limit: int | None = None
    generation_size: int = 1024

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
            ConfigurationError: A value is not allowed.
        """
        for name in ("judge", "data", "data_revision", "reference", "preference"):
            value = getattr(self, name)
            may_be_none = name != "judge"
            if (value is None and may_be_none) or (isinstance(value, str) and value.strip()):
                continue
            raise ConfigurationError(f"{name}={value!r}: give a non-empty string.")
        if not isinstance(self.judge_args, Mapping):
            raise ConfigurationError(
                f"judge_args={self.judge_args!r}: give the judge's settings by name, for example "
                '{"dtype": "bfloat16", "device": "cuda:1"}.'
            )
        for name in ("limit", "generation_size"):
            value = getattr(self, name)
            if name == "limit" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigurationError(f"{name}={value!r}: give a whole number of at least 1.")
        if self.data is not None and self.data_revision is not None:
            raise ConfigurationError(
                f"data={self.data!r} and data_revision={self.data_revision!r}: a revision is "
                "only for data on the hub. Leave one of them out."
            )

    @property
    def prompts(self) -> PromptChoice:
        """The prompts and references they name."""
        return PromptChoice(
            self.data, self.data_revision, self.reference, preference=self.preference
        )


def checked_settings(given: Mapping[str, Any]) -> TaskSettings:
    """Settings by their names.

    Raises:
        ConfigurationError: A name is unknown, or a value is not allowed.
    """
    known = [one.name for one in dataclasses.fields(TaskSettings)]
    for name in given:
        if name not in known:
            raise unknown_choice("setting of a judged task:", name, known)
    return TaskSettings(**given)


def settings_of_environment() -> dict[str, Any]:
    """The settings of this package's own tasks from the environment variable.

    Raises:
        ConfigurationError: The variable is not a JSON object.
    """
    written = os.environ.get(VARIABLE, "").strip()
    if not written:
        return {}
    mend = 'write a JSON object, for example \'{"judge": "DIR", "reference": "best"}\'.'
    try:
        found = json.loads(written)
    except ValueError as error:
        raise ConfigurationError(
            f"{VARIABLE}={written!r:.200} is not valid JSON ({error}): {mend}"
        ) from error
    if not isinstance(found, dict):
        raise ConfigurationError(f"{VARIABLE}={written!r:.200} is not a JSON object: {mend}")
    return found
