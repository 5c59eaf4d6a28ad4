"""Writing rows of the binarised schema: Parquet or JSON Lines, whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from ultrarm_eval.errors import DataError

_SUFFIXES = (".parquet", ".jsonl")
_ROWS_AT_ONCE = 1000


def write_rows(rows: Iterable[Mapping[str, Any]], path: Path, about: Mapping[str, Any]) -> None:
    """Writes rows of the binarised schema to a file, which appears once it is complete.

    Args:
        rows: The rows.
        path: Where to; its suffix says in which form.
        about: How the rows were made; kept in a Parquet file's metadata under `ultrarm_eval`.

    Raises:
        DataError: There is no such form, or the file cannot be written.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise DataError(
            f"{path}: files of type {path.suffix!r} are not written; use {' or '.join(_SUFFIXES)}."
        )
    write = _write_parquet if path.suffix.lower() == ".parquet" else _write_jsonl
    try:
        if path.is_dir() or not path.parent.is_dir():
            problem = "this is a folder" if path.is_dir() else f"there is no folder {path.parent}"
            raise DataError(f"{path}: {problem}. Name a file in an existing folder.")
        with _completed(path) as unfinished:
            write(rows, unfinished, about)
    except OSError as error:
        raise DataError(f"{path}: the file cannot be written: {error}") from error


@contextmanager
def _completed(path: Path) -> Iterator[Path]:
    """A path to write to, which becomes the real one when nothing went wrong."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _write_parquet(rows: Iterable[Mapping[str, Any]], path: Path, about: Mapping[str, Any]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    messages = pa.list_(pa.struct([("content", pa.string()), ("role", pa.string())]))
    schema = pa.schema(
        [
            ("prompt", pa.string()),
            ("prompt_id", pa.string()),
            ("chosen", messages),
            ("rejected", messages),
            ("score_chosen", pa.float64()),
            ("score_rejected", pa.float64()),
            ("source", pa.string()),
            ("chosen_model", pa.string()),
            ("rejected_model", pa.string()),
            ("row", pa.int64()),
        ],
        metadata={"ultrarm_eval": json.dumps(dict(about))},
    )
    remaining = iter(rows)
    with pq.ParquetWriter(path, schema) as writer:
        while chunk := list(islice(remaining, _ROWS_AT_ONCE)):
            writer.write_table(pa.Table.from_pylist([dict(row) for row in chunk], schema))


def _write_jsonl(rows: Iterable[Mapping[str, Any]], path: Path, about: Mapping[str, Any]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(dict(row), ensure_ascii=False) + "\n")
