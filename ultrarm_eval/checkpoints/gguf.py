"""GGUF files: refused, because the head of a reward model does not come back out of them."""

from __future__ import annotations

from pathlib import Path

from ultrarm_eval.errors import CheckpointError

_ENDING = ".gguf"
# As people call hub repositories of such files.
_CALLED = "gguf"


def refuse_gguf_file(name: str) -> None:
    """Refuses the path of a GGUF file.

    Args:
        name: What was named as the checkpoint.

    Raises:
        CheckpointError: It is one.
    """
    if name.lower().endswith(_ENDING):
        raise _refusal(name, name)


def refuse_gguf_alone(name: str) -> None:
    """Refuses a checkpoint without the files of transformers that has GGUF files.

    Args:
        name: The checkpoint in which config.json or weights were not found.

    Raises:
        CheckpointError: It is one, as far as that can be seen: a hub's files are not listed, and
            its name is taken at its word.
    """
    folder = Path(name).expanduser()
    files = sorted(folder.glob(f"*{_ENDING}")) if folder.is_dir() else []
    if files or (not folder.is_dir() and name.lower().endswith(_CALLED)):
        raise _refusal(name, files[0].name if files else name)


def _refusal(name: str, file: str) -> CheckpointError:
    return CheckpointError(
        f"{name}: {file} is in GGUF, and reward models in GGUF are not read: transformers restores "
        "weights from it by a table of names that has no head but a language model's (the package "
        "gguf), so the head would be random. Give the checkpoint that it was made from, in "
        "safetensors; quantization=int8 makes that as small."
    )
