"""Rows of files: JSON, JSON Lines, Parquet, and folders saved by `datasets`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ultrarm_eval.data.rows import JsonLines, ListedRows, Rows
from ultrarm_eval.data.shard_files import open_part
from ultrarm_eval.data.tables import DatasetRows, ParquetRows
from ultrarm_eval.errors import DataError
from ultrarm_eval.io import read_json

SUFFIXES = (".json", ".jsonl", ".parquet")
_MEND = "The file must contain a JSON list of rows, in UTF-8."
# The most files named in a message.
_NAMED = 8


def open_file(path: Path, origin: str | None = None) -> Rows:
    """Opens a file by its extension.

    A file written by `ultrarm-eval shard` keeps the row numbers of the complete data. For JSON
    Lines the offsets of the lines are in memory, for Parquet a few hundred rows, for JSON
    everything.

    Args:
        path: The file.
        origin: The user's name for it, for messages; its path if None.

    Raises:
        DataError: It has another type, or cannot be read.
    """
    match path.suffix.lower():
        case ".jsonl":
            return open_part(path, origin) or JsonLines(path, origin)
        case ".json":
            return _open_json(path, origin)
        case ".parquet":
            return ParquetRows(path, origin)
        case suffix:
            raise DataError(
                f"{path}: file type {suffix!r} is not supported. Use {', '.join(SUFFIXES)}."
            )


def path_exists(path: Path) -> bool:
    """Whether a file or folder of that name exists."""
    try:
        return path.exists()
    except OSError:
        # A name that is too long for the file system does not exist.
        return False


def open_folder(path: Path, split: str, *, choose: str, origin: str | None = None) -> Rows:
    """Opens a folder saved by `datasets`.

    Args:
        path: The folder.
        split: The split to use if there are several; join several with `+`.
        choose: How to choose another split, for the message.
        origin: The user's name for it; its path if None.

    Raises:
        DataError: It is not such a folder, or has several splits but not this one.
    """
    return DatasetRows(saved_table(path, split, choose), origin or str(path))


def saved_splits(folder: Path) -> tuple[str, ...]:
    """The splits of a folder saved by `datasets`; empty for a single table."""
    index = folder / "dataset_dict.json"
    about = read_json(index) if index.is_file() else None
    return tuple(about.get("splits") or ()) if isinstance(about, Mapping) else ()


def saved_table(path: Path, split: str, choose: str) -> Any:
    """The `datasets` table in a folder; see `open_folder`."""
    import datasets

    try:
        saved = datasets.load_from_disk(str(path))
    except (FileNotFoundError, ValueError, OSError) as error:
        raise DataError(
            f"{path}: this folder was not saved by datasets' save_to_disk. Give a folder that "
            f"was, or a {', '.join(SUFFIXES)} file{_files_in(path)}. Save several files as one "
            "folder with datasets.load_dataset(FOLDER).save_to_disk(NEW_FOLDER)."
        ) from error
    # A saved format, such as numpy's, would turn lists into arrays.
    saved = saved.with_format(None)
    if isinstance(saved, datasets.Dataset):
        return saved
    # As for the hub's data sets, several splits can be joined.
    wanted = split.split("+")
    if all(name in saved for name in wanted):
        return datasets.concatenate_datasets([saved[name] for name in wanted])
    if len(saved) == 1:
        return next(iter(saved.values()))
    raise DataError(
        f"{path}: there is no split {split!r}. Its splits: {', '.join(saved)}. {choose}"
    )


def _files_in(folder: Path) -> str:
    """The readable files of a folder, for a message."""
    try:
        # Data sets of the hub have their files in a folder `data`.
        places = (*folder.iterdir(), *(folder / "data").glob("*"))
        found = (one for one in places if one.suffix.lower() in SUFFIXES)
        names = sorted(str(one.relative_to(folder)) for one in found)
    except OSError:
        return ""
    named = f"{', '.join(names[:_NAMED])}{', ...' if len(names) > _NAMED else ''}"
    return f" (in this folder: {named})" if names else ""


def _open_json(path: Path, origin: str | None) -> Rows:
    try:
        rows: Any = read_json(path, mend=_MEND)
    except DataError as error:
        cause = error.__cause__
        if isinstance(cause, json.JSONDecodeError) and cause.msg == "Extra data":
            # Many .json files contain one object per line.
            return JsonLines(path, origin)
        raise
    if isinstance(rows, Mapping):
        rows = [rows]
    if not isinstance(rows, list):
        raise DataError(f"{path}: this is a JSON {type(rows).__name__}, not a list. {_MEND}")
    for index, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise DataError(
                f"{path}, row {index}: this is not a JSON object. Each row must be an object."
            )
    return ListedRows(rows, str(path) if origin is None else origin)
