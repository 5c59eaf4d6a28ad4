"""Token ids of a text in four bytes each: compact, comparable, and an array without a copy."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

TokenIds = npt.NDArray[np.int32]

#: Token ids as bytes, int32 in the machine's order.
PackedIds = bytes


def packed(ids: Iterable[int]) -> PackedIds:
    """Packs token ids."""
    return array("i", ids).tobytes()


def unpacked(ids: PackedIds) -> TokenIds:
    """Token ids as a read-only array, shape (tokens,)."""
    return np.frombuffer(ids, dtype=np.int32)
