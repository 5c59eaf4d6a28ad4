"""Renames stored weights to those of vLLM's model, one by one as a loader yields them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

import torch

from ultrarm_eval.checkpoints.checkpoint import Checkpoint
from ultrarm_eval.checkpoints.decoder_reward_model import DecoderRewardModel
from ultrarm_eval.checkpoints.stock_classes import family_prefix
from ultrarm_eval.checkpoints.weight_map import WeightMap, WeightSource
from ultrarm_eval.checkpoints.weights import IN_FILE

#: A weight and its name.
Named = tuple[str, torch.Tensor]
#: The prefix of the head's weights in vLLM's model.
HEAD = "reward_head."
_BODY = "model."


def weight_sources(checkpoint: Checkpoint) -> WeightMap:
    """The stored weights from which each weight of vLLM's model is made.

    Args:
        checkpoint: The checkpoint; its network is a `DecoderRewardModel`.

    Returns:
        The sources by weight: those of the body under their names in transformers' causal language
        model of the family, those of the head with the prefix `HEAD`.
    """
    head = _head_of(checkpoint)
    weights: WeightMap = checkpoint.weight_map or {
        key: WeightSource.of(key)
        for key in checkpoint.weights.keys
        if key.startswith((_BODY, head))
    }
    body = family_prefix(checkpoint.config.model_type)
    return {
        HEAD + name.removeprefix(head)
        if name.startswith(head)
        else body + name.removeprefix(_BODY): source
        for name, source in weights.items()
    }


def head_in_further_files(checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
    """The head's weights in separate files, which vLLM does not read.

    Args:
        checkpoint: The checkpoint; its network is a `DecoderRewardModel`.
    """
    head, reader = _head_of(checkpoint), checkpoint.reader()
    return {
        name.removeprefix(head): reader.read(name)
        for name, source in (checkpoint.weight_map or {}).items()
        if name.startswith(head) and any(IN_FILE in key for key in source.keys)
    }


def renamed_stream(stored: Iterable[Named], sources: WeightMap) -> Iterator[Named]:
    """Makes the weights of a network from stored ones, each once all its parts have arrived.

    Args:
        stored: Stored weights with their names, in any order. Weights that no source uses are
            skipped.
        sources: The stored weights that each weight of the network is made from.

    Yields:
        The weights of the network, except those of which a part is missing.
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
            # Loaders may reuse the memory of weights that they have yielded.
            there = parts.setdefault(name, {})
            there[key] = weight.clone()
            if len(there) == len(source.keys) and source.make is not None:
                yield name, source.make(*(there[one] for one in source.keys))
                del parts[name]


def _head_of(checkpoint: Checkpoint) -> str:
    return f"{cast(DecoderRewardModel, checkpoint.network).head_name}."
