"""Writes a checkpoint as transformers' own classifier, one weight at a time."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from ultrarm_eval.checkpoints.checkpoint import DTYPES, Checkpoint
from ultrarm_eval.checkpoints.conversion_record import RECORD, ConversionRecord
from ultrarm_eval.checkpoints.safetensors_writer import (
    DTYPE_NAMES,
    PlannedTensor,
    shards,
    write_tensors,
)
from ultrarm_eval.checkpoints.standard_classifier import (
    StandardClassifier,
    is_rounded,
    read_numbers,
)
from ultrarm_eval.checkpoints.weights import SAFETENSORS_FILE
from ultrarm_eval.errors import CheckpointError

logger = logging.getLogger(__name__)

# The names of dtypes in files of safetensors and of torch.
_STORED = {
    **{name: dtype for dtype, name in DTYPE_NAMES.items()},
    **{str(dtype).removeprefix("torch."): dtype for dtype in DTYPE_NAMES},
}
_METADATA = {"format": "pt"}


@dataclass(frozen=True)
class WrittenWeights:
    """The written weights.

    Attributes:
        files: The names of their files.
        size: Bytes of all numbers.
        digest: The SHA-256 of all names, dtypes, shapes and numbers, independent of how they are
            split into files.
    """

    files: tuple[str, ...]
    size: int
    digest: str


class Conversion:
    """A checkpoint to write as a classifier of transformers.

    Attributes:
        checkpoint: The checkpoint.
        standard: The checkpoint as a classifier.
    """

    def __init__(
        self, checkpoint: Checkpoint, standard: StandardClassifier, dtype: str | None = None
    ) -> None:
        """Takes the checkpoint to write.

        Args:
            checkpoint: The checkpoint.
            standard: The checkpoint as a classifier.
            dtype: The dtype of the written weights; the stored one if None. The final norm and the
                head, which judges never round, keep theirs if it is narrower.

        Raises:
            CheckpointError: A weight is stored as something else than floating-point numbers.
        """
        self.checkpoint, self.standard = checkpoint, standard
        self._dtype = None if dtype is None else DTYPES[dtype]
        self._rounded: list[str] = []
        self.tensors = tuple(
            PlannedTensor(name, self._dtype_of(name), shape)
            for name, shape in standard.shapes.items()
        )

    @property
    def size(self) -> int:
        """Bytes of the weights as they will be written."""
        return sum(one.size for one in self.tensors)

    @property
    def largest(self) -> int:
        """Bytes of the largest weight in float32; memory holds one or two of them at a time."""
        sizes = (torch.Size(one.shape).numel() for one in self.tensors)
        return max(sizes) * torch.float32.itemsize

    @property
    def rounded(self) -> Sequence[str]:
        """The weights that are rounded when they are written."""
        return tuple(self._rounded)

    @property
    def dtype(self) -> torch.dtype:
        """The weights' dtype in the written config.json."""
        return self._dtype or self.checkpoint.stored_dtype

    def dtypes(self) -> dict[str, int]:
        """The number of weights per dtype, by its name."""
        found: dict[str, int] = {}
        for one in self.tensors:
            name = str(one.dtype).removeprefix("torch.")
            found[name] = found.get(name, 0) + 1
        return found

    def config(self, pad_token_id: int | None, record: ConversionRecord | None) -> dict[str, Any]:
        """The content of the written config.json.

        Args:
            pad_token_id: The padding token, which is skipped at the end of a text.
            record: How texts are rendered, if a judge cannot know it by itself.
        """
        return {
            "architectures": [self.standard.class_name],
            **self.standard.values,
            "pad_token_id": pad_token_id,
            # The name that every version of transformers reads.
            "torch_dtype": str(self.dtype).removeprefix("torch."),
            **({} if record is None else {RECORD: record.to_json()}),
        }

    def write(self, folder: Path, most_bytes: int) -> WrittenWeights:
        """Writes the weights, and an index where there are several files.

        Args:
            folder: The target folder.
            most_bytes: The maximum size of a file; a larger weight gets its own file.

        Raises:
            CheckpointError: A weight cannot be read, or is too large for its dtype.
            OSError: A file cannot be written.
        """
        parts = shards(self.tensors, most_bytes)
        dtypes = {one.name: one.dtype for one in self.tensors}
        read = read_numbers(self.checkpoint, self.standard, dtypes)
        digests: dict[str, str] = {}
        file_of: dict[str, str] = {}
        for number, part in enumerate(parts, start=1):
            file = _file_name(number, len(parts))
            logger.info("Writing %s (%d of %d).", file, number, len(parts))
            digests |= write_tensors(folder / file, part, read, _METADATA)
            file_of |= dict.fromkeys((one.name for one in part), file)
        if len(parts) > 1:
            index = {"metadata": {"total_size": self.size}, "weight_map": file_of}
            text = json.dumps(index, indent=2) + "\n"
            (folder / f"{SAFETENSORS_FILE}.index.json").write_text(text, encoding="utf-8")
        files = tuple(dict.fromkeys(file_of.values()))
        return WrittenWeights(files, self.size, self._digest(digests))

    def _digest(self, digests: Mapping[str, str]) -> str:
        lines = sorted(
            f"{one.name} {DTYPE_NAMES[one.dtype]} {list(one.shape)} {digests[one.name]}"
            for one in self.tensors
        )
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def _dtype_of(self, name: str) -> torch.dtype:
        """The dtype that a weight is written in; one that is rounded is noted."""
        source = self.standard.sources[name]
        mapped = (self.checkpoint.weight_map or {}).get(source)
        keys = (source,) if mapped is None else mapped.keys
        adapted = self.checkpoint.adapted
        is_merged = adapted is not None and any(map(adapted.is_merged, keys))
        stored = torch.float32 if is_merged else self._stored_dtype(keys[0])
        wanted = self._dtype
        if wanted is None:
            # The dtype in which a judge loads it by default.
            wanted = self.checkpoint.stored_dtype if is_merged else stored
        if not is_rounded(stored, wanted):
            return wanted
        if name in self.standard.exact:
            return stored
        self._rounded.append(name)
        return wanted

    def _stored_dtype(self, key: str) -> torch.dtype:
        found = self._stored[key].dtype
        if found not in _STORED:
            raise CheckpointError(
                f"{self.checkpoint.name}: its weight {key!r} is stored as {found}; only weights "
                f"in {', '.join(DTYPES)} can be converted."
            )
        return _STORED[found]

    @cached_property
    def _stored(self) -> Mapping[str, Any]:
        return self.checkpoint.look_into()


def _file_name(number: int, count: int) -> str:
    if count == 1:
        return SAFETENSORS_FILE
    return f"model-{number:05d}-of-{count:05d}.safetensors"
