"""The weights of an adapter: assigns each tensor to a part of a module's change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch

from ultrarm_eval.checkpoints.files import Fetch
from ultrarm_eval.checkpoints.foreign_errors import as_checkpoint_error
from ultrarm_eval.checkpoints.pickles import load_pickle, verify_checksums
from ultrarm_eval.checkpoints.weights import (
    StoredWeight,
    stored_weights,
)
from ultrarm_eval.errors import CheckpointError

#: In PEFT's own order.
ADAPTER_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")

# Files whose numbers were verified: they are inspected several times before loading.
_CHECKED: set[tuple[Path, int, int]] = set()
_PREFIX = "base_model.model."
# Dumps of a model's own state name the adapter within its weights: `lora_A.default.weight`.
_NAMED = r"(?:\.default)?"
_PARTS = {
    "a": re.compile(rf"(.+)\.lora_A{_NAMED}\.weight"),
    "b": re.compile(rf"(.+)\.lora_B{_NAMED}\.weight"),
    "bias": re.compile(rf"(.+)\.lora_B{_NAMED}\.bias"),
    "embedding_a": re.compile(rf"(.+)\.lora_embedding_A{_NAMED}"),
    "embedding_b": re.compile(rf"(.+)\.lora_embedding_B{_NAMED}"),
    "magnitude": re.compile(rf"(.+)\.lora_magnitude_vector{_NAMED}(?:\.weight)?"),
    "rows": re.compile(rf"(.+)\.token_adapter\.trainable_tokens_delta{_NAMED}"),
}
_TRAINED = re.compile(r"(.+)\.modules_to_save\.(?:default\.)?([^.].*)")
_ORIGINAL = re.compile(r"(.+)\.original_module\..+")
_WRAPPED = re.compile(r"(.+?)\.(?:token_adapter\.)?base_layer\.([^.]+)")
# Names of tensors of PEFT's other adapter types.
_OTHER_KINDS = re.compile(
    r"(^|\.)(lora_|lokr_|hada_|ia3_|vera_|oft_|boft_|token_adapter\.|base_layer\.|original_module\."
    r"|prompt_encoder\.|prompt_embeddings)"
)


@dataclass(frozen=True)
class AdapterParts:
    """The tensors of an adapter by their role.

    Attributes:
        changes: Names of the tensors of low-rank changes and trained rows: by the module's name in
            the model, and the part (`a`, `b`, `bias`, `embedding_a`, `embedding_b`, `magnitude`,
            `rows`).
        whole: Names of tensors that replace a weight, by the weight's name in the model.
    """

    changes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    whole: Mapping[str, str] = field(default_factory=dict)


class AdapterWeights:
    """The tensors of an adapter's file, read one by one.

    Attributes:
        path: The file.
        stored: Its tensors' dtypes and shapes, by name.
    """

    def __init__(self, name: str, path: Path) -> None:
        """Reads the dtypes and shapes of the tensors.

        Args:
            name: The adapter, for messages.
            path: The file.

        Raises:
            CheckpointError: It is damaged, or contains more than plain tensors.
        """
        self._name, self.path = name, path
        self._safetensors = path.suffix == ".safetensors"
        if not self._safetensors:
            verify_checksums(name, path)
        self.stored: Mapping[str, StoredWeight] = stored_weights(
            name, path, safetensors=self._safetensors
        )

    @cached_property
    def parts(self) -> AdapterParts:
        """The tensors by their role.

        Raises:
            CheckpointError: A tensor has no known role, or two have the same one.
        """
        changes: dict[str, dict[str, str]] = {}
        whole: dict[str, str] = {}
        originals = []
        for key in sorted(self.stored):
            inner = key.removeprefix(_PREFIX)
            if inner == key:
                raise self._unread(key, f"does not begin with {_PREFIX!r}")
            part, match = _part_of(inner)
            if match is not None:
                self._place(changes.setdefault(match[1], {}), part, key)
                continue
            trained, original = _TRAINED.fullmatch(inner), _ORIGINAL.fullmatch(inner)
            wrapped = _WRAPPED.fullmatch(inner)
            if trained is not None:
                self._place(whole, f"{trained[1]}.{trained[2]}", key)
            elif original is not None:
                originals.append((original[1], key))
            elif wrapped is not None:
                self._place(whole, f"{wrapped[1]}.{wrapped[2]}", key)
            elif _OTHER_KINDS.search(inner):
                raise self._unread(key, "is of an unsupported type")
            else:
                self._place(whole, inner, key)
        for module, key in originals:
            # A trained module's original weight: the model does not use it.
            if not any(name.startswith(f"{module}.") for name in whole):
                raise self._unread(
                    key, "is a module's original weight, but the trained one is missing"
                )
        return AdapterParts(changes, whole)

    def require_numbers(self) -> None:
        """Rejects tensors with NaN or infinity, before anything slow begins.

        Raises:
            CheckpointError: There is such a tensor.
        """
        if not self.stored:
            raise CheckpointError(f"{self._name}: {self.path.name} contains no weights.")
        stat = self.path.stat()
        checked = (self.path, stat.st_size, stat.st_mtime_ns)
        if checked in _CHECKED:
            return
        for key, weight in self.stored.items():
            if not weight.is_floating:
                raise CheckpointError(
                    f"{self._name}: its weight {key!r} is stored as {weight.dtype}; weights of an "
                    "adapter must be real floating-point numbers."
                )
            if not weight.size:
                raise CheckpointError(
                    f"{self._name}: its weight {key!r} has the shape {list(weight.shape)}: it is "
                    "empty, as if DeepSpeed (ZeRO-3) or FSDP saved only one shard. Save the "
                    "adapter again with gathered weights."
                )
            if not torch.isfinite(self.read(key).to(torch.float32)).all():
                raise CheckpointError(
                    f"{self._name}: its weight {key!r} contains NaN or infinity: the training "
                    "diverged, or the file is damaged."
                )
        _CHECKED.add(checked)

    def read(self, key: str) -> torch.Tensor:
        """A tensor as it is stored.

        Args:
            key: Its name in the file.

        Raises:
            CheckpointError: It cannot be read.
        """
        if not self._safetensors:
            return self._pickled[key]
        from safetensors import safe_open

        with (
            as_checkpoint_error(f"{self.path}: {key} cannot be read"),
            safe_open(self.path, framework="pt") as weights,
        ):
            return weights.get_tensor(key)  # type: ignore[no-any-return]

    @cached_property
    def _pickled(self) -> dict[str, torch.Tensor]:
        return load_pickle(self.path)

    def _place(self, found: dict[str, str], part: str, key: str) -> None:
        if part in found:
            raise CheckpointError(f"{self._name}: {found[part]!r} and {key!r} are the same weight.")
        found[part] = key

    def _unread(self, key: str, why: str) -> CheckpointError:
        return CheckpointError(
            f"{self._name}: its weight {key!r} {why}, so it would be ignored and the rewards "
            "would be wrong. Only LoRA adapters as written by PEFT's save_pretrained are "
            "supported."
        )


def find_weights(name: str, fetch: Fetch) -> AdapterWeights | None:
    """The weights of an adapter; None if there are none.

    Args:
        name: The adapter, for messages.
        fetch: How to get its files.
    """
    paths = (fetch(file) for file in ADAPTER_WEIGHTS)
    path = next((path for path in paths if path is not None), None)
    return None if path is None else AdapterWeights(name, path)


def _part_of(inner: str) -> tuple[str, re.Match[str] | None]:
    for part, pattern in _PARTS.items():
        match = pattern.fullmatch(inner)
        if match is not None:
            return part, match
    return "", None
