"""Runs a sequence classification model of any family through its own forward pass."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

import torch

from ultrarm_eval.engine.rows import padded_right
from ultrarm_eval.engine.runner import PaddedRunner
from ultrarm_eval.text_format.tokens import Tokens


class ClassifierRunner(PaddedRunner):
    """A model with one label; which token it uses, and how it pads, depends on its class."""

    def __init__(self, model: Any, *, has_token_types: bool = False) -> None:
        """Prepares the model.

        Args:
            model: The model, in evaluation mode.
            has_token_types: Whether token types tell the model which tokens belong to the second
                text; texts then state where that starts.
        """
        self.model = model
        self._has_token_types = has_token_types
        # FNet has no attention, and in some versions no mask.
        self._has_mask = "attention_mask" in inspect.signature(model.forward).parameters
        # A batch may set the model's padding token while it is computed.
        self._running = threading.Lock()

    def score_padded(self, texts: Sequence[Tokens]) -> torch.Tensor:
        """Rewards of texts padded on the right, under a mask.

        Returns:
            float32, shape (texts,).
        """
        with self._running, torch.inference_mode(), self._padding(texts) as padding_id:
            ids, mask = padded_right(texts, padding_id, self.model.device)
            inputs = {"input_ids": ids}
            if self._has_mask:
                inputs["attention_mask"] = mask
            if self._has_token_types:
                inputs["token_type_ids"] = _token_types([text.start or 0 for text in texts], mask)
            logits = self.model(**inputs).logits
        return logits.float().reshape(len(texts))  # type: ignore[no-any-return]

    @contextmanager
    def _padding(self, texts: Sequence[Tokens]) -> Iterator[int]:
        """The model's padding token; if it has none, one that no text of the batch contains.

        A decoder's class looks for the last token whose id is not the padding token's.
        """
        config = self.model.config
        configured = config.pad_token_id
        if configured is not None and 0 <= configured < config.vocab_size:
            yield configured
            return
        used = {token for text in texts for token in text}
        chosen = next(token for token in count() if token not in used)
        config.pad_token_id = chosen
        try:
            yield chosen
        finally:
            config.pad_token_id = configured


def _token_types(starts: Sequence[int], mask: torch.Tensor) -> torch.Tensor:
    """0 for the first text and padding, 1 for the second, in the mask's shape."""
    positions = torch.arange(mask.shape[1], device=mask.device)
    second = torch.tensor(starts, device=mask.device)[:, None]
    return (positions >= second).to(mask.dtype) * mask
