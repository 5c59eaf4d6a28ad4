"""Generates texts with a language model, and computes rewards from them."""

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
    """How texts are generated.

    Attributes:
        samples: The number of samples per text.
        temperature: 0 for greedy decoding.
        max_new_tokens: The maximum number of tokens per sample.
        seed: Random seed; the samples of a text do not depend on the other texts.
    """

    samples: int
    temperature: float
    max_new_tokens: int
    seed: int


class GenerationRunner(PaddedRunner):
    """A language model that continues each text."""

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
            read: Computes the reward of a text from its samples.
        """
        self.model, self._tokenizer, self._sampling = model, tokenizer, sampling
        self._read = read
        self.written = 0
        self._running = threading.Lock()

    def score_padded(self, texts: Sequence[Tokens]) -> torch.Tensor:
        """The rewards computed from the samples, float64, shape (texts,)."""
        rewards = [self._read(text, self.write(text)) for text in texts]
        return torch.tensor(rewards, dtype=torch.float64)

    def write(self, text: Tokens) -> tuple[str, ...]:
        """Generates all samples of one text."""
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
        """Random numbers that depend only on the text; the process's own random state is kept."""
        digest = hashlib.blake2b(text.packed, digest_size=_SEED_BYTES)
        digest.update(str(self._sampling.seed).encode())
        # Seeding seeds every device.
        with torch.random.fork_rng(range(torch.cuda.device_count())):
            torch.manual_seed(int.from_bytes(digest.digest(), "big"))
            yield
