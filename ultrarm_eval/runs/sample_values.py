"""The values of metrics in samples, so that every column of the file has one type.

`datasets` before 4.7 (tested with 3.0 and 4.0) refuses a file in which a list contains texts
and numbers, as the evidence of a benchmark's metrics does (subset and credit of a document).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any


def sample_value(value: Any) -> Any:
    """A metric's value as written to samples: a list of more than numbers as one JSON text."""
    if not _is_list(value) or all(isinstance(one, int | float) for one in value):
        return value
    return json.dumps(value, ensure_ascii=False)


def computed_value(value: Any, like: Any) -> Any:
    """The inverse of `sample_value`; a list that an earlier version wrote stays as it is.

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


def is_list(value: Any) -> bool:
    """Whether a value in a sample is a list, as text or as an earlier version wrote it."""
    return _is_list(value) or is_list_text(value)


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
