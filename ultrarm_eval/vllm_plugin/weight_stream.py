"""Stored weights as a loader hands them out, one by one, under the names of a network."""

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
#: How the names of the head's weights begin in vLLM's model.
HEAD = "reward_head."
_BODY = "model."


def weight_sources(checkpoint: Checkpoint) -> WeightMap:
    """What the weights of vLLM's model are made of.

    Args:
        checkpoint: The checkpoint; its network is a `DecoderRewardModel`.

    Returns:
        The sources of the body's weights, by the names that transformers' causal language model of
        the family has for them, and of the head's, behind `HEAD`.
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
    """The head's weights in files beside the checkpoint's own, which vLLM does not read.

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


def _head_of(checkpoint: Checkpoint) -> str:
    return f"{cast(DecoderRewardModel, checkpoint.network).head_name}."
