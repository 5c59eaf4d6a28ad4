"""Skywork-o1-Open-PRM (Skywork/Skywork-o1-Open-PRM-Qwen-2.5-1.5B, -7B): a value at each newline.

BOS, the problem and a newline are tokenized together; then every step is tokenized separately and
followed by the token of a newline. There is no chat template. The sigmoid of the value at that
newline is the step's reward (SkyworkAI/skywork-o1-prm-inference, model_utils/io_utils.py and
prm_model.py, which split answers at newlines and keep empty lines as steps). Their public code does
not aggregate the step rewards; the minimum is used here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from ultrarm_eval.checkpoints.headed_decoder import Shapes
from ultrarm_eval.checkpoints.heads import head_of_shapes, part_shapes
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.weight_map import WeightSource, under_other_prefix
from ultrarm_eval.errors import CheckpointError
from ultrarm_eval.messages import Message
from ultrarm_eval.reward_models.process.process_model import (
    INNER,
    ProcessModel,
    question_of,
    token_id,
)
from ultrarm_eval.reward_models.process.step_reward import Sigmoid
from ultrarm_eval.text_format.step_encoder import StepForm
from ultrarm_eval.text_format.step_separators import Split
from ultrarm_eval.text_format.template import Template

_HEAD = "v_head.summary."


class SkyworkPRM(ProcessModel):
    """Skywork-o1-Open-PRM's checkpoint."""

    known_as = "Skywork-o1-Open-PRM"
    reading = (
        "computed from its step rewards, each the sigmoid of the value head at the newline after "
        "the step"
    )
    classes = frozenset({"Qwen2ForPrmModel"})
    families = frozenset({"qwen2"})
    layout, separator, aggregate = "skywork-prm", "line", "min"

    def head_weights(self, survey: Survey) -> Mapping[str, WeightSource]:
        """See `HeadedDecoder.head_weights`."""
        return under_other_prefix(("weight", "bias"), _HEAD, INNER)

    def make_head(self, shapes: Shapes, config: Any) -> nn.Module:
        """See `HeadedDecoder.make_head`."""
        return Sigmoid(head_of_shapes(part_shapes(shapes, INNER), config.hidden_size, name=_HEAD))

    def own_template(self, tokenizer: Any, name: str) -> Template:
        """See `ProcessModel.own_template`."""
        bos = tokenizer.bos_token
        if bos is None:
            raise CheckpointError(
                f"{name}: its tokenizer names no bos_token, but texts of this layout begin with "
                "it. Set bos_token in tokenizer_config.json."
            )

        def render(messages: Sequence[Message], completion: str) -> str:
            return f"{bos}{question_of(messages, self.layout)}\n{completion}"

        return Template(self.layout, render, writes_special_tokens=True, source=self.layout)

    def form(self, tokenizer: Any, template: Template, split: Split, name: str) -> StepForm:
        """See `ProcessModel.form`."""

        def converse(
            messages: Sequence[Message], steps: Sequence[str], end: str
        ) -> tuple[tuple[Message, ...], str]:
            question = Message(role="user", content=question_of(messages, self.layout))
            return (question,), "".join(step + end for step in steps)

        return StepForm(split=split, converse=converse, tag_id=token_id(tokenizer, "\n", name))
