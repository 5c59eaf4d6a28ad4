"""Texts that a language model writes, and the rewards that a judge reads from them."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from ultrarm_eval.engine.runner import PaddedRunner
from ultrarm_eval.text_format.tokens import Tokens

_SEED_BYTES = 7


@dataclass(frozen=True)
class Sampling:
    """How texts are written.

    Attributes:
        samples: What is written behind each text, so many times.
        temperature: 0 for the likeliest tokens.
        max_new_tokens: The most tokens of a sample.
        seed: Of the samples; those of a text do not depend on the texts beside it.
    """

    samples: int
    temperature: float
    max_new_tokens: int
    seed: int


class GenerationRunner(PaddedRunner):
    """A language model that writes behind each text."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        sampling: Sampling,
        read: Callable[[Tokens, tuple[str, ...]], float],
    ) -> None:
        """Prepares the model.

        Args:
            model: The language model, in evaluation mode.
            tokenizer: Its tokenizer.
            sampling: How it writes.
            read: The reward of a text, from what was written behind it.
        """
        self.model, self._tokenizer, self._sampling = model, tokenizer, sampling
        self._read = read
        self.written = 0
        self._running = threading.Lock()

    def score_padded(self, texts: Sequence[Tokens]) -> torch.Tensor:
        """The rewards that are read of what is written, float64, shape (texts,)."""
        rewards = [self._read(text, self.write(text)) for text in texts]
        return torch.tensor(rewards, dtype=torch.float64)

    def write(self, text: Tokens) -> tuple[str, ...]:
        """Writes behind one text, as many samples as are wanted."""
        sampling = self._sampling
        given = torch.from_numpy(text.ids.astype("int64")).to(self.model.device)[None]
        how: dict[str, Any] = {"do_sample": False}
        if sampling.temperature > 0:
            how = {"do_sample": True, "temperature": sampling.temperature, "top_k": 0, "top_p": 1.0}
        with self._running, torch.inference_mode(), self._seeded(text):
            found = self.model.generate(
                input_ids=given,
                attention_mask=torch.ones_like(given),
                max_new_tokens=sampling.max_new_tokens,
                num_return_sequences=sampling.samples,
                pad_token_id=self._tokenizer.eos_token_id,
                **how,
            )
        written = found[:, given.shape[1] :]
        self.written += written.numel()
        return tuple(self._tokenizer.batch_decode(written, skip_special_tokens=True))

    @contextmanager
    def _seeded(self, text: Tokens) -> Iterator[None]:
        """Random numbers by the text alone; those of the rest of the process go on as they were."""
        digest = hashlib.blake2b(text.packed, digest_size=_SEED_BYTES)
        digest.update(str(self._sampling.seed).encode())
        # Seeding seeds every device.
        with torch.random.fork_rng(range(torch.cuda.device_count())):
            torch.manual_seed(int.from_bytes(digest.digest(), "big"))
            yield
