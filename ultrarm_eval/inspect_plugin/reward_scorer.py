"""The scorer `reward`: the reward of a model's answer, and its win rate over a reference."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from inspect_ai.model import ChatMessage
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import TaskState

from ultrarm_eval.errors import unknown_choice
from ultrarm_eval.inspect_plugin.conversation import as_prompt
from ultrarm_eval.inspect_plugin.errors import located_errors, prerequisite_errors
from ultrarm_eval.inspect_plugin.judge_arguments import as_text, scoring_queue
from ultrarm_eval.inspect_plugin.metrics import LENGTH_DIFFERENCE, length_controlled
from ultrarm_eval.inspect_plugin.references import References
from ultrarm_eval.inspect_plugin.score_details import explanation_of, metadata_of
from ultrarm_eval.judges.base import Judgement
from ultrarm_eval.messages import well_formed
from ultrarm_eval.metrics.win_rate import win_credit
from ultrarm_eval.sources.answers import prompt_key

#: The prompt of the answers: the sample's input, or all messages before the answer.
INPUT, MESSAGES = "input", "messages"
# Arguments that are not settings of a judge, to suggest corrections of misspelled names.
_ARGUMENTS = ("judge", "reference", "prompt", "kind", "judge_args")


@scorer(  # type: ignore[untyped-decorator, unused-ignore]
    metrics={
        "reward": [mean(), stderr()],
        "win_rate": [mean(), stderr()],
        "win_rate_length_controlled": [length_controlled()],
    }
)
def reward(
    judge: str | None = None,
    reference: str | None = None,
    prompt: str = INPUT,
    kind: str | None = None,
    judge_args: dict[str, Any] | None = None,
    **settings: Any,
) -> Scorer:
    """The reward of a model's answer; with a reference, also the win rate over it.

    Several choices of an output are averaged; epochs are combined by the reducer. A sample without
    output, or one on which the judge abstains, is unscored.

    Args:
        judge: The judge's checkpoint: a folder, a hub id, or `demo`; required.
        reference: The reference answers: `target`, a key of the samples' metadata, or a file with
            one answer per prompt.
        prompt: The prompt of the answer: the sample's `input`, as in the data, or `messages`,
            everything before the answer, including what solvers added.
        kind: The judge's registered name; None to let the checkpoint decide.
        judge_args: Settings of the judge whose names are also arguments here.
        **settings: All other settings of the judge.

    Raises:
        RunRefusedError: The judge, a setting or the reference cannot be used.
    """
    with prerequisite_errors():
        if prompt not in (INPUT, MESSAGES):
            raise unknown_choice("prompt", prompt, (INPUT, MESSAGES))
        queue = scoring_queue(judge, kind, judge_args, settings, _ARGUMENTS)
        named = as_text("reference", reference)
        references = None if named is None else References(named)
    judged_references: dict[tuple[str, str], Judgement] = {}

    async def score(state: TaskState, target: Target) -> Score:
        where = f"Sample {state.sample_id!r} (epoch {state.epoch})"
        if state.output.empty:
            return Score.unscored(reason="no_response", explanation="The sample has no output.")
        answers = [well_formed(choice.message.text) for choice in state.output.choices]
        with located_errors(where):
            turns = as_prompt(state.input if prompt == INPUT else before_answer(state))
        other = None if references is None else references.of(state, target, turns, where)
        # A reference is scored only once, over all epochs.
        key = (prompt_key(turns), other or "")
        texts = answers if other is None or key in judged_references else [*answers, other]
        found = await queue.judgements(turns, texts, where)
        if len(texts) > len(answers):
            judged_references[key] = found[-1]
        reference_judgement = None if other is None else judged_references[key]
        judged = JudgedOutput(answers, found[: len(answers)], other, reference_judgement)
        return judged.score(compared=references is not None, beside=queue.facts())

    return score


@dataclass(frozen=True)
class JudgedOutput:
    """A model's answers to a prompt, with the judgements of them and of their reference.

    Attributes:
        answers: The answers, at least one.
        judgements: The judgement of each.
        reference: The reference answer; None if there is none.
        reference_judgement: Its judgement.
    """

    answers: Sequence[str]
    judgements: Sequence[Judgement]
    reference: str | None
    reference_judgement: Judgement | None

    def score(self, *, compared: bool, beside: Mapping[str, Any]) -> Score:
        """The score of the sample.

        Args:
            compared: Whether answers are compared; a sample without a reference, or whose reference
                got no reward, then has a NaN win rate, which is excluded from its metrics and
                counted.
            beside: Further entries of its metadata.
        """
        names = ["answer"]
        if len(self.answers) > 1:
            names = [f"answer {number}" for number in range(1, len(self.answers) + 1)]
        by_name = dict(zip(names, self.judgements, strict=True))
        if self.reference_judgement is not None:
            by_name["reference"] = self.reference_judgement
        metadata = {**metadata_of(by_name), **beside}
        about = {"answer": self.answers[0], "explanation": explanation_of(by_name)}
        scored = [
            (answer, one.value)
            for answer, one in zip(self.answers, self.judgements, strict=True)
            if one.value is not None
        ]
        if not scored:
            about["explanation"] = about["explanation"] or "The judge gave the answer no score."
            return Score.unscored(reason="grader_failed", metadata=metadata, **about)
        value = {"reward": fmean(reward for _, reward in scored)}
        if compared:
            other = None if self.reference_judgement is None else self.reference_judgement.value
            win = math.nan
            if self.reference is not None and other is not None:
                win = fmean(win_credit(reward, other) for _, reward in scored)
                longer = [len(answer) - len(self.reference) for answer, _ in scored]
                metadata[LENGTH_DIFFERENCE] = fmean(longer)
            value |= {"win_rate": win, "win_rate_length_controlled": win}
        return Score(value=value, metadata=metadata, **about)


def before_answer(state: TaskState) -> list[ChatMessage]:
    """The messages before a sample's answer."""
    answer = state.output.choices[0].message
    for place in reversed(range(len(state.messages))):
        message = state.messages[place]
        if message.role == answer.role and (
            (answer.id is not None and message.id == answer.id) or message.text == answer.text
        ):
            return list(state.messages[:place])
    return list(state.messages)
