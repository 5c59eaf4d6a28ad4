"""A checkpoint's config.json and weight names, read before anything large."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ultrarm_eval.checkpoints.adapted_config import (
    adapted_values,
    require_trained_class,
    unties_head,
)
from ultrarm_eval.checkpoints.adapted_weights import AdaptedWeights
from ultrarm_eval.checkpoints.adapters import Adapter, find_adapter, refuse_adapter_weights
from ultrarm_eval.checkpoints.fields import require_config_values
from ultrarm_eval.checkpoints.files import Fetch, fetcher, own_name, read_json
from ultrarm_eval.checkpoints.gguf import refuse_gguf_alone, refuse_gguf_file
from ultrarm_eval.checkpoints.hub_headers import weights_on_hub
from ultrarm_eval.checkpoints.weights import (
    PICKLE_FILE,
    SAFETENSORS_FILE,
    StoredWeight,
    WeightFiles,
    stored_weights,
    survey_weights,
    with_further,
)
from ultrarm_eval.errors import CheckpointError

__all__ = ["Survey"]


class Survey:
    """A checkpoint's small files; with an adapter, those of its base with the adapter applied.

    Attributes:
        name: The folder or hub id.
        revision: The hub revision, as given.
        is_folder: Whether it is a local folder.
        fetch: How to get its files by name.
        config_path: Where its config.json is.
        values: The content of its config.json.
        adapter: The adapter that is merged into it, if there is one.
    """

    def __init__(
        self,
        name: str,
        revision: str | None = None,
        peft: str | None = None,
        peft_revision: str | None = None,
    ) -> None:
        """Reads config.json.

        Args:
            name: A folder, or a hub id; also an adapter's, whose base is then found.
            revision: Branch, tag or commit on the hub.
            peft: An adapter to put on it: a folder, or a hub id.
            peft_revision: Branch, tag or commit of that.

        Raises:
            CheckpointError: Not found, not reachable, an adapter that cannot be read, or a
                config.json with a value that its field cannot have.
        """
        refuse_gguf_file(name)
        self.adapter: Adapter | None = find_adapter(name, revision, peft, peft_revision)
        if self.adapter is not None and self.adapter.is_alone:
            name, revision = self.adapter.base()
        self.is_folder = Path(name).expanduser().is_dir()
        self.name = str(Path(name).expanduser()) if self.is_folder else name
        self.revision = revision
        try:
            self.fetch: Fetch = fetcher(name, revision)
            self.config_path, self.values = read_config(self.name, self.fetch)
        except CheckpointError as error:
            if self.adapter is None or not self.adapter.is_alone:
                raise
            raise CheckpointError(
                f"{self.adapter.name}: this adapter was trained on {name!r}, which cannot be "
                f"found. {self.adapter.how_to_name_it()} {error}"
            ) from error
        self._base_values = self.values
        self._looked_into: dict[Path, Mapping[str, StoredWeight]] = {}
        if self.adapter is not None:
            require_trained_class(self.adapter, self.name, self.values)
            self.values = adapted_values(self.adapter, self.name, self.values, self.fetch)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that config.json names (`architectures`)."""
        return tuple(str(one) for one in self.values.get("architectures") or ())

    @property
    def model_type(self) -> str:
        """The family that config.json names; empty if it names none."""
        return str(self.values.get("model_type") or "")

    @property
    def called(self) -> tuple[str, ...]:
        """Its names in lower case: from its folder or hub id, and from its config.json."""
        names = (self.name, self.values.get("_name_or_path"))
        return tuple(own_name(str(name)).lower() for name in names if name)

    @cached_property
    def weights(self) -> WeightFiles:
        """The weight files; with an adapter, their content has it applied.

        Raises:
            CheckpointError: There are none, a file or the index is damaged, or they are an
                adapter's.
        """
        found, adapted = self._base_weights, self.adapted
        if adapted is None:
            return found
        stored = None if found.stored is None else {**found.stored, **adapted.stored}
        return replace(found, keys=found.keys | frozenset(adapted.changed), stored=stored)

    @cached_property
    def _base_weights(self) -> WeightFiles:
        found = None if self.is_folder else weights_on_hub(self.name, self.revision)
        if found is None:
            found = survey_weights(self.name, self.fetch, is_folder=self.is_folder)
        refuse_adapter_weights(self.name, found.keys)
        return found

    @cached_property
    def adapted(self) -> AdaptedWeights | None:
        """The weights with the adapter applied; None without one.

        Raises:
            CheckpointError: It changes weights that are not there, or lacks a part of a change.
        """
        if self.adapter is None:
            return None
        return AdaptedWeights(
            self.adapter.name,
            self.adapter.config,
            self.adapter.weights,
            self.name,
            self._base_weights.keys,
            self.model_type,
            unties_head(self.adapter, self._base_values),
        )

    @property
    def keys(self) -> frozenset[str]:
        """The names of the weights."""
        return self.weights.keys

    def shape(self, key: str) -> tuple[int, ...] | None:
        """The shape of a stored weight; None if there is no such weight.

        Args:
            key: Its name in the files. Its file is inspected.
        """
        if key not in self.keys:
            return None
        weights, adapted = self.weights, self.adapted
        if adapted is not None and key in adapted.stored:
            return adapted.stored[key].shape
        looked_into = weights.further if weights.stored is None else weights.stored
        if key in looked_into or weights.stored is not None:
            return looked_into[key].shape if key in looked_into else None
        index = f"{SAFETENSORS_FILE if weights.safetensors else PICKLE_FILE}.index.json"
        index_path = self.fetch(index)
        file = None if index_path is None else read_json(index_path)["weight_map"].get(key)
        path = None if file is None else self.fetch(file)
        if path is None:
            raise CheckpointError(
                f"{self.name}: the index does not list {key!r}. The checkpoint "
                "is incomplete; download it again."
            )
        found = self._stored_in(path)
        return found[key].shape if key in found else None

    def with_files(self, files: Sequence[str]) -> Survey:
        """The same survey, with the weights of files besides the checkpoint's own.

        Args:
            files: Their names; see `Architecture.further_files`.

        Raises:
            CheckpointError: See `weights`, or one of them is damaged.
        """
        if not files:
            return self
        more = copy.copy(self)
        more.__dict__["weights"] = with_further(self.name, self.weights, files, self.fetch)
        return more

    def _stored_in(self, path: Path) -> Mapping[str, StoredWeight]:
        if path not in self._looked_into:
            safetensors = self.weights.safetensors
            self._looked_into[path] = stored_weights(self.name, path, safetensors=safetensors)
        return self._looked_into[path]


def read_config(name: str, fetch: Fetch) -> tuple[Path, dict[str, Any]]:
    """A checkpoint's config.json: its path and its content.

    Args:
        name: The checkpoint, for messages.
        fetch: How to get its files.

    Raises:
        CheckpointError: There is none, or a field has a value that is not allowed.
    """
    path = fetch("config.json")
    if path is None:
        refuse_gguf_alone(name)
        raise CheckpointError(
            f"{name}: there is no config.json, so this is not a checkpoint. "
            "Name a folder with config.json."
        )
    values = read_json(path)
    require_config_values(name, values)
    return path, values
