"""transformers' names of classes, and of their weights, by family."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: The end of the names of transformers' sequence classification classes.
CLASS_ENDING = "ForSequenceClassification"


def stock_classes(model_type: str, *tables: Mapping[str, Any]) -> frozenset[str]:
    """The classes of a family.

    Args:
        model_type: transformers' name of the family.
        tables: transformers' tables of classes by family; an entry is one name or several.
    """
    found: set[str] = set()
    for table in tables:
        entry = table.get(model_type) or ()
        found.update((entry,) if isinstance(entry, str) else map(str, entry))
    return frozenset(found)


def family_prefix(model_type: str) -> str:
    """The prefix of a body's weight names in files that transformers writes.

    Args:
        model_type: transformers' name of the family; `model.` for one that it does not know.
    """
    from transformers import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import MODEL_MAPPING

    is_known = model_type in CONFIG_MAPPING
    body = MODEL_MAPPING.get(CONFIG_MAPPING[model_type], None) if is_known else None
    return f"{getattr(body, 'base_model_prefix', 'model')}."
