"""Encodes texts in portions, each while the model computes the previous one; equal texts once."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ultrarm_eval.messages import Prompt
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.tokens import EncodedText, Tokens

# The model waits only for the first portion, so that is small; later ones are large enough for full
# batches. Tokenizing is tens of times as fast as a 13B model on a GPU.
_SIZES = (256, 4096, 16_384)
# Bytes that identify texts of earlier portions: their token ids need not be kept.
_DIGEST = 16


@dataclass(frozen=True)
class Portion:
    """Texts planned together.

    Attributes:
        texts: Each requested text.
        new: The distinct ones that are not in an earlier portion, and where each was requested.
        again: The others: where each was requested, and where its tokens occurred first.
    """

    texts: Sequence[EncodedText]
    new: dict[Tokens, list[int]]
    again: list[tuple[int, int]]


def portions(
    encoder: TextEncoder, prompts: Sequence[Prompt], completions: Sequence[str]
) -> Iterator[Portion]:
    """Encodes texts in portions; texts with the same prompt stay together.

    One thread goes through all portions, without waiting for the model.

    Raises:
        UltrarmEvalError: A prompt or a completion cannot be encoded.
    """
    first: dict[bytes, int] = {}
    for indices, texts in _encoded_ahead(encoder, prompts, completions):
        new: dict[Tokens, list[int]] = {}
        again: list[tuple[int, int]] = []
        for index, text in zip(indices, texts, strict=True):
            if text.tokens in new:
                new[text.tokens].append(index)
                continue
            digest = hashlib.blake2b(text.tokens.identity, digest_size=_DIGEST).digest()
            before = first.setdefault(digest, index)
            if before == index:
                new[text.tokens] = [index]
            else:
                again.append((index, before))
        yield Portion(texts, new, again)


def _encoded_ahead(
    encoder: TextEncoder, prompts: Sequence[Prompt], completions: Sequence[str]
) -> Iterator[tuple[list[int], list[EncodedText]]]:
    encoder.check(prompts, completions)

    def encode(indices: list[int]) -> tuple[list[int], list[EncodedText]]:
        some_prompts = [prompts[i] for i in indices]
        some_completions = [completions[i] for i in indices]
        return indices, list(encoder.encode(some_prompts, some_completions, indices))

    with ThreadPoolExecutor(1, thread_name_prefix="encoding") as thread:
        futures = deque(thread.submit(encode, indices) for indices in _indices(prompts))
        try:
            while futures:
                encoded = futures.popleft().result()
                # An error of a later text is raised as soon as it is known.
                for future in futures:
                    if future.done():
                        future.result()
                yield encoded
        finally:
            for future in futures:
                future.cancel()


def _indices(prompts: Sequence[Prompt]) -> Iterator[list[int]]:
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
