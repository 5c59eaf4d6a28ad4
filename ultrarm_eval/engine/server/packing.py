"""Packs texts into requests of bounded size, with common prefixes next to each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ultrarm_eval.text_format.tokens import Tokens

# Texts whose common prefix has this many tokens, or this share of the shorter text, are answers to
# one prompt: a server that has computed one has the start of the next in its cache.
_SHARED_TOKENS = 64
_SHARED_PART = 0.5
# A request is closed before such a group does not fit, unless it is emptier than this.
_FULL_ENOUGH = 0.5


@dataclass(eq=False)
class Request:
    """Texts sent together.

    Attributes:
        texts: Their indices.
        tokens: Their number of tokens.
        attempts: The number of failed attempts.
        not_before: When it may be resent, in the event loop's time.
        said: Why the last attempt failed.
        goes_on: The request whose last text shares a prefix with the first of this one, if there
            is one.
        place: The server that it was last sent to, as an opaque object.
    """

    texts: list[int]
    tokens: int
    attempts: int = 0
    not_before: float = 0.0
    said: str = ""
    goes_on: Request | None = field(default=None, repr=False)
    place: object = field(default=None, repr=False)

    def halves(self, lengths: Sequence[int]) -> tuple[Request, Request]:
        """Splits it into two requests with the same number of attempts.

        Args:
            lengths: The tokens of every text, by its index.
        """
        middle = (len(self.texts) + 1) // 2
        first, second = self.texts[:middle], self.texts[middle:]
        return tuple(  # type: ignore[return-value]
            Request(
                some,
                sum(lengths[i] for i in some),
                attempts=self.attempts,
                said=self.said,
                place=self.place,
            )
            for some in (first, second)
        )


def pack(texts: Sequence[Tokens], *, max_texts: int, max_tokens: int) -> list[Request]:
    """Packs texts.

    Args:
        texts: The texts, at least one token each.
        max_texts: The maximum number of texts per request.
        max_tokens: The maximum number of tokens per request, unless a single text has more.

    Returns:
        The requests: texts are sorted by their tokens, so that common prefixes are together, and
        each text is in exactly one.
    """
    requests: list[Request] = []
    order = sorted(range(len(texts)), key=lambda i: texts[i].packed)
    for group in _groups(texts, order):
        size = sum(len(texts[i]) for i in group)
        last = requests[-1] if requests else None
        fits = last is not None and _fits(last, len(group), size, max_texts, max_tokens)
        is_full = last is None or (
            len(last.texts) >= _FULL_ENOUGH * max_texts or last.tokens >= _FULL_ENOUGH * max_tokens
        )
        current = None if not fits and is_full else last
        for number, index in enumerate(group):
            tokens = len(texts[index])
            if current is None or not _fits(current, 1, tokens, max_texts, max_tokens):
                current = Request([], 0, goes_on=current if number else None)
                requests.append(current)
            current.texts.append(index)
            current.tokens += tokens
    return requests


def _fits(request: Request, texts: int, tokens: int, max_texts: int, max_tokens: int) -> bool:
    return len(request.texts) + texts <= max_texts and request.tokens + tokens <= max_tokens


def _groups(texts: Sequence[Tokens], order: Sequence[int]) -> list[list[int]]:
    groups: list[list[int]] = []
    for index in order:
        if groups:
            one, other = texts[groups[-1][-1]].ids, texts[index].ids
            length = min(len(one), len(other))
            differs = np.flatnonzero(one[:length] != other[:length])
            shared = int(differs[0]) if len(differs) else length
            if shared >= min(_SHARED_TOKENS, _SHARED_PART * length):
                groups[-1].append(index)
                continue
        groups.append([index])
    return groups
