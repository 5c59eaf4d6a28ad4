"""How a network's weights are made from stored ones with other names or another layout."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import torch

__all__ = ["WeightMap", "WeightSource", "renamed", "renamed_keys", "under_other_prefix"]

T = TypeVar("T")


@dataclass(frozen=True)
class WeightSource:
    """The source of a network's weight.

    Attributes:
        keys: The names of the stored weights, in the order in which `make` takes them.
        make: Makes the network's weight from them; None if the only one is used unchanged.
    """

    keys: tuple[str, ...]
    make: Callable[..., torch.Tensor] | None = None

    @classmethod
    def of(cls, key: str) -> WeightSource:
        """The weight that is stored under another name."""
        return cls((key,))


WeightMap = Mapping[str, WeightSource]


def under_other_prefix(
    parts: Iterable[str], stored: str, name: str = ""
) -> dict[str, WeightSource]:
    """The sources of weights whose names have another prefix in the files.

    Args:
        parts: The parts of the names after the prefix.
        stored: The prefix of the stored names.
        name: The prefix of the names in the network, or in its head.
    """
    return {f"{name}{part}": WeightSource.of(f"{stored}{part}") for part in parts}


def renamed(weights: WeightMap | None, stored: Mapping[str, T]) -> dict[str, T]:
    """Facts about stored weights, by the network's names where they are used unchanged.

    Args:
        weights: The sources; None where the names are the network's.
        stored: The facts, by stored names. Names that no source takes are kept.
    """
    if weights is None:
        return dict(stored)
    taken = taken_keys(weights)
    found = {key: value for key, value in stored.items() if key not in taken}
    for name, source in weights.items():
        if source.make is None and source.keys[0] in stored:
            found[name] = stored[source.keys[0]]
    return found


def renamed_keys(weights: WeightMap | None, keys: Collection[str]) -> frozenset[str]:
    """The network's names of stored weights; a source that lacks one of its parts has none."""
    if weights is None:
        return frozenset(keys)
    there = set(keys)
    made = {name for name, source in weights.items() if there.issuperset(source.keys)}
    return frozenset(made | (there - taken_keys(weights)))


def taken_keys(weights: WeightMap) -> set[str]:
    """The stored names that a map takes."""
    return {key for source in weights.values() for key in source.keys}
