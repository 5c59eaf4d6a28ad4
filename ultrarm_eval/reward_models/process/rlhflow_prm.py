"""RLHFlow's PRMs (RLHFlow/Llama3.1-8B-PRM-Mistral-Data, -Deepseek-Data): `+` answers each step.

Each step is a user turn, the first one after the question and a space, and the assistant's turn is
`+`. At the position that predicts it, the probability of `+` in a softmax over the logits of `+`
and `-` is the step's reward; the answer's reward is the mean over steps (RLHFlow/
RLHF-Reward-Modeling, math-rm/prm_evaluate.py and README, which split DeepSeek's answers at blank
lines). Their code runs one conversation per step; with a causal model, one conversation of all
steps gives the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ultrarm_eval.messages import Message
from ultrarm_eval.reward_models.process.process_model import question_of, token_id
from ultrarm_eval.reward_models.process.two_tokens import TwoTokenModel
from ultrarm_eval.text_format.step_encoder import StepForm
from ultrarm_eval.text_format.step_separators import Split, without_blanks
from ultrarm_eval.text_format.template import Template

_GOOD, _BAD = "+", "-"


class RLHFlowPRM(TwoTokenModel):
    """The checkpoint of RLHFlow's process reward models."""

    known_as = "RLHFlow's process reward model"
    reading = (
        "computed from its step rewards, each the probability of + versus - as the reply to the "
        "step"
    )
    language_models = frozenset({"LlamaForCausalLM"})
    published_name = re.compile(r"llama-?3(\.1)?-8b-prm-(mistral|deepseek)-data")
    layout, separator, aggregate = "rlhflow-prm", "blank-line", "mean"

    def sign_ids(self, tokenizer: Any, name: str) -> list[int]:
        """See `TwoTokenModel.sign_ids`."""
        return [token_id(tokenizer, sign, name) for sign in (_GOOD, _BAD)]

    def form(self, tokenizer: Any, template: Template, split: Split, name: str) -> StepForm:
        """See `ProcessModel.form`."""

        def converse(
            messages: Sequence[Message], steps: Sequence[str], end: str
        ) -> tuple[tuple[Message, ...], str]:
            said = [step.strip() for step in steps]
            said[0] = " ".join(filter(None, [question_of(messages, self.layout), said[0]]))
            users = [Message(role="user", content=step) for step in said]
            answer = Message(role="assistant", content=end)
            turns = [turn for user in users for turn in (user, answer)]
            return tuple(turns[:-1]), end

        good, _ = self.sign_ids(tokenizer, name)
        return StepForm(
            split=lambda text: without_blanks(split(text)),
            converse=converse,
            tag_id=good,
            offset=-1,
        )
