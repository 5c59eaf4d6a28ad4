"""Writing safetensors tensor by tensor, so that one of them is in memory at a time.

The format (huggingface/safetensors, README): eight bytes with the length of the header, the
header, a JSON object of dtype, shape and offsets of each tensor, and the numbers, one tensor after
the other. The library writes whole files of tensors that are all in memory.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ultrarm_eval.errors import CheckpointError

#: The format's names of the dtypes that weights are written in.
DTYPE_NAMES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
}
_LENGTH, _ALIGNED = 8, 8
_METADATA = "__metadata__"


@dataclass(frozen=True)
class PlannedTensor:
    """A tensor to write.

    Attributes:
        name: Its name.
        dtype: One of `DTYPE_NAMES`.
        shape: Its shape.
    """

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Its bytes."""
        return torch.Size(self.shape).numel() * self.dtype.itemsize


def shards(tensors: Sequence[PlannedTensor], most: int) -> list[list[PlannedTensor]]:
    """Splits tensors into files of at most `most` bytes, in order; a larger one gets its own file.

    Args:
        tensors: The tensors.
        most: The maximum size of a file in bytes.
    """
    found: list[list[PlannedTensor]] = []
    room = 0
    for tensor in tensors:
        if not found or tensor.size > room:
            found.append([])
            room = most
        found[-1].append(tensor)
        room -= tensor.size
    return found


def write_tensors(
    path: Path,
    tensors: Sequence[PlannedTensor],
    read: Callable[[str], torch.Tensor],
    metadata: dict[str, str],
) -> dict[str, str]:
    """Writes a file; tensors are read and written one after the other.

    Args:
        path: The file, which does not exist yet.
        tensors: The tensors to write.
        read: Returns the numbers of a tensor.
        metadata: Texts for the header.

    Returns:
        The SHA-256 of the numbers of each tensor, by its name.

    Raises:
        CheckpointError: Numbers are of another dtype or shape than was planned.
        OSError: The file cannot be written.
    """
    # The library's order, in which every tensor is aligned: the widest numbers come first.
    ordered = sorted(tensors, key=lambda one: (-one.dtype.itemsize, one.name))
    digests = {}
    with path.open("xb") as file:
        file.write(_header(ordered, metadata))
        for planned in ordered:
            numbers = _bytes_of(planned, read(planned.name))
            digests[planned.name] = hashlib.sha256(numbers).hexdigest()
            file.write(numbers)
        file.flush()
        os.fsync(file.fileno())
    return digests


def _header(tensors: Sequence[PlannedTensor], metadata: dict[str, str]) -> bytes:
    places: dict[str, object] = {_METADATA: metadata} if metadata else {}
    start = 0
    for one in tensors:
        places[one.name] = {
            "dtype": DTYPE_NAMES[one.dtype],
            "shape": list(one.shape),
            "data_offsets": [start, start + one.size],
        }
        start += one.size
    header = json.dumps(places, separators=(",", ":")).encode()
    header += b" " * (-len(header) % _ALIGNED)
    return len(header).to_bytes(_LENGTH, "little") + header


def _bytes_of(planned: PlannedTensor, tensor: torch.Tensor) -> memoryview:
    """The numbers as bytes for the file; without a copy where they are contiguous."""
    if tensor.dtype != planned.dtype or tuple(tensor.shape) != planned.shape:
        raise CheckpointError(
            f"The weight {planned.name!r} is {tensor.dtype} with the shape {list(tensor.shape)} "
            f"instead of {planned.dtype} with {list(planned.shape)}: its file changed during the "
            "conversion. Convert it again."
        )
    flat = tensor.detach().contiguous().reshape(-1).view(torch.uint8)
    return flat.numpy().data
