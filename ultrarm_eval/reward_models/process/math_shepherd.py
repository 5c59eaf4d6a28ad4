"""Math-Shepherd (peiyi9979/math-shepherd-mistral-7b-prm): P(`+`) at the token `ки` after a step.

The text is the question, a space, and one line per step, each followed by ` ки`. At that token, the
probability of `+` in a softmax over the logits of `+` and `-` is the step's reward (model card;
ssmisya/PRMBench, mr_eval/models/math_shepherd.py). Steps begin with `Step 1:` as in the training
data (peiyi9979/Math-Shepherd). The paper scores an answer by the minimum of its step rewards (arXiv
2312.08935, section 3.4).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ultrarm_eval.errors import CheckpointError
from ultrarm_eval.messages import Message
from ultrarm_eval.reward_models.process.process_model import question_of, token_id
from ultrarm_eval.reward_models.process.two_tokens import TwoTokenModel
from ultrarm_eval.text_format.step_encoder import StepForm
from ultrarm_eval.text_format.step_separators import Split, without_blanks
from ultrarm_eval.text_format.template import Template

#: What ends a step.
STEP_END = "ки"
_SIGNS = "+ -"


class MathShepherd(TwoTokenModel):
    """Math-Shepherd's checkpoint."""

    known_as = "Math-Shepherd"
    reading = (
        f"computed from its step rewards, each the probability of + versus - at the {STEP_END} "
        "after the step"
    )
    language_models = frozenset({"MistralForCausalLM"})
    published_name = re.compile("math-shepherd")
    layout, separator, aggregate = "math-shepherd", "step", "min"

    def sign_ids(self, tokenizer: Any, name: str) -> list[int]:
        """See `TwoTokenModel.sign_ids`; both with the space before them."""
        ids = list(tokenizer.encode(_SIGNS, add_special_tokens=False))
        if len(ids) != 2 or tokenizer.unk_token_id in ids:
            raise CheckpointError(
                f"{name}: its tokenizer has no single token for each sign in {_SIGNS!r}, which "
                "step rewards need: tokenizer and weights do not belong together, or layout is "
                "wrong."
            )
        return ids

    def own_template(self, tokenizer: Any, name: str) -> Template:
        """See `ProcessModel.own_template`."""

        def render(messages: Sequence[Message], completion: str) -> str:
            return f"{question_of(messages, self.layout)} {completion}"

        return Template(self.layout, render, source=self.layout)

    def form(self, tokenizer: Any, template: Template, split: Split, name: str) -> StepForm:
        """See `ProcessModel.form`; a step that ends with the tag, as in its data, gets no other."""

        def converse(
            messages: Sequence[Message], steps: Sequence[str], end: str
        ) -> tuple[tuple[Message, ...], str]:
            question_of(messages, self.layout)
            return tuple(messages), "\n".join(f"{step.strip()} {STEP_END}{end}" for step in steps)

        def split_untagged(answer: str) -> list[str]:
            return without_blanks([step.rstrip().removesuffix(STEP_END) for step in split(answer)])

        self.sign_ids(tokenizer, name)
        return StepForm(
            split=split_untagged,
            converse=converse,
            tag_id=token_id(tokenizer, STEP_END, name),
            writes_tag=True,
            tag=STEP_END,
        )
