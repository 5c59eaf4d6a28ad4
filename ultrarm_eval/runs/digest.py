"""A hash of the evaluated documents: equal for runs over the same documents."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

# The position of a document in its file, and its name there.
_PLACE = ("row", "id")


def content_digest(document: Mapping[str, Any]) -> str:
    """SHA-256 of a document of this package, independent of its position in its file.

    lm-eval's hash includes the row's number, so it changes if the file is sorted differently or a
    row before it is removed.
    """
    content = {name: value for name, value in document.items() if name not in _PLACE}
    return text_digest(json.dumps(content, sort_keys=True))


def documents_digest(keys: Iterable[tuple[str, int]]) -> str:
    """SHA-256 of the documents, independent of their order.

    Args:
        keys: lm-eval's hash of each document, and its occurrence among those with this hash.
    """
    return text_digest("\n".join(sorted(f"{digest}:{number}" for digest, number in keys)))


def text_digest(text: str) -> str:
    """SHA-256 of a text, also of one with lone surrogates."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def samples_digest(samples: Iterable[Mapping[str, Any]]) -> str | None:
    """The hash of the documents of a task's samples.

    Args:
        samples: The samples; with several filters only those of the first are used.

    Returns:
        The hash; None where there are no samples, or they have no hashes.
    """
    seen: Counter[str] = Counter()
    keys: list[tuple[str, int]] = []
    first: Any = None
    for sample in samples:
        if "doc_hash" not in sample:
            return None
        first = sample.get("filter") if not keys else first
        if sample.get("filter") == first:
            digest = str(sample["doc_hash"])
            keys.append((digest, seen[digest]))
            seen[digest] += 1
    return documents_digest(keys) if keys else None
