"""Encoding as in OpenRLHF: every text ends with EOS, and no BOS is added.

As in OpenRLHF's openrlhf/datasets/reward_dataset.py: trailing newlines are removed; a space and EOS
are appended unless the text ends with EOS; the tokenizer adds no special tokens; and the last token
id is set to EOS, whatever the tokenizer returned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ultrarm_eval.errors import CheckpointError
from ultrarm_eval.messages import Message
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.template import Template
from ultrarm_eval.text_format.text_renderer import TRIMMED_BY_TEMPLATE, TextRenderer

_LINE_END = "\n"


class _EosRenderer(TextRenderer):
    """Renders texts that end in the tokenizer's EOS."""

    def __init__(self, tokenizer: Any, template: Template, **options: Any) -> None:
        self._closing = str(tokenizer.eos_token)
        super().__init__(tokenizer, template, **options)

    def write(
        self,
        template: Template,
        messages: Sequence[Message],
        completion: str,
        spells: bool | None = None,
    ) -> tuple[str, tuple[str, ...]]:
        written, remarks = super().write(template, messages, completion, spells)
        # With special_tokens=text, an EOS that a prompt or answer contains is plain text.
        closing = self._closing
        if self.special_tokens != "parse":
            closing = self._literals.aliases.get(closing, closing)
        text = written.rstrip(_LINE_END)
        if completion in written and completion not in text:
            remarks = (*remarks, TRIMMED_BY_TEMPLATE)
        return (text if text.endswith(closing) else f"{text} {closing}"), remarks


class EosEncoder(TextEncoder):
    """Encodes texts that end in EOS exactly once."""

    _renderer_class = _EosRenderer

    def __init__(self, tokenizer: Any, template: Template, *, name: str, **options: Any) -> None:
        """Prepares the tokenizer.

        Args:
            tokenizer: A fast Hugging Face tokenizer.
            template: How prompt and completion become one text.
            name: The checkpoint, for messages.
            **options: As for `TextEncoder`.

        Raises:
            CheckpointError: The tokenizer has no EOS token.
        """
        if tokenizer.eos_token is None or tokenizer.eos_token_id is None:
            raise CheckpointError(
                f"{name}: its tokenizer names no EOS token, but the reward of this model is "
                "computed at the EOS after the text. Set eos_token in its tokenizer_config.json."
            )
        super().__init__(tokenizer, template, adds_bos=False, **options)

    def _suffix(self, ids: list[int], template: Template) -> list[int]:
        return []

    def _read_part(self, ids: list[int]) -> list[int]:
        # If EOS is not a special token of the tokenizer, its text is tokenized to other ids.
        return [*ids[:-1], self._eos]
