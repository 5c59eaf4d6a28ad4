"""What a model reads of a text that ends earlier."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ultrarm_eval.engine.token_ids import TokenIds


def read_positions(ids: TokenIds, unread_id: int | None) -> list[int]:
    """Where the reward of a text is read that ends after each of the tokens.

    Args:
        ids: Token ids, shape (tokens,).
        unread_id: A token that is not read at the end of a text: the one before it is.
    """
    positions: list[int] = []
    for position, token in enumerate(ids):
        is_read = token != unread_id or not positions
        positions.append(position if is_read else positions[-1])
    return positions


def prefixes(ids: TokenIds, *, closing_id: int | None, unread_id: int | None) -> list[TokenIds]:
    """The texts that end after each of the tokens.

    Args:
        ids: Token ids, shape (tokens,).
        closing_id: A token that closes texts: where it closes this one, it closes all.
        unread_id: A token that is not read at the end of a text.
    """
    is_closed = len(ids) > 1 and ids[-1] == closing_id
    closing = ids[-1:]
    found: list[TokenIds] = []
    for position in read_positions(ids, unread_id):
        prefix = ids[: position + 1]
        closes = is_closed and prefix[-1] != closing_id
        found.append(np.concatenate([prefix, closing]) if closes else prefix)
    return found


def each_once(texts: Sequence[TokenIds]) -> tuple[list[TokenIds], list[int]]:
    """The distinct texts, and for each text which of them it is."""
    places: dict[bytes, int] = {}
    which = [places.setdefault(ids.tobytes(), len(places)) for ids in texts]
    return [np.frombuffer(ids, dtype=np.int32) for ids in places], which
