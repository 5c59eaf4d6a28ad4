"""Values as JSON: dataclasses by their fields, and any value shortened for a message."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

# Characters of a value in a message.
_SHOWN = 40
#: Metadata of a dataclass's field that is not written to JSON.
NOT_WRITTEN = {"json": False}


def as_plain(value: Any) -> Any:
    """A value as JSON values: dataclasses by their fields, non-finite numbers as None.

    Raises:
        TypeError: A value has no such form.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        written = [f for f in dataclasses.fields(value) if f.metadata.get("json", True)]
        return {f.name: as_plain(getattr(value, f.name)) for f in written}
    if isinstance(value, Mapping):
        return {str(key): as_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_plain(item) for item in value]
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    raise TypeError(f"A value of type {type(value).__name__} cannot be written to JSON.")


def shown_json(value: Any) -> str:
    """A third-party value for a message: as JSON, shortened."""
    text = json.dumps(value, default=str)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
