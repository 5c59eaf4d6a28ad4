"""Texts with common prefixes, as trees that contain shared tokens once.

A tree's segments are ranges of tokens; a segment follows its parent, and a text is the path from
a root to the segment it ends in. The longest common prefix is taken of token ids, never of
characters: a tokenizer may join characters across the point where two texts diverge. Trees that
are larger than a batch are cut into pieces.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ultrarm_eval.text_format.tokens import TokenIds, Tokens

#: A shorter common prefix is computed once for each text: one more segment costs more.
LEAST_SHARED = 16


@dataclass(frozen=True, slots=True)
class Segment:
    """A range of tokens that is computed once.

    Attributes:
        text: A text whose tokens these are.
        start: Position of the first token in that text.
        stop: Position after the last one.
        parent: The segment before it, by its index in the tree; -1 at the root.
        ends: The text that ends with the last token; -1 if there is none.
    """

    text: int
    start: int
    stop: int
    parent: int
    ends: int

    @property
    def length(self) -> int:
        """Number of tokens."""
        return self.stop - self.start


Tree = tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a tree that is computed in one pass: closed under taking parents.

    Attributes:
        segments: The segments, parents first; `parent` counts within the piece.
        tokens: Their tokens.
        ends: The texts that end in it.
    """

    segments: Tree
    tokens: int
    ends: tuple[int, ...]


def prefix_forest(texts: Sequence[Tokens], *, least_shared: int = LEAST_SHARED) -> list[Tree]:
    """Groups distinct texts by their common prefixes.

    Args:
        texts: Distinct texts of at least one token.
        least_shared: The minimum number of tokens of a separate segment.

    Returns:
        Trees; each text ends in exactly one segment of one of them. Parents precede their
        children.
    """
    ids = [text.ids for text in texts]
    keys = [np.ascontiguousarray(each, dtype=">u4").tobytes() for each in ids]
    order = sorted(range(len(texts)), key=keys.__getitem__)
    trees: list[Tree] = []
    builder = _TreeBuilder(least_shared)
    for position, text in enumerate(order):
        length = len(texts[text])
        shared = _common_prefix(ids[order[position - 1]], ids[text]) if position else 0
        if not builder.add(text, length, shared):
            trees.append(builder.tree())
            builder = _TreeBuilder(least_shared)
            builder.add(text, length, 0)
    if texts:
        trees.append(builder.tree())
    return trees


def cut(tree: Tree, max_tokens: int, max_texts: int | None) -> list[Piece]:
    """Cuts a tree into pieces under the budgets; shared prefixes are repeated in each.

    A single text that is longer than the budget gets its own piece.
    """
    tokens = sum(segment.length for segment in tree)
    texts = sum(segment.ends >= 0 for segment in tree)
    if tokens <= max_tokens and (max_texts is None or texts <= max_texts):
        return [_piece(tree, [i for i, s in enumerate(tree) if s.ends >= 0])]
    pieces: list[Piece] = []
    chosen: list[int] = []
    held: set[int] = set()
    size = 0
    # Parents precede children and children are sorted, so neighbours share the most.
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


def _common_prefix(first: TokenIds, second: TokenIds) -> int:
    length = min(len(first), len(second))
    different = np.flatnonzero(first[:length] != second[:length])
    return int(different[0]) if len(different) else length


class _Node:
    __slots__ = ("children", "depth", "ends", "text")

    def __init__(self, text: int, depth: int, ends: int) -> None:
        self.text, self.depth, self.ends = text, depth, ends
        self.children: list[_Node] = []


class _TreeBuilder:
    """Adds texts in lexicographic order; the rightmost path is all that can still change."""

    def __init__(self, least_shared: int) -> None:
        self._least_shared = least_shared
        self._path: list[_Node] = []
        self._root: _Node

    def add(self, text: int, length: int, shared: int) -> bool:
        """Adds a text that shares so many tokens with the previous one; False if it starts a tree."""
        leaf = _Node(text, length, text)
        if not self._path:
            self._path = [leaf]
            self._root = leaf
            return True
        shared = self._worth(shared)
        if not shared:
            return False
        last: _Node | None = None
        while self._path and self._path[-1].depth > shared:
            last = self._path.pop()
        if last is not None and (not self._path or self._path[-1].depth < shared):
            fork = _Node(last.text, shared, -1)
            fork.children.append(last)
            if self._path:
                self._path[-1].children[-1] = fork
            else:
                self._root = fork
            self._path.append(fork)
        self._path[-1].children.append(leaf)
        self._path.append(leaf)
        return True

    def _worth(self, shared: int) -> int:
        """The depth to fork at: the nearest one on the path if a new fork would save too little."""
        below = 0
        for node in self._path:
            if node.depth > shared:
                break
            below = node.depth
        return shared if shared - below >= self._least_shared else below

    def tree(self) -> Tree:
        segments: list[Segment] = []
        waiting: list[tuple[_Node, int, int]] = [(self._root, -1, 0)]
        while waiting:
            node, parent, start = waiting.pop()
            segments.append(Segment(node.text, start, node.depth, parent, node.ends))
            index = len(segments) - 1
            waiting.extend((child, index, node.depth) for child in reversed(node.children))
        return tuple(segments)


def _path(tree: Tree, index: int) -> list[int]:
    path = []
    while index >= 0:
        path.append(index)
        index = tree[index].parent
    return path


def _piece(tree: Tree, chosen: Sequence[int]) -> Piece:
    """The piece with the chosen texts; segments without forks are merged."""
    held = sorted({i for index in chosen for i in _path(tree, index)})
    ends = set(chosen)
    children = Counter(tree[index].parent for index in held)
    # A parent with a single child becomes the beginning of that child.
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
