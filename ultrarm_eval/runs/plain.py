"""Dataclasses as JSON values."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

#: Metadata of a dataclass's field that is no part of its JSON.
NOT_WRITTEN = {"json": False}


def as_plain(value: Any) -> Any:
    """A value as JSON values: dataclasses by their fields, what is no finite number as None.

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
    raise TypeError(f"{type(value).__name__} has no form in JSON.")
