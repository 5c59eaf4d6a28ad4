"""Rows out of files: JSON, JSON Lines, Parquet, and folders saved by `datasets`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ultrarm_eval.data.jsonl import JsonLines
from ultrarm_eval.data.tables import ParquetRows
from ultrarm_eval.errors import DataError, first_line
from ultrarm_eval.sources.records import Row

SUFFIXES = (".json", ".jsonl", ".parquet")
# Of many files as many are named.
_NAMED = 8


def open_file(path: Path) -> Any:
    """Opens a file by its suffix.

    Returns:
        Its rows, as a sequence.

    Raises:
        DataError: It is of another kind, or cannot be read.
    """
    match path.suffix.lower():
        case ".jsonl":
            return JsonLines(path)
        case ".json":
            return _open_json(path)
        case ".parquet":
            return ParquetRows(path)
        case suffix:
            raise DataError(
                f"{path}: files of type {suffix!r} are not read; use {', '.join(SUFFIXES)}."
            )


def _files_in(folder: Path) -> str:
    """The files of a folder that can be read one at a time, for a message."""
    try:
        names = sorted(one.name for one in folder.iterdir() if one.suffix.lower() in SUFFIXES)
    except OSError:
        return ""
    named = f"{', '.join(names[:_NAMED])}{', ...' if len(names) > _NAMED else ''}"
    return f" (in this folder: {named})" if names else ""


def open_folder(path: Path, split: str, *, choose: str) -> Any:
    """Opens a folder saved by `datasets`.

    Args:
        path: The folder.
        split: The split to take where there are several.
        choose: How the user names another split, for the message.

    Returns:
        Its rows, as a table.

    Raises:
        DataError: It is no such folder, or has several splits and not this one.
    """
    import datasets

    try:
        saved = datasets.load_from_disk(str(path))
    except (FileNotFoundError, ValueError, OSError) as error:
        raise DataError(
            f"{path}: this folder was not saved by datasets' save_to_disk. Give a folder that was, "
            f"or a file of type {', '.join(SUFFIXES)}{_files_in(path)}."
        ) from error
    # A format such as numpy's, saved along, would make arrays of the lists.
    saved = saved.with_format(None)
    if isinstance(saved, datasets.Dataset):
        return saved
    if split in saved:
        return saved[split]
    if len(saved) == 1:
        return next(iter(saved.values()))
    raise DataError(
        f"{path}: there is no split {split!r}, and several others: {', '.join(saved)}. {choose}"
    )


def _open_json(path: Path) -> Sequence[Row]:
    try:
        rows: Any = json.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: this is not UTF-8 (byte {error.start}).") from error
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            # Many .json files hold one object a line.
            return JsonLines(path)
        raise DataError(f"{path}, line {error.lineno}: this is no JSON: {error.msg}.") from error
    except (ValueError, RecursionError) as error:
        # Numbers of thousands of digits, or thousands of brackets in each other.
        raise DataError(f"{path}: this JSON cannot be read ({first_line(error)}).") from error
    if isinstance(rows, Mapping):
        return [rows]
    if not isinstance(rows, list):
        raise DataError(f"{path}: this is a JSON {type(rows).__name__}; a list of rows is needed.")
    for index, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise DataError(f"{path}, row {index}: this is no JSON object.")
    return rows
