"""Weight files of a checkpoint, and the weights stored in them.

Nothing that they contain is ever executed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import nn

from ultrarm_eval.checkpoints.fields import read_index
from ultrarm_eval.checkpoints.files import Fetch, read_json
from ultrarm_eval.checkpoints.foreign_errors import as_checkpoint_error
from ultrarm_eval.checkpoints.gguf import refuse_gguf_alone
from ultrarm_eval.checkpoints.network_parts import body_prefix
from ultrarm_eval.checkpoints.pickles import load_pickle
from ultrarm_eval.errors import CheckpointError

SAFETENSORS_FILE, PICKLE_FILE = "model.safetensors", "pytorch_model.bin"
#: Separates the name of a further file from the name of a weight in it.
IN_FILE = ":"
# safetensors' names of the floating-point dtypes that need no separate scale.
_FLOATING = ("F16", "BF16", "F32", "F64")
_NAMED = 3


@dataclass(frozen=True)
class StoredWeight:
    """A weight as stored in a file.

    Attributes:
        dtype: Its dtype as the file names it.
        is_floating: Whether that is a plain floating-point dtype.
        shape: Its shape.
    """

    dtype: str
    is_floating: bool
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of its elements."""
        return torch.Size(self.shape).numel()


@dataclass(frozen=True)
class WeightFiles:
    """The weight files of a checkpoint.

    Attributes:
        files: Their names.
        keys: The names of the weights, as far as they are known without loading many gigabytes.
        safetensors: Whether they are safetensors (otherwise pickles, read with weights_only=True).
        total_size: Bytes of all weights as stored, from the index; None without an index.
        stored: The weights in the files, if they were inspected.
        further: The weights in further files, by `FILE:NAME`; also in `keys` and `stored`.
    """

    files: tuple[str, ...]
    keys: frozenset[str]
    safetensors: bool
    total_size: int | None
    stored: dict[str, StoredWeight] | None
    further: dict[str, StoredWeight] = field(default_factory=dict)

    @property
    def further_files(self) -> tuple[str, ...]:
        """The names of the further files."""
        return tuple(sorted({key.partition(IN_FILE)[0] for key in self.further}))

    @property
    def pickles(self) -> tuple[str, ...]:
        """The names of files that are pickles."""
        own = () if self.safetensors else self.files
        return (*own, *(file for file in self.further_files if not is_safetensors(file)))


def is_safetensors(file: str) -> bool:
    """Whether a file is of that format, by its name; otherwise it is a pickle."""
    return file.endswith(".safetensors")


def survey_weights(name: str, fetch: Fetch, *, is_folder: bool = False) -> WeightFiles:
    """Finds the weight files, the names of the weights, their format, and their size if known.

    Args:
        name: The checkpoint, for messages.
        fetch: How to get its files.
        is_folder: Whether all files are local, so that a missing one is noticed.

    Raises:
        CheckpointError: There are none, or a file or the index is damaged.
    """
    # In transformers' own order, so that the inspected files are the loaded ones.
    for file, safetensors in ((SAFETENSORS_FILE, True), (PICKLE_FILE, False)):
        path = fetch(file)
        if path is not None:
            stored = stored_weights(name, path, safetensors=safetensors)
            return WeightFiles((file,), frozenset(stored), safetensors, None, stored)
        index_file = f"{file}.index.json"
        index_path = fetch(index_file)
        if index_path is not None:
            shard_of, size = read_index(name, index_file, read_json(index_path))
            files = tuple(sorted(set(shard_of.values())))
            if is_folder:
                _require_files(name, files, fetch)
            return WeightFiles(files, frozenset(shard_of), safetensors, size, None)
    refuse_gguf_alone(name)
    raise CheckpointError(
        f"{name}: there are no weight files; looked for {SAFETENSORS_FILE} and {PICKLE_FILE}, "
        "each also in shards with an index."
    )


def look_into(name: str, weights: WeightFiles, fetch: Fetch) -> dict[str, StoredWeight]:
    """The weights in all files, by name.

    Raises:
        CheckpointError: A file is missing or damaged.
    """
    if weights.stored is not None:
        return weights.stored
    found = dict(weights.further)
    for file in weights.files:
        path = fetch(file)
        if path is None:
            raise CheckpointError(f"{name}: the index names {file}, but that file does not exist.")
        found.update(stored_weights(name, path, safetensors=weights.safetensors))
    return found


def with_further(
    name: str, weights: WeightFiles, files: Sequence[str], fetch: Fetch
) -> WeightFiles:
    """A checkpoint's weights with those of further files; missing files are ignored.

    Args:
        name: The checkpoint, for messages.
        weights: Its own weight files.
        files: The names of the further files.
        fetch: How to get its files.

    Raises:
        CheckpointError: A file is damaged.
    """
    found = {
        f"{file}{IN_FILE}{key}": weight
        for file in files
        if (path := fetch(file)) is not None
        for key, weight in stored_weights(name, path, safetensors=is_safetensors(file)).items()
    }
    return replace(
        weights,
        keys=weights.keys | found.keys(),
        stored=None if weights.stored is None else {**weights.stored, **found},
        further=found,
    )


def _require_files(name: str, files: tuple[str, ...], fetch: Fetch) -> None:
    lacking = [file for file in files if fetch(file) is None]
    if lacking:
        raise CheckpointError(
            f"{name}: the index names {lacking[0]}, but that file does not exist ({len(lacking)} "
            f"of {len(files)} are missing)."
        )


def stored_weights(name: str, path: Path, *, safetensors: bool) -> dict[str, StoredWeight]:
    """The weights in a file, by name.

    Args:
        name: The checkpoint, for messages.
        path: The file.
        safetensors: Its format; otherwise a pickle.

    Raises:
        CheckpointError: The file is damaged, or holds more than plain tensors.
    """
    if not safetensors:
        return {
            key: StoredWeight(
                str(tensor.dtype).removeprefix("torch."),
                tensor.is_floating_point() and tensor.element_size() > 1,
                tuple(tensor.shape),
            )
            for key, tensor in load_pickle(path).items()
        }
    from safetensors import safe_open

    found = {}
    with (
        as_checkpoint_error(f"{name}: {path.name} is damaged"),
        safe_open(path, framework="pt") as weights,
    ):
        for key in weights.keys():  # noqa: SIM118 - this is no mapping
            part = weights.get_slice(key)
            dtype = str(part.get_dtype())
            found[key] = StoredWeight(dtype, is_floating(dtype), tuple(part.get_shape()))
    return found


def is_floating(dtype: str) -> bool:
    """Whether safetensors' name of a dtype is that of plain floating-point numbers."""
    return dtype in _FLOATING


def require_fitting(
    name: str, network: nn.Module, stored: Mapping[str, StoredWeight], *, is_quantized: bool
) -> None:
    """Refuses weights whose dtype is not floating-point, or whose size does not fit the network.

    Args:
        name: The checkpoint, for messages.
        network: The network that its configuration describes, on any device.
        stored: Its weights.
        is_quantized: Whether they are quantized, so that only the head's are plain numbers.

    Raises:
        CheckpointError: There are such weights.
    """
    body = body_prefix(network)
    for key, weight in network.named_parameters():
        found = stored.get(key)
        if found is None or (is_quantized and key.startswith(body)):
            continue
        if not found.is_floating:
            raise CheckpointError(
                f"{name}: its weight {key!r} is stored as {found.dtype}; weights of this model "
                "must be real floating-point numbers."
            )
        # transformers turns some weights of the same size into another shape.
        if found.size != weight.numel():
            raise CheckpointError(
                f"{name}: its weight {key!r} has the shape {list(found.shape)}, but its "
                f"config.json describes {list(weight.shape)}: they do not belong together."
            )


def refuse_missing(name: str, missing: Collection[str]) -> None:
    """Refuses a checkpoint with missing weights: transformers would fill these at random.

    Args:
        name: The checkpoint, for messages.
        missing: The names of the missing weights.

    Raises:
        CheckpointError: A weight is missing.
    """
    if missing:
        some = ", ".join(map(repr, sorted(map(str, missing))[:_NAMED]))
        raise CheckpointError(
            f"{name}: {len(missing)} weights are missing and would be random, such as {some}. Use "
            "a complete checkpoint."
        )
