"""How a network's weights are made of stored ones that have other names, or another form."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import torch

__all__ = ["WeightMap", "WeightSource", "renamed", "renamed_keys", "under_other_prefix"]

T = TypeVar("T")


@dataclass(frozen=True)
class WeightSource:
    """What a network's weight is made of.

    Attributes:
        keys: The names of the stored weights, in the order in which `make` takes them.
        make: Makes the network's weight of them; None where it is the one as it is stored.
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
    """The sources of weights whose names begin otherwise in the files.

    Args:
        parts: The ends of their names, in which the two are alike.
        stored: How the stored names begin.
        name: How the names in the network, or in its head, begin.
    """
    return {f"{name}{part}": WeightSource.of(f"{stored}{part}") for part in parts}


def renamed(weights: WeightMap | None, stored: Mapping[str, T]) -> dict[str, T]:
    """What is known of stored weights, by the network's names where those are the same weights.

    Args:
        weights: The sources; None where the names are the network's.
        stored: What is known, by stored names. Names that no source takes stay as they are.
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
    """The names of weights as the network has them; a source that lacks a part gives none."""
    if weights is None:
        return frozenset(keys)
    there = set(keys)
    made = {name for name, source in weights.items() if there.issuperset(source.keys)}
    return frozenset(made | (there - taken_keys(weights)))


def taken_keys(weights: WeightMap) -> set[str]:
    """The stored names that a map takes."""
    return {key for source in weights.values() for key in source.keys}
