"""GGUF files are rejected, because they do not contain a reward model's head."""

from __future__ import annotations

from pathlib import Path

from ultrarm_eval.errors import CheckpointError

_ENDING = ".gguf"
# Common names of hub repositories with such files.
_CALLED = "gguf"


def refuse_gguf_file(name: str) -> None:
    """Refuses the path of a GGUF file.

    Args:
        name: The path or hub id of the checkpoint.

    Raises:
        CheckpointError: It is a GGUF file.
    """
    if name.lower().endswith(_ENDING):
        raise _refusal(name, name)


def refuse_gguf_alone(name: str) -> None:
    """Refuses a checkpoint without the files of transformers that has GGUF files.

    Args:
        name: The checkpoint in which config.json or weights were not found.

    Raises:
        CheckpointError: It is one; on the hub, whose files are not listed, this is decided by the
            name.
    """
    folder = Path(name).expanduser()
    files = sorted(folder.glob(f"*{_ENDING}")) if folder.is_dir() else []
    if files or (not folder.is_dir() and name.lower().endswith(_CALLED)):
        raise _refusal(name, files[0].name if files else name)


def _refusal(name: str, file: str) -> CheckpointError:
    return CheckpointError(
        f"{name}: {file} is a GGUF file, and reward models in GGUF are not supported: "
        "transformers restores only a language model's head from it (with the package gguf), so "
        "the reward head would be random. Use the checkpoint that it was made from, in "
        "safetensors; quantization=int8 reduces its size similarly."
    )
