"""Layouts of process reward models: how steps are written and scored."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from torch import nn

from ultrarm_eval.checkpoints.headed_decoder import HeadedDecoder
from ultrarm_eval.errors import CheckpointError, ConfigurationError
from ultrarm_eval.messages import Message
from ultrarm_eval.text_format.jinja_template import CHAT_TEMPLATE
from ultrarm_eval.text_format.step_encoder import StepForm
from ultrarm_eval.text_format.step_separators import Split
from ultrarm_eval.text_format.template import Template
from ultrarm_eval.text_format.template_lookup import get_template

INNER = "inner."


class ProcessModel(HeadedDecoder):
    """A layout of process reward models. The head gives the reward of a step at its end.

    Attributes:
        layout: Its name, one of `ultrarm_eval.settings.LAYOUTS`.
        separator: The default separator of steps in an answer that is one text.
        aggregate: How step rewards are aggregated by default.
    """

    layout: ClassVar[str]
    separator: ClassVar[str]
    aggregate: ClassVar[str]

    @abstractmethod
    def form(self, tokenizer: Any, template: Template, split: Split, name: str) -> StepForm:
        """How steps are rendered to a text.

        Args:
            tokenizer: The checkpoint's.
            template: Renders the turns.
            split: Splits an answer that is one text into steps.
            name: The checkpoint, for messages.

        Raises:
            CheckpointError: The tokenizer lacks the token that ends a step.
        """

    def own_template(self, tokenizer: Any, name: str) -> Template | None:
        """The one template that the layout has; None if it takes any.

        Args:
            tokenizer: The checkpoint's.
            name: The checkpoint, for messages.
        """
        return None

    def template(self, requested: str | None, tokenizer: Any, name: str) -> Template:
        """How turns are rendered to one text.

        Args:
            requested: The template that the user named; the layout's own, or `chat`, if None.
            tokenizer: The checkpoint's.
            name: The checkpoint, for messages.

        Raises:
            ConfigurationError: The layout requires another one, or the template cannot be used.
        """
        own = self.own_template(tokenizer, name)
        if own is None:
            return get_template(requested or CHAT_TEMPLATE, tokenizer)
        if requested not in (None, own.name):
            raise ConfigurationError(
                f"template={requested} cannot be combined with layout={self.layout}, which needs "
                f"template={own.name}. Remove template."
            )
        return own

    def at_last_token(self, head: nn.Module) -> nn.Module:
        """See `Architecture.at_last_token`.

        Raises:
            CheckpointError: Always, as each step has a reward.
        """
        raise CheckpointError(
            f"{self.known_as} computes a reward at the end of each step; engines that use only "
            "one token per text cannot compute it. Use engine=torch."
        )


def token_id(tokenizer: Any, text: str, name: str) -> int:
    """The id of the only token that a text is tokenized to.

    Args:
        tokenizer: The tokenizer.
        text: The text; special tokens by their names.
        name: The checkpoint, for messages.

    Raises:
        CheckpointError: The text is several tokens, or an unknown one.
    """
    ids = tokenizer.encode(text, add_special_tokens=False)
    if len(ids) != 1 or ids[0] == tokenizer.unk_token_id:
        raise CheckpointError(
            f"{name}: its tokenizer has no single token for {text!r}, which step rewards need: "
            "tokenizer and weights do not belong together, or layout is wrong."
        )
    return int(ids[0])


def question_of(messages: Sequence[Message], layout: str) -> str:
    """The question of a conversation of one user turn; empty if there is none.

    Raises:
        ConfigurationError: It has other turns.
    """
    roles = [message["role"] for message in messages]
    if roles not in ([], ["user"]):
        raise ConfigurationError(
            f"its turns are {', '.join(roles)}, and layout={layout} is trained on a single user "
            "question. system=fold puts a system turn in front of it, system=drop removes it; "
            "remove other turns from the data."
        )
    return messages[0]["content"] if messages else ""
