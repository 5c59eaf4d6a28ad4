"""Where in a text's tokens the completion begins, for any judge's encoder."""

from __future__ import annotations

import copy
import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ultrarm_eval.engine.token_ids import TokenIds, unpacked
from ultrarm_eval.errors import ScoringError
from ultrarm_eval.messages import Message, Prompt
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.template import Template


@dataclass(frozen=True)
class PlacedText:
    """A text as the model reads it, and where the completion begins in it.

    Attributes:
        ids: Token ids, shape (tokens,).
        completion_start: Index of the first token that the completion has a part in.
        truncated: Whether tokens were cut off on the left.
    """

    ids: TokenIds
    completion_start: int
    truncated: bool


def placed_text(encoder: TextEncoder, prompt: Prompt, completion: str) -> PlacedText:
    """Encodes a text and finds its completion.

    The completion begins where the ids part from those of what the template writes before it.

    Args:
        encoder: The judge's encoder.
        prompt: The prompt.
        completion: The completion.

    Raises:
        ConfigurationError: The prompt is no text, message list or None.
        ScoringError: The completion is no string, or the text has no token at all.
    """
    (encoded,) = encoder.encode([prompt], [completion])
    ids = unpacked(encoded.packed_ids)
    uncut = _uncut(encoder, encoder.template)
    (whole,) = uncut.encode([prompt], [completion]) if encoded.truncated else (encoded,)
    start = _common_prefix(whole.ids, _ids_before(encoder, prompt))
    cut = len(whole.ids) - len(ids)
    if cut:
        start = max(start - cut, int(encoder.bos_id is not None))
    return PlacedText(ids, start, encoded.truncated)


def _uncut(encoder: TextEncoder, template: Template) -> TextEncoder:
    """The encoder with another template, for texts of any length."""
    other = copy.copy(encoder)
    other.template, other.max_length = template, sys.maxsize
    return other


def _ids_before(encoder: TextEncoder, prompt: Prompt) -> tuple[int, ...]:
    """The ids of what stands before the completion."""
    template = encoder.template
    # Private use characters and a secret: no text has them.
    mark = f"\ue000c-{secrets.token_hex(8)}\ue001"

    def render(messages: Sequence[Message], _: str) -> str:
        # A template that changes the completion writes another one: ids part there as well.
        return template.render(messages, mark).partition(mark)[0]

    alone = _uncut(encoder, replace(template, render=render, append_eos=False))
    alone.closing_id = alone.unread_id = None
    try:
        (encoded,) = alone.encode([prompt], [""])
    except ScoringError:
        # The text itself was encoded, so this one is empty: not even a BOS is before it.
        return ()
    return encoded.ids


def _common_prefix(first: Sequence[int], second: Sequence[int]) -> int:
    pairs = enumerate(zip(first, second, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(first), len(second)))
