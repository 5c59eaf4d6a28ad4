"""What tasks whose answers are judged have in common, whatever their documents."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.judges.base import Judge, judge_name, statement
from ultrarm_eval.lm_eval_plugin.abstentions import unscored_answers

logger = logging.getLogger(__name__)


def judge_report(
    judge: Judge, samples: Sequence[Mapping[str, Any]], filter_name: str | None = None
) -> dict[str, Any]:
    """The judge and what it was given, for a task's metadata in the results.

    Args:
        judge: The judge; its counts are those of this process.
        samples: The task's samples, of all processes; none where they are not logged.
        filter_name: The filter whose samples are counted, where there are several.
    """
    report: dict[str, Any] = {
        "judge_used": {
            "name": judge_name(judge),
            **judge.settings(),
            **statement(judge),
            "fingerprint": judge.fingerprint(),
        },
    }
    if samples:
        report["answers_without_score"] = unscored_answers(samples, filter_name)
    return report


class EqualAnswers:
    """Watches for a model that writes one answer again and again, so that there is no pick."""

    def __init__(self) -> None:
        """Starts with nothing seen."""
        self._documents = self._equal = 0

    def look_at(self, answers: Sequence[str]) -> None:
        """Looks at the answers to one prompt."""
        self._documents += len(answers) > 1
        self._equal += len(answers) > 1 and len(set(map(str, answers))) == 1

    def report(self, task: str) -> None:
        """Warns where most prompts have one answer alone."""
        if 2 * self._equal > self._documents:
            logger.warning(
                "%s: to %d of %d prompts the model wrote the same answer every time, so there was "
                "nothing to pick from. Does it really sample? Models behind an interface may send "
                "a fixed seed with every request.",
                task,
                self._equal,
                self._documents,
            )


def require_sampling(config: Any) -> None:
    """Refuses several answers of a model that would write the same one again and again.

    Raises:
        ConfigurationError: The generation's arguments ask for the likeliest tokens.
    """
    how = config.generation_kwargs or {}
    temperature = how.get("temperature")
    greedy = not how.get("do_sample") or (temperature is not None and float(temperature) == 0)
    if int(config.repeats or 1) > 1 and greedy:
        raise ConfigurationError(
            f"{config.task}: {config.repeats} answers for each prompt would all be the same: its "
            f"generation_kwargs have do_sample={how.get('do_sample')} and temperature="
            f"{temperature}. Set do_sample=True and a temperature above 0 (--gen_kwargs), or n=1."
        )
