"""Reading single weights of a checkpoint, without executing anything it contains."""

from __future__ import annotations

from pathlib import Path

import torch

from ultrarm_eval.errors import CheckpointError, first_line
from ultrarm_eval.judges.checkpoint_files import Fetch, read_json

SAFETENSORS_FILE, PICKLE_FILE = "model.safetensors", "pytorch_model.bin"


def weight_names(name: str, path: Path, *, safetensors: bool) -> set[str]:
    """Names of the weights in a file.

    Raises:
        CheckpointError: The file is damaged, or holds more than plain tensors.
    """
    if safetensors:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt") as weights:
                return set(weights.keys())
        except SafetensorError as error:
            raise CheckpointError(f"{name}: {SAFETENSORS_FILE} is damaged: {error}") from error
    return set(_load_pickle(path))


def _load_pickle(path: Path) -> dict[str, torch.Tensor]:
    """Reads a pickled state dict: tensors only, no code is ever executed."""
    try:
        try:
            return dict(torch.load(path, map_location="cpu", weights_only=True, mmap=True))
        except RuntimeError:
            # Files written before the zip format cannot be mapped.
            return dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:
        raise CheckpointError(
            f"{path}: these weights cannot be read as plain tensors, and code in a checkpoint is "
            f"never executed ({first_line(error)})."
        ) from error


def read_weight(fetch: Fetch, key: str, *, safetensors: bool) -> torch.Tensor:
    """Reads one weight as stored, without loading the others."""
    name = SAFETENSORS_FILE if safetensors else PICKLE_FILE
    path = fetch(name)
    if path is None:
        index_path = fetch(f"{name}.index.json")
        name = read_json(index_path)["weight_map"][key] if index_path is not None else name
        path = fetch(name)
    if path is None:
        raise CheckpointError(f"The checkpoint's index names {name}, and there is no such file.")
    if safetensors:
        from safetensors import safe_open

        with safe_open(path, framework="pt") as weights:
            return weights.get_tensor(key)  # type: ignore[no-any-return]
    return _load_pickle(path)[key]
