"""Encoding for models whose reward is read before the first padding token of a text."""

from __future__ import annotations

from typing import Any

from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.template import Template


class FirstPadEncoder(TextEncoder):
    """Encodes texts up to their first padding token.

    In a causal network, the output before that token equals the last output of the text that ends
    there. A text that begins with a padding token is read at its end, as in the published code,
    whose index -1 is the last token.
    """

    def __init__(
        self, tokenizer: Any, template: Template, *, pad_id: int | None, **options: Any
    ) -> None:
        """Prepares the tokenizer.

        Args:
            tokenizer: A fast Hugging Face tokenizer.
            template: How prompt and completion become one text.
            pad_id: The padding token; None if there is none.
            **options: As for `TextEncoder`.

        Raises:
            ConfigurationError: The template writes the padding token before the completion.
        """
        super().__init__(tokenizer, template, **options)
        self._pad_id = pad_id
        if pad_id is not None:
            self._require_completions_read(pad_id)

    def _require_completions_read(self, pad_id: int) -> None:
        first, second = self.encode(["question", "question"], ["yes", "no"])
        if first.tokens == second.tokens:
            raise ConfigurationError(
                f"template={self.template.name} writes the token {pad_id} before the completion, "
                "but config.json names it as the padding token, and this model's reward is "
                "computed before the first padding token: all completions of a prompt would get "
                "the same reward. Correct pad_token_id in a copy of the checkpoint, or use "
                "another template."
            )

    def _read_part(self, ids: list[int]) -> list[int]:
        ids = super()._read_part(ids)
        return ids[: ids.index(self._pad_id)] or ids if self._pad_id in ids else ids
