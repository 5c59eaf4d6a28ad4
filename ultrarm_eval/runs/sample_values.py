"""The values of metrics in samples, so that every column of the file has one type.

`datasets` before 4.7 (seen with 3.0 and 4.0) refuses a file in which a list holds texts and
numbers, as what a benchmark's figures are made of does (subset and credit of a document).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any


def sample_value(value: Any) -> Any:
    """A metric's value as samples have it: a list of more than numbers as one JSON text."""
    if not _is_list(value) or all(isinstance(one, int | float) for one in value):
        return value
    return json.dumps(value, ensure_ascii=False)


def computed_value(value: Any, like: Any) -> Any:
    """What `sample_value` was given; a list that an earlier version wrote is itself.

    Args:
        value: The value in a sample.
        like: The value that it should be.
    """
    if not isinstance(value, str) or not _is_list(like):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def is_list_text(value: Any) -> bool:
    """Whether a value in a sample is a list that `sample_value` wrote as text."""
    if not isinstance(value, str):
        return False
    try:
        return isinstance(json.loads(value), list)
    except ValueError:
        return False


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
