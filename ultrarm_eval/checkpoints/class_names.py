"""How transformers calls its classes."""

from __future__ import annotations

#: How transformers calls its classes with a classifier.
CLASS_ENDING = "ForSequenceClassification"


def class_names(entry: object) -> tuple[str, ...]:
    """Names of classes in an entry of transformers' tables, which hold one or several."""
    return (entry,) if isinstance(entry, str) else tuple(map(str, entry or ()))  # type: ignore[call-overload]
