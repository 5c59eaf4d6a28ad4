"""Plans what will be computed: distinct texts, shared prefixes and batches, without a model."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass

from ultrarm_eval.engine.tree import LEAST_SHARED, Piece, cut, prefix_forest
from ultrarm_eval.errors import unknown_choice
from ultrarm_eval.settings import BATCHINGS
from ultrarm_eval.text_format.tokens import Tokens

#: How texts are batched: rows without padding that contain common prefixes once, rows without
#: padding, or one row per text, padded to the longest.
SHARED, PACKED, PADDED = BATCHINGS

# The number of pieces tried for a batch that has room for only a few more texts.
_LOOKED_AT = 64


@dataclass(frozen=True)
class Batch:
    """Texts computed together.

    Attributes:
        texts: Their numbers, in the order of their rewards.
        pieces: The row they form; empty for a padded batch.
        tokens: Computed tokens, including padding.
    """

    texts: tuple[int, ...]
    pieces: tuple[Piece, ...]
    tokens: int


@dataclass(frozen=True)
class Plan:
    """The batches for a list of distinct texts.

    Attributes:
        batches: The batches; each text is in exactly one.
        text_tokens: Tokens of all texts.
        distinct_tokens: The same with every shared prefix counted once: the minimum that has to be
            computed.
        texts: The number of texts.
    """

    batches: tuple[Batch, ...]
    text_tokens: int
    distinct_tokens: int
    texts: int

    @property
    def computed_tokens(self) -> int:
        """Computed tokens, including padding and repeated prefixes."""
        return sum(batch.tokens for batch in self.batches)


def make_plan(
    texts: Sequence[Tokens],
    *,
    batching: str,
    max_tokens: int,
    max_texts: int | None = None,
    max_tree_tokens: int | None = None,
) -> Plan:
    """Plans the batches.

    Args:
        texts: Distinct texts of at least one token.
        batching: One of `BATCHINGS`.
        max_tokens: The maximum number of tokens per batch, including padding. A longer text gets
            its own batch.
        max_texts: The maximum number of texts per batch; no limit if None.
        max_tree_tokens: Texts with a common prefix are computed together up to this many tokens,
            in their own batch if they exceed `max_tokens`; `max_tokens` if None.

    Raises:
        ConfigurationError: There is no such batching.
    """
    if batching not in BATCHINGS:
        raise unknown_choice("batching", batching, BATCHINGS)
    text_tokens = sum(len(ids) for ids in texts)
    if batching == PADDED:
        lengths = [len(ids) for ids in texts]
        batches = tuple(
            Batch(tuple(group), (), len(group) * max(lengths[i] for i in group))
            for group in pad(lengths, max_tokens=max_tokens, max_texts=max_texts)
        )
        return Plan(batches, text_tokens, text_tokens, len(texts))
    # Nothing is shared if more tokens than any text has are required.
    longest = max((len(ids) for ids in texts), default=0)
    forest = prefix_forest(texts, least_shared=LEAST_SHARED if batching == SHARED else longest + 1)
    largest = max(max_tokens, max_tree_tokens or 0)
    pieces = [piece for tree in forest for piece in cut(tree, largest, max_texts)]
    return Plan(
        tuple(_row([pieces[i] for i in group]) for group in pack(pieces, max_tokens, max_texts)),
        text_tokens,
        sum(segment.length for tree in forest for segment in tree),
        len(texts),
    )


def joined(plans: Sequence[Plan]) -> Plan:
    """One plan for texts that were planned in portions, with consecutive numbers."""
    batches: list[Batch] = []
    for plan in plans:
        first = sum(len(batch.texts) for batch in batches)
        batches.extend(
            Batch(tuple(first + text for text in batch.texts), batch.pieces, batch.tokens)
            for batch in plan.batches
        )
    return Plan(
        tuple(batches),
        sum(plan.text_tokens for plan in plans),
        sum(plan.distinct_tokens for plan in plans),
        sum(plan.texts for plan in plans),
    )


def _row(pieces: Sequence[Piece]) -> Batch:
    texts = tuple(text for piece in pieces for text in piece.ends)
    return Batch(texts, tuple(pieces), sum(piece.tokens for piece in pieces))


def pad(
    lengths: Sequence[int], *, max_tokens: int, max_texts: int | None = None
) -> list[list[int]]:
    """Groups texts of similar length under a token budget.

    Long texts come first, so that a text that does not fit into memory fails at once.

    Args:
        lengths: Number of tokens of each text.
        max_tokens: The maximum number of tokens per batch, including padding. A longer text gets
            its own batch.
        max_texts: The maximum number of texts per batch; no limit if None.

    Returns:
        Indices into `lengths`, each exactly once.
    """
    batches: list[list[int]] = []
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        widest = lengths[batch[0]] if batch else lengths[index]
        over_budget = widest * (len(batch) + 1) > max_tokens
        over_count = max_texts is not None and len(batch) >= max_texts
        if batch and (over_budget or over_count):
            batches.append(batch)
            batch = []
        batch.append(index)
    if batch:
        batches.append(batch)
    return batches


def pack(pieces: Sequence[Piece], max_tokens: int, max_texts: int | None) -> list[list[int]]:
    """Fills batches with pieces: the largest remaining one, then the largest that still fits.

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
                # Only the largest are tried, so that a batch is found in bounded time.
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
