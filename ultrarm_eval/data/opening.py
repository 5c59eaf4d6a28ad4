"""Opening preference data: by a source's word, from a file or folder, or from the hub."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ultrarm_eval.data.jsonl import JsonLines
from ultrarm_eval.data.opened import OpenedData
from ultrarm_eval.data.records import Row
from ultrarm_eval.data.source import PairSource
from ultrarm_eval.demo import OFFLINE_HELP
from ultrarm_eval.errors import DataError, first_line

_FILE_SUFFIXES = (".json", ".jsonl", ".parquet")
_ROWS_READ_FOR_COLUMNS = 100
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def open_named_or_local(data: str, split: str, sources: Sequence[PairSource]) -> OpenedData:
    """Opens what the user named.

    Args:
        data: The word of a source, a file (JSON, JSONL, Parquet) or a folder saved by `datasets`.
        split: The split to take where a folder has several.
        sources: The sources there are.

    Raises:
        DataError: There is no such data, or no source knows its columns.
    """
    for source in sources:
        if source.open_rows is not None and source.name == data:
            return OpenedData(source.open_rows(), source, data)
    path = Path(data).expanduser()
    if path.is_dir():
        rows = _open_folder(path, split)
    elif path.is_file():
        rows = _open_file(path)
    else:
        words = ", ".join(repr(s.name) for s in sources if s.open_rows is not None)
        raise DataError(
            f"data={data!r}: there is no such file or folder. Give a JSON, JSONL or Parquet file, "
            f"a folder saved by datasets, or one of the words {words}."
        )
    return OpenedData(rows, recognise(rows, data, sources), data)


def open_any(
    data: str, split: str, revision: str | None, sources: Sequence[PairSource]
) -> OpenedData:
    """Opens what the user named: a word, a file or folder, or else a data set of the hub.

    Raises:
        DataError: There is no such data, or no source knows its columns.
    """
    is_word = any(s.open_rows is not None and s.name == data for s in sources)
    if is_word or Path(data).expanduser().exists() or not _HUB_ID.fullmatch(data):
        return open_named_or_local(data, split, sources)
    return open_hub(data, split, revision, sources)


def open_hub(
    dataset: str, split: str, revision: str | None, sources: Sequence[PairSource]
) -> OpenedData:
    """Opens a data set of the hub.

    Raises:
        DataError: It cannot be reached and is not cached, or no source knows its columns.
    """
    import datasets

    try:
        rows = datasets.load_dataset(dataset, split=split, revision=revision)
    except Exception as error:
        if str(error).startswith("Unknown split"):
            raise DataError(f"{dataset}: {first_line(error)} Name one of them.") from error
        # datasets and its clients raise many unrelated classes here.
        at = f" at revision {revision!r}" if revision else ""
        raise DataError(
            f"The data set {dataset}{at} cannot be had from the hub and is not cached "
            f"({first_line(error)}). For a local copy: --metadata "
            f'\'{{"data": "PATH"}}\'. {OFFLINE_HELP}'
        ) from error
    return OpenedData(rows, recognise(rows, dataset, sources), dataset, revision)


def recognise(rows: Sequence[Row], origin: str, sources: Sequence[PairSource]) -> PairSource:
    """Finds the source that knows these rows' columns.

    Raises:
        DataError: There are no rows, or no source knows the columns.
    """
    if not len(rows):
        raise DataError(f"{origin}: there are no rows.")
    columns = _columns(rows)
    for source in sources:
        if source.recognises(columns):
            return source
    known = "\n".join(f"  - {source.describes}" for source in sources if source.open_rows is None)
    raise DataError(
        f"{origin}: no known schema has the columns {', '.join(sorted(columns))}. Accepted are:\n"
        f"{known}"
    )


def _columns(rows: Sequence[Row]) -> frozenset[str]:
    names = getattr(rows, "column_names", None)
    if names is not None:
        return frozenset(names)
    seen: set[str] = set()
    for index in range(min(len(rows), _ROWS_READ_FOR_COLUMNS)):
        seen |= _columns_of(rows, index)
    # Without any column no row could be read: the first one says why.
    return frozenset(seen or rows[0])


def _columns_of(rows: Sequence[Row], index: int) -> set[str]:
    try:
        return set(rows[index])
    except DataError:
        # Whoever reads the rows meets it again, and knows what to do with it.
        return set()


def _open_file(path: Path) -> Any:
    match path.suffix.lower():
        case ".jsonl":
            return JsonLines(path)
        case ".json":
            return _open_json(path)
        case ".parquet":
            return _open_parquet(path)
        case suffix:
            raise DataError(
                f"{path}: files of type {suffix!r} are not read; use {', '.join(_FILE_SUFFIXES)}."
            )


def _open_json(path: Path) -> Sequence[Row]:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: this is not UTF-8 (byte {error.start}).") from error
    try:
        rows: Any = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            # Many .json files hold one object a line.
            return JsonLines(path)
        raise DataError(f"{path}, line {error.lineno}: this is no JSON: {error.msg}.") from error
    if isinstance(rows, Mapping):
        return [rows]
    if not isinstance(rows, list):
        raise DataError(f"{path}: this is a JSON {type(rows).__name__}; a list of rows is needed.")
    for index, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise DataError(f"{path}, row {index}: this is no JSON object.")
    return rows


def _open_parquet(path: Path) -> Any:
    import datasets
    import pyarrow as pa

    try:
        return datasets.Dataset.from_parquet(str(path))
    except (pa.ArrowException, datasets.exceptions.DatasetGenerationError, OSError) as error:
        cause = error.__cause__ or error
        raise DataError(f"{path}: this is no readable Parquet file: {cause}") from error


def _open_folder(path: Path, split: str) -> Any:
    import datasets

    try:
        saved = datasets.load_from_disk(str(path))
    except (FileNotFoundError, ValueError, OSError) as error:
        raise DataError(
            f"{path}: this folder was not saved by datasets' save_to_disk. Give a folder that was, "
            f"or a file of type {', '.join(_FILE_SUFFIXES)}."
        ) from error
    if isinstance(saved, datasets.Dataset):
        return saved
    if split in saved:
        return saved[split]
    if len(saved) == 1:
        return next(iter(saved.values()))
    raise DataError(
        f"{path}: there is no split {split!r}, and several others: {', '.join(saved)}. Save the "
        "one to use by itself."
    )
