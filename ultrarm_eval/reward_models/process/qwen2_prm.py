r"""Qwen2.5-Math-PRM (Qwen/Qwen2.5-Math-PRM-7B, -72B, Qwen2.5-Math-7B-PRM800K): two classes a step.

The token `<extra_0>` follows every step. There, a two-layer head outputs the logits of two classes,
and the probability of the second class is the step's reward. The text is rendered with the
tokenizer's chat template and the system turn of the model card's code. The paper scores an answer
by the product of its step rewards (arXiv 2501.07301, section 2.2); the card separates steps by
blank lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from ultrarm_eval.checkpoints.headed_decoder import Shapes
from ultrarm_eval.checkpoints.heads import head_of_shapes, part_shapes, perceptron
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.weight_map import WeightSource, under_other_prefix
from ultrarm_eval.messages import Message
from ultrarm_eval.reward_models.process.process_model import INNER, ProcessModel, token_id
from ultrarm_eval.reward_models.process.step_reward import ClassShare
from ultrarm_eval.text_format.jinja_template import CHAT_TEMPLATE
from ultrarm_eval.text_format.step_encoder import StepForm
from ultrarm_eval.text_format.step_separators import Split, without_blanks
from ultrarm_eval.text_format.template import Template

#: What ends a step.
STEP_END = "<extra_0>"
#: The system turn of a conversation that has none, from the model card.
SYSTEM = r"Please reason step by step, and put your final answer within \boxed{}."

_HEAD, _CLASSES, _GOOD = "score.", 2, 1


class Qwen2PRM(ProcessModel):
    """Qwen2.5-Math-PRM's checkpoint."""

    known_as = "Qwen2.5-Math-PRM"
    reading = (
        "computed from its step rewards, each the probability of the good class at the "
        f"{STEP_END} after the step"
    )
    # The second is its configuration class: Qwen2's with a dropout.
    classes = frozenset({"Qwen2ForProcessRewardModel", "Qwen2RMConfig"})
    families = frozenset({"qwen2"})
    layout, separator, aggregate = "qwen2-prm", "blank-line", "product"

    def head_weights(self, survey: Survey) -> Mapping[str, WeightSource]:
        """See `HeadedDecoder.head_weights`."""
        return under_other_prefix(perceptron(0, 2), _HEAD, INNER)

    def make_head(self, shapes: Shapes, config: Any) -> nn.Module:
        """See `HeadedDecoder.make_head`."""
        layers = part_shapes(shapes, INNER)
        head = head_of_shapes(layers, config.hidden_size, _CLASSES, name=_HEAD)
        return ClassShare(head, index=_GOOD)

    def form(self, tokenizer: Any, template: Template, split: Split, name: str) -> StepForm:
        """See `ProcessModel.form`."""

        def converse(
            messages: Sequence[Message], steps: Sequence[str], end: str
        ) -> tuple[tuple[Message, ...], str]:
            turns = tuple(messages)
            if turns and turns[0]["role"] != "system" and template.name == CHAT_TEMPLATE:
                turns = (Message(role="system", content=SYSTEM), *turns)
            return turns, "".join(step + end for step in steps)

        return StepForm(
            split=lambda answer: without_blanks(split(answer)),
            converse=converse,
            tag_id=token_id(tokenizer, STEP_END, name),
            tag=STEP_END,
        )
