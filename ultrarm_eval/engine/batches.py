"""Which texts are computed together."""

from __future__ import annotations

from collections.abc import Sequence


def plan_batches(
    lengths: Sequence[int], *, max_tokens: int, max_texts: int | None = None
) -> list[list[int]]:
    """Groups texts of similar length under a token budget.

    Long texts come first: of the texts at hand, what does not fit into memory fails at once.

    Args:
        lengths: Number of tokens of each text.
        max_tokens: The most tokens of a batch, padding included. A longer text stands alone.
        max_texts: The most texts of a batch; no limit if None.

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
