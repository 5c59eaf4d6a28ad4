"""Pickled weights: read weights-only, so that nothing that they contain is ever executed."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import torch

from ultrarm_eval.checkpoints.foreign_errors import as_checkpoint_error, quoted
from ultrarm_eval.errors import CheckpointError

_BLOCK = 1 << 22


def load_pickle(path: Path) -> dict[str, torch.Tensor]:
    """Reads a pickled state dict: tensors only, no code is ever executed.

    Raises:
        CheckpointError: It is not such a dict.
    """
    what = (
        f"{path}: these weights cannot be read as plain tensors; a file is damaged, or contains "
        "code, and code in checkpoints is never executed"
    )
    with as_checkpoint_error(what):
        try:
            state: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError:
            # Files written before the zip format cannot be mapped.
            state = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(state, dict):
        raise CheckpointError(
            f"{what} (it contains a {type(state).__name__}, not weights by name)."
        )
    for key, value in state.items():
        if not isinstance(key, str) or not isinstance(value, torch.Tensor):
            raise CheckpointError(
                f"{what} ({quoted(key)} is a {type(value).__name__}, not a tensor)."
            )
    return dict(state)


def verify_checksums(name: str, path: Path) -> None:
    """Compares the parts of a pickle in the zip format with the checksums in the file.

    torch does not verify them: a flipped bit would load as another weight. Files without checksums
    (of torch before 1.6, or written without them) are not checked here.

    Args:
        name: The checkpoint, for messages.
        path: The file.

    Raises:
        CheckpointError: A part does not match its checksum.
    """
    what = (
        f"{name}: the weights cannot be loaded because {path.name} is damaged. Copy or download "
        "it again"
    )
    with as_checkpoint_error(what):
        if is_zip(path):
            _read_all(path)


def _read_all(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
        if any(part.CRC for part in parts):
            for part in parts:
                with archive.open(part) as content:
                    while content.read(_BLOCK):
                        pass


def is_zip(path: Path) -> bool:
    """Whether a file begins as zip files do."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"
