"""The judge of a judged task, for the task's metadata in the results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ultrarm_eval.judges.base import Judge
from ultrarm_eval.judges.shared_judges import judge_facts
from ultrarm_eval.lm_eval_plugin.abstentions import unscored_answers


def judge_report(
    judge: Judge, samples: Sequence[Mapping[str, Any]], filter_name: str | None = None
) -> dict[str, Any]:
    """The judge's settings and counts, for a task's metadata in the results.

    Args:
        judge: The judge; its counts are those of this process.
        samples: The task's samples, of all processes; empty if samples are not logged.
        filter_name: The filter whose samples are counted, if there are several.
    """
    report: dict[str, Any] = {"judge_used": judge_facts(judge)}
    if samples:
        report["answers_without_score"] = unscored_answers(samples, filter_name)
    return report
