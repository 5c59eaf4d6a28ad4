"""What will be computed: distinct texts, what they share, and the batches, without a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ultrarm_eval.engine.batches import plan_batches
from ultrarm_eval.engine.packing import Piece, cut, pack
from ultrarm_eval.engine.prefix_forest import LEAST_SHARED, prefix_forest
from ultrarm_eval.engine.token_ids import TokenIds
from ultrarm_eval.errors import unknown_choice

SHARED, PACKED, PADDED = "shared", "packed", "padded"
#: How texts are batched: rows without padding whose common prefixes stand once, rows without
#: padding, or one row a text, padded to the longest.
BATCHINGS = (SHARED, PACKED, PADDED)


@dataclass(frozen=True)
class Batch:
    """Texts that are computed together.

    Attributes:
        texts: Their numbers, in the order in which their rewards are read.
        pieces: The row they make; empty for a padded batch.
        tokens: Tokens that are computed, padding included.
    """

    texts: tuple[int, ...]
    pieces: tuple[Piece, ...]
    tokens: int


@dataclass(frozen=True)
class Plan:
    """The batches for a list of distinct texts.

    Attributes:
        batches: The batches; each text stands in one.
        text_tokens: Tokens of all texts.
        distinct_tokens: The same with every common prefix that is shared counted once: the least
            that has to be computed.
    """

    batches: tuple[Batch, ...]
    text_tokens: int
    distinct_tokens: int

    @property
    def computed_tokens(self) -> int:
        """Tokens that are computed, padding and repeated prefixes included."""
        return sum(batch.tokens for batch in self.batches)


def make_plan(
    texts: Sequence[TokenIds],
    *,
    batching: str,
    max_tokens: int,
    max_texts: int | None = None,
) -> Plan:
    """Plans the batches.

    Args:
        texts: Token ids of each text, at least one each, no two the same.
        batching: One of `BATCHINGS`.
        max_tokens: The most tokens of a batch, padding included. A longer text stands alone.
        max_texts: The most texts of a batch; no limit if None.

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
            for group in plan_batches(lengths, max_tokens=max_tokens, max_texts=max_texts)
        )
        return Plan(batches, text_tokens, text_tokens)
    # Nothing is shared where more tokens than any text has would have to be.
    longest = max((len(ids) for ids in texts), default=0)
    forest = prefix_forest(texts, least_shared=LEAST_SHARED if batching == SHARED else longest + 1)
    pieces = [piece for tree in forest for piece in cut(tree, max_tokens, max_texts)]
    return Plan(
        tuple(_row([pieces[i] for i in group]) for group in pack(pieces, max_tokens, max_texts)),
        text_tokens,
        sum(segment.length for tree in forest for segment in tree),
    )


def joined(plans: Sequence[Plan]) -> Plan:
    """One plan for texts that were planned in portions; texts are numbered on."""
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
    )


def _row(pieces: Sequence[Piece]) -> Batch:
    texts = tuple(text for piece in pieces for text in piece.ends)
    return Batch(texts, tuple(pieces), sum(piece.tokens for piece in pieces))
