"""Runs a causal language model of any family for the logit of one token, or of two."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import torch

from ultrarm_eval.engine.rows import padded_right
from ultrarm_eval.engine.runner import PaddedRunner
from ultrarm_eval.text_format.tokens import Tokens

_PADDING_ID = 0


class TokenLogitRunner(PaddedRunner):
    """A language model; the reward is the logit of one or two tokens at a text's last token."""

    def __init__(self, model: Any, token: int, contrast: int | None) -> None:
        """Prepares the model.

        Args:
            model: The language model, in evaluation mode.
            token: The token whose logit is the reward.
            contrast: A second token, whose logit is subtracted.
        """
        self.model = model
        self._token, self._contrast = token, contrast
        self._running = threading.Lock()

    def score_padded(self, texts: Sequence[Tokens]) -> torch.Tensor:
        """Rewards of texts padded on the right, under a mask.

        Returns:
            float32, shape (texts,).
        """
        with self._running, torch.inference_mode():
            ids, mask = padded_right(texts, _PADDING_ID, self.model.device)
            logits = self.model(input_ids=ids, attention_mask=mask, use_cache=False).logits
            return self._read(logits[range(len(texts)), [len(text) - 1 for text in texts]])

    def score_after_tokens(self, text: Tokens) -> torch.Tensor:
        """Rewards of every prefix of a text, float32, shape (tokens,)."""
        with self._running, torch.inference_mode():
            ids, mask = padded_right([text], _PADDING_ID, self.model.device)
            logits = self.model(input_ids=ids, attention_mask=mask, use_cache=False).logits[0]
            return self._read(logits)

    def _read(self, logits: torch.Tensor) -> torch.Tensor:
        """The rewards from logits (texts, vocabulary)."""
        found = logits[:, self._token].float()
        return found if self._contrast is None else found - logits[:, self._contrast].float()
