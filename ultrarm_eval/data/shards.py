"""Parts of a data set, for runs that are split over machines."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ultrarm_eval.errors import ConfigurationError

_SHARD = re.compile(r"\s*(\d{1,9})\s*/\s*(\d{1,9})\s*")


@dataclass(frozen=True)
class Shard:
    """One of several parts of a data set.

    Every n-th row, so that parts of sorted data are alike.

    Attributes:
        number: Which part, from 1.
        of: How many there are.
    """

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def rows(self, total: int) -> range:
        """The rows of this part, of so many in all."""
        return range(self.number - 1, total, self.of)


def read_shard(value: object) -> Shard:
    """Reads "3/16", the third of sixteen parts.

    Raises:
        ConfigurationError: It is nothing of the kind.
    """
    match = _SHARD.fullmatch(value) if isinstance(value, str) else None
    shard = Shard(int(match[1]), int(match[2])) if match else None
    if shard is None or not 1 <= shard.number <= shard.of:
        raise ConfigurationError(
            f"shard={value!r}: give the part and the number of parts as text, from '1/16' to "
            "'16/16' for sixteen."
        )
    return shard
