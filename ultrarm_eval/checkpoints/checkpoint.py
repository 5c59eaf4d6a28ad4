"""A reward model's checkpoint, inspected before anything large is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ultrarm_eval.checkpoints.adapted_weights import AdaptedWeights
from ultrarm_eval.checkpoints.adapters import Adapter
from ultrarm_eval.checkpoints.architecture import Architecture
from ultrarm_eval.checkpoints.digest import digest_of_files, digest_with_adapter
from ultrarm_eval.checkpoints.files import Fetch, hub_commit
from ultrarm_eval.checkpoints.head_numbers import require_finite_head
from ultrarm_eval.checkpoints.network import built, described
from ultrarm_eval.checkpoints.pickles import is_zip, verify_checksums
from ultrarm_eval.checkpoints.scalar_decoder import ULTRARM
from ultrarm_eval.checkpoints.stored_quantization import method_of, refuse_quantized_head
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.unread_weights import refuse_unread, without_language_heads
from ultrarm_eval.checkpoints.weight_map import WeightMap, WeightSource, renamed, renamed_keys
from ultrarm_eval.checkpoints.weight_reader import WeightReader
from ultrarm_eval.checkpoints.weights import (
    StoredWeight,
    WeightFiles,
    look_into,
    require_fitting,
)
from ultrarm_eval.errors import CheckpointError, OtherKindError

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Checkpoint:
    """The location of a checkpoint and the content of its small files.

    Attributes:
        name: The folder or hub id, as given.
        revision: The hub revision, as given.
        commit: The hub commit it resolved to; None for a folder.
        architecture: Its type.
        config: Its configuration.
        network: The network that it describes, without weights (on the device `meta`).
        weights: Its weight files.
        fetch: How to get its files by name.
        weight_map: How the network's weights are built from the stored ones; None where the files
            have them by the network's names.
        adapter: The adapter that is merged into it, if there is one.
        adapted: The stored weights with that adapter applied.
    """

    name: str
    revision: str | None
    commit: str | None
    architecture: Architecture
    config: Any
    network: nn.Module
    weights: WeightFiles
    fetch: Fetch
    weight_map: WeightMap | None = None
    adapter: Adapter | None = None
    adapted: AdaptedWeights | None = None

    @property
    def safetensors(self) -> bool:
        """Whether the weights are safetensors (otherwise pickles, read weights-only)."""
        return self.weights.safetensors

    @property
    def is_quantized(self) -> bool:
        """Whether the weights are stored quantized."""
        return getattr(self.config, "quantization_config", None) is not None

    @property
    def stored_dtype(self) -> torch.dtype:
        """The weights' dtype according to the configuration (float32 if it names none)."""
        stored = getattr(self.config, "dtype", None) or getattr(self.config, "torch_dtype", None)
        if isinstance(stored, torch.dtype):
            return stored
        return DTYPES.get(str(stored).removeprefix("torch."), torch.float32)

    def parameter_count(self) -> int:
        """Number of weights that its configuration describes."""
        return sum(weight.numel() for weight in self.network.parameters())

    def weight_bytes(self, dtype: torch.dtype) -> int:
        """Memory of the weights in a dtype, from the index if there is one."""
        if self.weights.total_size is not None:
            return self.weights.total_size * dtype.itemsize // self.stored_dtype.itemsize
        return self.parameter_count() * dtype.itemsize

    def layer_parameters(self) -> int:
        """Weights that every token is multiplied with: all except the embedding."""
        embedded = int(self.config.vocab_size) * int(self.config.hidden_size)
        return self.parameter_count() - embedded

    @property
    def positions(self) -> int | None:
        """The number of positions; None for no limit, which some configurations write as -1."""
        positions = getattr(self.config, "max_position_embeddings", None)
        return None if positions is None or positions < 1 else int(positions)

    def require_sound_weights(self) -> None:
        """Rejects damaged weights, and weights that do not fit the network, before they are loaded.

        Raises:
            CheckpointError: There are such weights.
        """
        for path in map(self.fetch, self.weights.pickles):
            if path is not None:
                verify_checksums(self.name, path)
        self.require_read_and_fitting(self.look_into())
        self.require_finite_head()

    def look_into(self) -> dict[str, StoredWeight]:
        """The weights in all files, with the adapter applied if there is one.

        Raises:
            CheckpointError: A file is missing or damaged.
        """
        found = look_into(self.name, self.weights, self.fetch)
        return found if self.adapted is None else {**found, **self.adapted.stored}

    def require_read_and_fitting(self, stored: Mapping[str, StoredWeight]) -> None:
        """Rejects weights that the network would not use, or whose dtype or shape is wrong.

        Args:
            stored: The weights in the files, as far as they were inspected.

        Raises:
            CheckpointError: There are such weights.
        """
        keys = renamed_keys(self.weight_map, self.weights.keys | set(stored))
        known = renamed(self.weight_map, stored)
        shapes = {key: weight.shape for key, weight in known.items()}
        refuse_unread(self.name, self.network, keys, shapes, is_quantized=self.is_quantized)
        require_fitting(self.name, self.network, known, is_quantized=self.is_quantized)

    def require_finite_head(self) -> None:
        """Rejects a head with NaN or infinity; reads only the head's weights.

        Raises:
            CheckpointError: There is such a number.
        """
        keys = renamed_keys(self.weight_map, self.weights.keys)
        require_finite_head(self.name, self.network, self.reader(), self.weight_map, keys)

    def require_adapted(self) -> None:
        """Rejects an adapter that changes unused weights, or has other shapes.

        Raises:
            CheckpointError: It has such an adapter.
        """
        if self.adapted is None or self.weight_map is None:
            return
        known = self.network.state_dict(keep_vars=True)
        sources = {name: source for name, source in self.weight_map.items() if name in known}
        taken = {key for source in sources.values() for key in source.keys}
        self.adapted.require_read({*known, *taken}, type(self.network).__name__)
        self.adapted.require_shapes(
            {
                source.keys[0]: tuple(known[name].shape)
                for name, source in sources.items()
                if source.make is None
            }
        )

    def reader(self) -> WeightReader:
        """A reader of its weights by the network's names."""
        return WeightReader(self.name, self.weights, self.fetch, self.weight_map, self.adapted)

    def digest(self) -> str:
        """Identifies the weights: the hub commit, or the SHA-256 of a folder's files.

        With an adapter, both and the files of the tokenizer that comes with it.
        """
        base = self.commit or digest_of_files(self.name, self.weights, self.fetch)
        return base if self.adapter is None else digest_with_adapter(base, self.adapter)


def open_checkpoint(
    name: str,
    revision: str | None = None,
    architecture: Architecture = ULTRARM,
    *,
    peft: str | None = None,
    peft_revision: str | None = None,
) -> Checkpoint:
    """Finds a checkpoint and checks that it is a reward model of the given type.

    Args:
        name: A folder, or a hub id.
        revision: Branch, tag or commit on the hub.
        architecture: The type.
        peft: An adapter to merge into it: a folder, or a hub id.
        peft_revision: Branch, tag or commit of that.

    Raises:
        CheckpointError: Not found, not reachable, of another type, or without its head.
    """
    return open_surveyed(Survey(name, revision, peft, peft_revision), architecture)


def open_surveyed(survey: Survey, architecture: Architecture) -> Checkpoint:
    """Like `open_checkpoint`, for a checkpoint whose small files were read.

    Args:
        survey: The small files.
        architecture: The type.

    Raises:
        CheckpointError: See `open_checkpoint`.
    """
    try:
        method = method_of(survey.values)
        if method is not None:
            refuse_quantized_head(survey.name, survey.values, survey.keys)
        survey = survey.with_files(architecture.further_files)
        config = described(survey, architecture)
        weight_map = architecture.weight_map(config, survey)
        if method is not None and weight_map is not None:
            raise CheckpointError(
                f"{survey.name}: its weights are stored quantized ({method}), which is not "
                f"supported for {architecture.known_as}. Use the checkpoint that it was quantized "
                "from."
            )
        network = built(config, survey, architecture)
    except OtherKindError:
        # An unmerged adapter can look like another type: the survey of its weights reports it.
        _ = survey.weights
        raise
    if weight_map is None and survey.adapter is not None:
        weight_map = _identity(network, survey)
    checkpoint = Checkpoint(
        name=survey.name,
        revision=survey.revision,
        commit=None if survey.is_folder else hub_commit(survey.config_path),
        architecture=architecture,
        config=config,
        network=network,
        weights=survey.weights,
        fetch=survey.fetch,
        weight_map=weight_map,
        adapter=survey.adapter,
        adapted=survey.adapted,
    )
    checkpoint.require_adapted()
    if not (survey.is_folder and _is_quick_to_read(checkpoint)):
        checkpoint.require_read_and_fitting(survey.weights.stored or {})
        return checkpoint
    checkpoint.require_read_and_fitting(checkpoint.look_into())
    checkpoint.require_finite_head()
    return checkpoint


def _identity(network: nn.Module, survey: Survey) -> WeightMap:
    """A map of unchanged weights: transformers gets the weights, and reads no files."""
    own, body = set(network.state_dict(keep_vars=True)), f"{network.base_model_prefix}."
    return {
        # Some files lack the body's prefix, which not every version of transformers adds.
        body + key if key not in own and body + key in own else key: WeightSource.of(key)
        for key in without_language_heads(network, survey.keys)
    }


def _is_quick_to_read(checkpoint: Checkpoint) -> bool:
    """Whether single weights can be read; old pickles are read as a whole, when loaded."""
    paths = [checkpoint.fetch(file) for file in checkpoint.weights.files]
    return checkpoint.safetensors or all(path is not None and is_zip(path) for path in paths)
