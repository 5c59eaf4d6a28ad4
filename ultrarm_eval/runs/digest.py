"""A hash of the evaluated documents: equal for runs over the same documents."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ultrarm_eval.documents.document import FIELDS

# The position of a document in its file, and its name there.
_PLACE = ("row", "id")


def content_digest(document: Mapping[str, Any]) -> str:
    """SHA-256 of a document of this package, independent of its position in its file.

    lm-eval's hash includes the row's number, so it changes if the file is sorted differently or a
    row before it is removed.
    """
    content = {name: value for name, value in document.items() if name not in _PLACE}
    return text_digest(json.dumps(content, sort_keys=True))


def document_digest(sample: Mapping[str, Any]) -> str:
    """The hash of a sample's document: of its content, or lm-eval's for a third party's.

    Args:
        sample: A sample with lm-eval's hash.
    """
    document = sample.get("doc")
    if isinstance(document, Mapping) and str(document.get("format")) in FIELDS:
        return content_digest(document)
    return str(sample["doc_hash"])


def documents_digest(keys: Iterable[tuple[str, int]]) -> str:
    """SHA-256 of the documents, independent of their order.

    Args:
        keys: The hash of each document, and its occurrence among those with this hash.
    """
    return text_digest("\n".join(sorted(f"{digest}:{number}" for digest, number in keys)))


def text_digest(text: str) -> str:
    """SHA-256 of a text, also of one with lone surrogates."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def samples_digest(samples: Iterable[Mapping[str, Any]], *, by_content: bool = False) -> str | None:
    """The hash of the documents of a task's samples.

    Args:
        samples: The samples; with several filters only those of the first are used.
        by_content: Whether documents of this package are hashed without their row. The recorded
            hash is made of lm-eval's hashes, which include it.

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
            digest = document_digest(sample) if by_content else str(sample["doc_hash"])
            keys.append((digest, seen[digest]))
            seen[digest] += 1
    return documents_digest(keys) if keys else None
