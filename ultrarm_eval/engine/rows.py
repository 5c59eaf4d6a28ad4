"""A batch as a model computes it: one row without padding, or padded rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from ultrarm_eval.engine.tree import Piece, Segment
from ultrarm_eval.text_format.tokens import TokenIds, Tokens

Span = tuple[int, int]


# Multiple of the number of read positions: see `TreeLayout.read_at`.
_READ_TOGETHER = 8


@dataclass(frozen=True)
class TreeLayout:
    """Which tokens see which in a row.

    A segment's tokens see the segments before it on its path and, causally, their own segment;
    never a sibling.

    Attributes:
        spans: The row's slice of each segment, consecutive from 0.
        contexts: For each segment the slices before it on its path.
        read_at: Where the rewards are read, ascending: each is the last position of a segment. The
            last one is repeated up to a multiple of eight, because matrix products of fewer rows
            round differently and a reward would depend on the other texts in the row.
    """

    spans: Sequence[Span]
    contexts: Sequence[Sequence[Span]]
    read_at: Sequence[int]

    def read_segments(self) -> list[int]:
        """The segment of each position that is read."""
        last = {stop - 1: segment for segment, (_, stop) in enumerate(self.spans)}
        return [last[position] for position in self.read_at]


@dataclass(frozen=True)
class PackedRow:
    """A row that the model computes in one pass.

    Attributes:
        ids: Token ids, shape (tokens,).
        positions: Position of each token in its own text, shape (tokens,): they continue after the
            shared prefix and start at 0 with the next tree.
        layout: Which tokens see which, and where rewards are read.
        texts: The texts of the rewards, in the order of the rewards.
    """

    ids: TokenIds
    positions: npt.NDArray[np.int64]
    layout: TreeLayout
    texts: tuple[int, ...]


def make_row(pieces: Sequence[Piece], texts: Sequence[Tokens]) -> PackedRow:
    """Concatenates pieces of trees to a row.

    Args:
        pieces: The pieces, at least one.
        texts: All texts.
    """
    ids: list[TokenIds] = []
    positions: list[npt.NDArray[np.int64]] = []
    spans: list[Span] = []
    contexts: list[tuple[Span, ...]] = []
    read_at: list[int] = []
    at = 0
    for piece in pieces:
        first = len(spans)
        for segment in piece.segments:
            ids.append(texts[segment.text].ids[segment.start : segment.stop])
            positions.append(np.arange(segment.start, segment.stop))
            parent = first + segment.parent
            contexts.append(() if segment.parent < 0 else _joined(contexts[parent], spans[parent]))
            spans.append((at, at + segment.length))
            at += segment.length
            if segment.ends >= 0:
                read_at.append(at - 1)
    read_at += read_at[-1:] * (-len(read_at) % _READ_TOGETHER)
    return PackedRow(
        np.concatenate(ids),
        np.concatenate(positions),
        TreeLayout(spans, contexts, read_at),
        tuple(text for piece in pieces for text in piece.ends),
    )


def single_text(text: Tokens) -> PackedRow:
    """A row of one text in one segment."""
    segment = Segment(0, 0, len(text), -1, 0)
    return make_row([Piece((segment,), len(text), (0,))], [text])


def padded_right(
    texts: Sequence[Tokens], padding_id: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and the mask of non-padding tokens, each of shape (texts, longest), int64."""
    shape = (len(texts), max(len(text) for text in texts))
    ids = np.full(shape, padding_id, dtype=np.int64)
    mask = np.zeros(shape, dtype=np.int64)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = text.ids
        mask[row, : len(text)] = 1
    return torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device)


def _joined(context: tuple[Span, ...], span: Span) -> tuple[Span, ...]:
    """A context with one more span; adjacent spans are merged."""
    if context and context[-1][1] == span[0]:
        return (*context[:-1], (context[-1][0], span[1]))
    return (*context, span)
