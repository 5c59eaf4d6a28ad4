"""Stored weights as a loader hands them out, one by one, under the names of a network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import torch

from ultrarm_eval.checkpoints.weight_map import WeightSource

#: A weight and its name.
Named = tuple[str, torch.Tensor]


def renamed_stream(stored: Iterable[Named], sources: Mapping[str, WeightSource]) -> Iterator[Named]:
    """Makes a network's weights of stored ones, as soon as all that one is made of is there.

    Args:
        stored: Weights by their stored names, in any order. What no source takes is left out.
        sources: What each of the network's weights is made of.

    Yields:
        The network's weights. One whose parts are not all among the stored is left out.
    """
    takers: dict[str, list[str]] = {}
    for name, source in sources.items():
        for key in source.keys:
            takers.setdefault(key, []).append(name)
    parts: dict[str, dict[str, torch.Tensor]] = {}
    for key, weight in stored:
        for name in takers.get(key, ()):
            source = sources[name]
            if len(source.keys) == 1:
                yield name, weight if source.make is None else source.make(weight)
                continue
            # Loaders may use the memory of what they have handed out again.
            there = parts.setdefault(name, {})
            there[key] = weight.clone()
            if len(there) == len(source.keys) and source.make is not None:
                yield name, source.make(*(there[one] for one in source.keys))
                del parts[name]
