"""Encoding for models that are read at the end of the prompt and at the last token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ultrarm_eval.errors import CheckpointError, ScoringError
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.template import Template


class PromptEndEncoder(TextEncoder):
    """Encodes texts, and finds where the last assistant turn begins."""

    def __init__(
        self, tokenizer: Any, template: Template, *, turn: str, name: str, **options: Any
    ) -> None:
        """Prepares the tokenizer.

        Args:
            tokenizer: A fast Hugging Face tokenizer.
            template: How prompt and completion become one text.
            turn: The text that the model's chat template writes between the content of the prompt
                and the completion, special tokens included.
            name: The checkpoint, for messages.
            **options: As for `TextEncoder`.

        Raises:
            CheckpointError: The tokenizer lacks the special tokens in `turn`.
        """
        super().__init__(tokenizer, template, **options)
        self._turn = tokenizer.encode(turn, add_special_tokens=False)
        self._named = turn
        if tokenizer.decode(self._turn, skip_special_tokens=True) == turn:
            raise CheckpointError(
                f"{name}: its tokenizer has no special tokens for {turn!r}, which separate the "
                "prompt from the completion: it does not belong to these weights."
            )

    def _reads(self, ids: Sequence[int], number: int) -> tuple[int, ...]:
        turn = self._turn
        for start in range(len(ids) - len(turn) - 1, -1, -1):
            if list(ids[start : start + len(turn)]) == turn:
                return start, len(ids) - 1
        raise ScoringError(
            f"Text {number} does not contain {self._named!r}, where this model reads the prompt: "
            f"the template writes no such turn, or truncation to max_length={self.max_length} "
            "removed it. Remove template, or set a larger max_length."
        )
