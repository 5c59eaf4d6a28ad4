"""Reads single weights of a checkpoint by its network's names."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import torch

from ultrarm_eval.checkpoints.adapted_weights import AdaptedWeights
from ultrarm_eval.checkpoints.files import Fetch, read_json
from ultrarm_eval.checkpoints.foreign_errors import as_checkpoint_error
from ultrarm_eval.checkpoints.pickles import load_pickle
from ultrarm_eval.checkpoints.weight_map import WeightMap, WeightSource
from ultrarm_eval.checkpoints.weights import (
    IN_FILE,
    PICKLE_FILE,
    SAFETENSORS_FILE,
    WeightFiles,
    is_safetensors,
)
from ultrarm_eval.errors import CheckpointError


class WeightReader:
    """Reads weights one by one; nothing else of a file is loaded."""

    def __init__(
        self,
        name: str,
        weights: WeightFiles,
        fetch: Fetch,
        weight_map: WeightMap | None,
        adapted: AdaptedWeights | None = None,
    ) -> None:
        """Takes the location of the weights.

        Args:
            name: The checkpoint, for messages.
            weights: Its weight files.
            fetch: How to get its files.
            weight_map: How the network's weights are made of the stored ones; None where the
                files have them by the network's names.
            adapted: The stored weights with an adapter applied, if there is one.
        """
        self._name, self._weights, self._fetch, self._map = name, weights, fetch, weight_map
        self._adapted = adapted
        self._pickles: dict[Path, dict[str, torch.Tensor]] = {}

    def read(self, name: str) -> torch.Tensor:
        """A weight of the network, in the dtype in which it is stored.

        Args:
            name: The network's name for it.

        Raises:
            CheckpointError: It is not there, or cannot be read.
        """
        source = None if self._map is None else self._map.get(name)
        if source is None:
            return self.stored(name)
        parts = [self.stored(key) for key in source.keys]
        if source.make is None:
            return parts[0]
        with as_checkpoint_error(f"{self._name}: {name} cannot be built from {source.keys}"):
            return source.make(*parts)

    def state(self, dtype: torch.dtype) -> dict[str, torch.Tensor]:
        """All weights of a network whose weights have sources, by the network's names.

        Args:
            dtype: The dtype of merged weights, each of which is rounded as soon as it is made.

        Raises:
            CheckpointError: One is not there, or cannot be read.
        """
        return {
            name: self.read(name).to(dtype) if self._is_merged(source) else self.read(name)
            for name, source in (self._map or {}).items()
        }

    def _is_merged(self, source: WeightSource) -> bool:
        adapted = self._adapted
        return adapted is not None and any(map(adapted.is_merged, source.keys))

    def stored(self, key: str) -> torch.Tensor:
        """A stored weight, with the adapter applied if there is one.

        Args:
            key: Its name in the files; for one of a further file `FILE:NAME`.

        Raises:
            CheckpointError: It is not there, or cannot be read.
        """
        if self._adapted is not None and key in self._adapted.changed:
            return self._adapted.read(key, self._in_files)
        return self._in_files(key)

    def _in_files(self, key: str) -> torch.Tensor:
        file, _, inner = key.partition(IN_FILE)
        if file not in self._weights.further_files:
            file, inner = self._file_of(key), key
        path = self._fetch(file)
        if path is None:
            raise CheckpointError(
                f"{self._name}: the weight {inner!r} should be in {file}, but that file does not "
                "exist."
            )
        if is_safetensors(file):
            from safetensors import safe_open

            with (
                as_checkpoint_error(f"{path}: {inner} cannot be read"),
                safe_open(path, framework="pt") as weights,
            ):
                return weights.get_tensor(inner)  # type: ignore[no-any-return]
        if path not in self._pickles:
            self._pickles[path] = load_pickle(path)
        weight = self._pickles[path].get(inner)
        if weight is None:
            raise CheckpointError(f"{path}: {inner} is missing from this file.")
        return weight

    def _file_of(self, key: str) -> str:
        if len(self._weights.files) == 1:
            return self._weights.files[0]
        file = self._shard_of.get(key)
        if file is None:
            raise CheckpointError(
                f"{self._name}: the index does not list {key!r}. The checkpoint "
                "is incomplete; download it again."
            )
        return file

    @cached_property
    def _shard_of(self) -> Mapping[str, str]:
        file = SAFETENSORS_FILE if self._weights.safetensors else PICKLE_FILE
        path = self._fetch(f"{file}.index.json")
        return {} if path is None else read_json(path)["weight_map"]
