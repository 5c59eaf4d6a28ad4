"""Critiques that a language model writes, and the rewards read from them."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ultrarm_eval.engine.runner import PaddedRunner
from ultrarm_eval.engine.token_ids import TokenIds

_SEED_BYTES = 7


@dataclass(frozen=True)
class Sampling:
    """How critiques are written.

    Attributes:
        samples: Critiques of each answer.
        temperature: 0 for the likeliest tokens.
        max_new_tokens: The most tokens of a critique.
        seed: Of the samples; those of a text do not depend on the texts beside it.
    """

    samples: int
    temperature: float
    max_new_tokens: int
    seed: int


class CritiqueRunner(PaddedRunner):
    """A language model that writes critiques, text by text."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        sampling: Sampling,
        read: Callable[[TokenIds, Sequence[str]], float],
    ) -> None:
        """Prepares the model.

        Args:
            model: The language model, in evaluation mode.
            tokenizer: Its tokenizer.
            sampling: How critiques are written.
            read: The reward of a text, of what was written about it.
        """
        self.model, self._tokenizer, self._sampling = model, tokenizer, sampling
        self._read = read
        self._running = threading.Lock()

    def score_padded(self, texts: Sequence[TokenIds]) -> torch.Tensor:
        """The mean score of each text's critiques, float64; not a number where none is readable."""
        rewards = [self._read(ids, self.write(ids)) for ids in texts]
        return torch.tensor(rewards, dtype=torch.float64)

    def write(self, ids: TokenIds) -> list[str]:
        """Writes the critiques of one text."""
        sampling = self._sampling
        given = torch.from_numpy(ids.astype(np.int64)).to(self.model.device)[None]
        how: dict[str, Any] = {"do_sample": False}
        if sampling.temperature > 0:
            how = {"do_sample": True, "temperature": sampling.temperature, "top_k": 0, "top_p": 1.0}
        with self._running, torch.inference_mode(), self._seeded(ids):
            written = self.model.generate(
                input_ids=given,
                attention_mask=torch.ones_like(given),
                max_new_tokens=sampling.max_new_tokens,
                num_return_sequences=sampling.samples,
                pad_token_id=self._tokenizer.eos_token_id,
                **how,
            )
        return list(
            self._tokenizer.batch_decode(written[:, given.shape[1] :], skip_special_tokens=True)
        )

    @contextmanager
    def _seeded(self, ids: TokenIds) -> Iterator[None]:
        """Random numbers by the text alone; those of the rest of the process go on as they were."""
        digest = hashlib.blake2b(ids.tobytes(), digest_size=_SEED_BYTES)
        digest.update(str(self._sampling.seed).encode())
        # Seeding seeds every device.
        with torch.random.fork_rng(range(torch.cuda.device_count())):
            torch.manual_seed(int.from_bytes(digest.digest(), "big"))
            yield
