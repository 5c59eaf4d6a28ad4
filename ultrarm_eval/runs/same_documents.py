"""Which results are over the same documents: the one rule of comparison and board."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ultrarm_eval.runs.task_result import TaskResult


def document_digests(results: Sequence[TaskResult]) -> list[str | None]:
    """A hash for each result, equal for results over the same documents.

    The recorded hash depends on each document's row, too, and differs where the same data are in
    another order. Results as large as each other whose recorded hashes differ are compared by their
    samples, which are only read then, because they may be large.

    Args:
        results: The results.

    Returns:
        The recorded hash, or the least of those recorded for the same documents; None where it is
        unknown.
    """
    recorded = [result.data_digest for result in results]
    having: dict[str, list[TaskResult]] = {}
    for result, digest in zip(results, recorded, strict=True):
        if digest is not None:
            having.setdefault(digest, []).append(result)
    sizes = {digest: {one.all_documents for one in alike} for digest, alike in having.items()}
    times = Counter(size for of_digest in sizes.values() for size in of_digest)
    by_content: dict[str, str] = {}
    same: dict[str, str] = {}
    for digest in sorted(having):
        if any(times[size] > 1 for size in sizes[digest]):
            contents = (result.content_digest for result in having[digest])
            content = next((one for one in contents if one is not None), None)
            same[digest] = by_content.setdefault(content or digest, digest)
    return [None if digest is None else same.get(digest, digest) for digest in recorded]
