"""Texts tokenised in portions, each while the model computes the one before."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ultrarm_eval.messages import Prompt
from ultrarm_eval.text_format.encoder import EncodedText, TextEncoder

# The model waits for the first portion alone, so that is small; the last are large enough for full
# batches. Tokenising is tens of times as fast as a 13B model on a GPU.
_SIZES = (256, 4096, 16_384)


@dataclass(frozen=True)
class Portion:
    """Texts that are planned together.

    Attributes:
        indices: Where they stand in what was asked for.
        texts: The texts, one for each index.
    """

    indices: Sequence[int]
    texts: Sequence[EncodedText]


def encoded_ahead(
    encoder: TextEncoder, prompts: Sequence[Prompt], completions: Sequence[str]
) -> Iterator[Portion]:
    """Encodes texts in portions; those of one prompt, which share it, stay together.

    One thread goes through all portions, without waiting for the model.

    Raises:
        UltrarmEvalError: A prompt or a completion cannot be encoded.
    """
    encoder.check(prompts, completions)

    def encode(indices: list[int]) -> Portion:
        some_prompts = [prompts[i] for i in indices]
        some_completions = [completions[i] for i in indices]
        return Portion(indices, list(encoder.encode(some_prompts, some_completions, indices)))

    with ThreadPoolExecutor(1, thread_name_prefix="encoding") as thread:
        futures = deque(thread.submit(encode, indices) for indices in _portions(prompts))
        try:
            while futures:
                portion = futures.popleft().result()
                # What is wrong with a later text is said as soon as it is known.
                for future in futures:
                    if future.done():
                        future.result()
                yield portion
        finally:
            for future in futures:
                future.cancel()


def _portions(prompts: Sequence[Prompt]) -> Iterator[list[int]]:
    by_prompt: dict[str | None, list[int]] = {}
    for index, prompt in enumerate(prompts):
        key = prompt if prompt is None or isinstance(prompt, str) else repr(prompt)
        by_prompt.setdefault(key, []).append(index)
    portion: list[int] = []
    sizes = iter(_SIZES)
    most = next(sizes)
    for indices in by_prompt.values():
        if portion and len(portion) + len(indices) > most:
            yield portion
            portion, most = [], next(sizes, most)
        portion.extend(indices)
    if portion:
        yield portion
