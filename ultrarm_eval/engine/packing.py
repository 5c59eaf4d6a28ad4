"""Batches of tree pieces under a token budget: rows without padding."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ultrarm_eval.engine.prefix_forest import Segment, Tree

# Pieces that are tried for a batch that may hold few more texts.
_LOOKED_AT = 64


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a tree that is computed in one go: closed under taking parents.

    Attributes:
        segments: The segments, parents first; `parent` counts within the piece.
        tokens: Their tokens.
        ends: The texts that are read in it.
    """

    segments: Tree
    tokens: int
    ends: tuple[int, ...]


def cut(tree: Tree, max_tokens: int, max_texts: int | None) -> list[Piece]:
    """Cuts a tree into pieces under the budgets; what is shared is repeated in each.

    A single text may be longer than the budget: it stands alone.
    """
    tokens = sum(segment.length for segment in tree)
    texts = sum(segment.ends >= 0 for segment in tree)
    if tokens <= max_tokens and (max_texts is None or texts <= max_texts):
        return [_piece(tree, [i for i, s in enumerate(tree) if s.ends >= 0])]
    pieces: list[Piece] = []
    chosen: list[int] = []
    held: set[int] = set()
    size = 0
    # Parents stand before children and children in order, so neighbours share the most.
    for index, segment in enumerate(tree):
        if segment.ends < 0:
            continue
        path = _path(tree, index)
        extra = sum(tree[i].length for i in path if i not in held)
        if chosen and (size + extra > max_tokens or len(chosen) == max_texts):
            pieces.append(_piece(tree, chosen))
            chosen, held, size = [], set(), 0
            extra = sum(tree[i].length for i in path)
        chosen.append(index)
        held.update(path)
        size += extra
    pieces.append(_piece(tree, chosen))
    return pieces


def pack(pieces: Sequence[Piece], max_tokens: int, max_texts: int | None) -> list[list[int]]:
    """Fills batches with pieces: the largest that is left, then the largest that still fits.

    Returns:
        Indices into `pieces`, each exactly once.
    """
    order = sorted(range(len(pieces)), key=lambda i: pieces[i].tokens)
    sizes = [pieces[i].tokens for i in order]
    batches = []
    while order:
        first = order.pop()
        room = max_tokens - sizes.pop()
        texts = len(pieces[first].ends)
        batch = [first]
        while order and room >= sizes[0] and (max_texts is None or texts < max_texts):
            place = bisect.bisect_right(sizes, room) - 1
            if max_texts is not None:
                # The largest are looked at, not all: a batch is found in bounded time.
                near = range(place, max(-1, place - _LOOKED_AT), -1)
                fitting = (i for i in near if texts + len(pieces[order[i]].ends) <= max_texts)
                place = next(fitting, -1)
                if place < 0:
                    break
            candidate = order[place]
            del order[place], sizes[place]
            batch.append(candidate)
            room -= pieces[candidate].tokens
            texts += len(pieces[candidate].ends)
        batches.append(batch)
    return batches


def _path(tree: Tree, index: int) -> list[int]:
    path = []
    while index >= 0:
        path.append(index)
        index = tree[index].parent
    return path


def _piece(tree: Tree, chosen: Sequence[int]) -> Piece:
    """The piece with the chosen texts; where none of them part, there is one segment."""
    held = sorted({i for index in chosen for i in _path(tree, index)})
    ends = set(chosen)
    children = Counter(tree[index].parent for index in held)
    # A parent that one segment alone goes on from becomes the beginning of that segment.
    merged = {i for i in held if i not in ends and children[i] == 1}
    place: dict[int, int] = {}
    segments: list[Segment] = []
    for index in held:
        if index in merged:
            continue
        start, parent = tree[index].start, tree[index].parent
        while parent in merged:
            start, parent = tree[parent].start, tree[parent].parent
        place[index] = len(segments)
        text, stop = tree[index].text, tree[index].stop
        end = tree[index].ends if index in ends else -1
        segments.append(Segment(text, start, stop, place.get(parent, -1), end))
    return Piece(
        tuple(segments),
        sum(s.length for s in segments),
        tuple(s.ends for s in segments if s.ends >= 0),
    )
