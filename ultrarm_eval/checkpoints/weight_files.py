"""Which files hold a checkpoint's weights, and what their index says."""

from __future__ import annotations

from dataclasses import dataclass

from ultrarm_eval.checkpoints.fields import read_index
from ultrarm_eval.checkpoints.files import Fetch, read_json
from ultrarm_eval.checkpoints.weights import (
    PICKLE_FILE,
    SAFETENSORS_FILE,
    StoredWeight,
    stored_weights,
)
from ultrarm_eval.errors import CheckpointError


@dataclass(frozen=True)
class WeightFiles:
    """The weight files of a checkpoint.

    Attributes:
        files: Their names.
        keys: The names of the weights, as far as they are known without loading many gigabytes.
        safetensors: Whether they are safetensors (otherwise pickles, read weights-only).
        total_size: Bytes of all weights as stored, from the index; None without an index.
        stored: What is in the files, where they were looked into.
    """

    files: tuple[str, ...]
    keys: frozenset[str]
    safetensors: bool
    total_size: int | None
    stored: dict[str, StoredWeight] | None


def survey_weights(name: str, fetch: Fetch, *, is_folder: bool = False) -> WeightFiles:
    """Finds the weight files, the names of the weights, their format, and their size if known.

    Args:
        name: The checkpoint, for messages.
        fetch: How to get its files.
        is_folder: Whether all files are here, so that looking into them is cheap.

    Raises:
        CheckpointError: There are none, or what says so is damaged.
    """
    # In transformers' own order, so that what is looked at is what is loaded.
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
    raise CheckpointError(
        f"{name}: there are no weights; looked for {SAFETENSORS_FILE} and {PICKLE_FILE}, each also "
        "in shards with an index."
    )


def look_into(name: str, weights: WeightFiles, fetch: Fetch) -> dict[str, StoredWeight]:
    """The weights in all files, by name.

    Raises:
        CheckpointError: A file is missing or damaged.
    """
    if weights.stored is not None:
        return weights.stored
    found: dict[str, StoredWeight] = {}
    for file in weights.files:
        path = fetch(file)
        if path is None:
            raise CheckpointError(f"{name}: the index names {file}, and there is no such file.")
        found.update(stored_weights(name, path, safetensors=weights.safetensors))
    return found


def _require_files(name: str, files: tuple[str, ...], fetch: Fetch) -> None:
    lacking = [file for file in files if fetch(file) is None]
    if lacking:
        raise CheckpointError(
            f"{name}: the index names {lacking[0]}, and there is no such file "
            f"({len(lacking)} of {len(files)} are missing)."
        )
