"""The scorer `preference`: how a judge ranks the rated answers of a prompt."""

from __future__ import annotations

from typing import Any

from inspect_ai.scorer import Metric, Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import TaskState

from ultrarm_eval.benchmarks.measurement import PreferenceMeasurement
from ultrarm_eval.inspect_plugin.errors import located_errors, prerequisite_errors
from ultrarm_eval.inspect_plugin.judge_arguments import scoring_queue
from ultrarm_eval.inspect_plugin.metrics import PROMPT, by_category, stderr_by_category
from ultrarm_eval.inspect_plugin.preference_samples import as_document, letter
from ultrarm_eval.inspect_plugin.score_details import explanation_of, metadata_of

# The metric's name in inspect_ai, and its name among the metrics of a prompt.
_FIGURES = {"acc": "acc", "margin": "margin", "tie": "tie_rate"}
# Arguments that are not settings of a judge, to suggest corrections of misspelled names.
_ARGUMENTS = ("judge", "kind", "judge_args")


def _metrics() -> list[Metric]:
    return [mean(), stderr(cluster=PROMPT), by_category(), stderr_by_category()]


@scorer(  # type: ignore[untyped-decorator, unused-ignore]
    metrics={figure: _metrics() for figure in _FIGURES}, name="preference"
)
def preference_scorer(
    judge: str | None = None,
    kind: str | None = None,
    judge_args: dict[str, Any] | None = None,
    **settings: Any,
) -> Scorer:
    """The share of a prompt's pairs that a judge ranks correctly, their margin, and ties.

    It reads samples of the task `preference`, also from a log of another judge. A prompt with too
    few scored answers is unscored.

    Args:
        judge: The judge's checkpoint: a folder, a hub id, or `demo`; required.
        kind: The judge's registered name; None to let the checkpoint decide.
        judge_args: Settings of the judge whose names are also arguments here.
        **settings: All other settings of the judge.

    Raises:
        RunRefusedError: The judge or a setting cannot be used.
    """
    with prerequisite_errors():
        queue = scoring_queue(judge, kind, judge_args, settings, _ARGUMENTS)

    async def score(state: TaskState, target: Target) -> Score:
        where = f"Sample {state.sample_id!r}"
        with located_errors(where):
            document, rules = as_document(state)
            measurement = PreferenceMeasurement(rules, (), ())
            asked = measurement.completions_to_score(document)
        found = await queue.judgements(
            document.prompt, [document.completions[i] for i in asked], where
        )
        judged = {letter(i): one for i, one in zip(asked, found, strict=True)}
        rewards = {
            i: one.value for i, one in zip(asked, found, strict=True) if one.value is not None
        }
        metadata = {**metadata_of(judged), **queue.facts()}
        written = explanation_of(judged)
        with located_errors(where):
            measured = measurement.measure(document, rewards)
        if measured is None:
            said = "The judge scored too few of the answers: no pair is left."
            return Score.unscored(
                reason="grader_failed",
                explanation="\n\n".join(text for text in (said, written) if text),
                metadata=metadata,
            )
        return Score(
            value={figure: measured[name] for figure, name in _FIGURES.items()},
            answer=", ".join(
                letter(i) for i, one in rewards.items() if one == max(rewards.values())
            ),
            explanation=written,
            metadata=metadata,
        )

    return score
