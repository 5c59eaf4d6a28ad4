"""How transformers calls its classes, and their weights, by family."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: How transformers calls its classes with a classifier.
CLASS_ENDING = "ForSequenceClassification"


def stock_classes(model_type: str, *tables: Mapping[str, Any]) -> frozenset[str]:
    """The classes of a family.

    Args:
        model_type: transformers' name of the family.
        tables: transformers' tables of classes by family, of which an entry is one or several.
    """
    found: set[str] = set()
    for table in tables:
        entry = table.get(model_type) or ()
        found.update((entry,) if isinstance(entry, str) else map(str, entry))
    return frozenset(found)


def family_prefix(model_type: str) -> str:
    """How the names of a body's weights begin where transformers writes them.

    Args:
        model_type: transformers' name of the family; `model.` for one that it does not know.
    """
    from transformers import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import MODEL_MAPPING

    is_known = model_type in CONFIG_MAPPING
    body = MODEL_MAPPING.get(CONFIG_MAPPING[model_type], None) if is_known else None
    return f"{getattr(body, 'base_model_prefix', 'model')}."
