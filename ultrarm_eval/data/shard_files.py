"""Data split into shard files, for runs on several machines that lack the complete data.

A folder of shards has an index, `shards.json`, that describes the complete data. A shard is read
like any file of rows, but its rows keep their numbers in the complete data.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ultrarm_eval.data.rows import DataPart, JsonLines, Location, Row, Rows, Shard
from ultrarm_eval.errors import ConfigurationError, DataError
from ultrarm_eval.io import read_json, write_whole

INDEX = "shards.json"
FORMAT = "ultrarm_eval.shards/1"
_NAME = re.compile(r"part-(\d{5})-of-(\d{5})\.jsonl")
_MOST = 99_999
# A process may have only few open files.
_FILES_AT_ONCE = 200
_MEND = "Write the shards again with ultrarm-eval shard."


@dataclass(frozen=True)
class PartsIndex:
    """The contents of a folder of shards.

    Attributes:
        data: The complete data, as the user named it.
        revision: Its hub revision.
        split: Its split.
        rows: Its number of rows.
        digest: The SHA-256 of all rows, see `Rows.digest`.
        files: The SHA-256 of each shard's file, by its name, in order.
    """

    data: str
    revision: str | None
    split: str | None
    rows: int
    digest: str
    files: Mapping[str, str]

    def part(self, number: int) -> DataPart:
        """A shard's place in the complete data."""
        return DataPart(number, len(self.files), self.rows, self.digest, self.data, self.revision)

    def as_json(self) -> dict[str, Any]:
        """The index as written to its file."""
        about = {name: value for name, value in vars(self).items() if name != "files"}
        return {"format": FORMAT, **about, "files": dict(self.files)}


class PartRows(JsonLines):
    """The rows of one shard, with their numbers in the complete data."""

    part: DataPart

    def __init__(self, path: Path, origin: str | None, part: DataPart) -> None:
        """Opens a shard.

        Args:
            path: The file.
            origin: What the user calls it; its path if None.
            part: Its place in the complete data.
        """
        super().__init__(path, origin)
        self.part = part

    def where(self, index: int) -> Location:
        """The place of a row: its line in the file, its number in the complete data."""
        row = self.part.number - 1 + index * self.part.of
        return Location(self.origin, row, super().where(index).line)


def part_name(number: int, of: int) -> str:
    """The name of a shard's file."""
    return f"part-{number:05d}-of-{of:05d}.jsonl"


def open_part(path: Path, origin: str | None = None) -> PartRows | None:
    """Opens a file as a shard, according to the index beside it.

    Args:
        path: The file.
        origin: The user's name for it.

    Returns:
        Its rows; None for a file that is not a shard.

    Raises:
        DataError: It has changed since it was written, or the index is damaged.
    """
    named = _NAME.fullmatch(path.name)
    index = path.with_name(INDEX)
    if named is None or not path.is_file() or not index.is_file():
        return None
    read = read_index(index)
    if read is None or path.name not in read.files:
        return None
    if _digest_of(path) != read.files[path.name]:
        raise DataError(
            f"{path}: this shard does not match its hash in {index}: it was truncated or edited. "
            f"{_MEND}"
        )
    return PartRows(path, origin, read.part(int(named[1])))


def read_index(path: Path) -> PartsIndex | None:
    """Reads an index; None for a third-party file.

    Raises:
        DataError: It is damaged.
    """
    content = read_json(path, mend=_MEND)
    if not isinstance(content, Mapping) or content.get("format") != FORMAT:
        return None
    files = content.get("files")
    if not isinstance(files, Mapping) or list(files) != [
        part_name(number, len(files)) for number in range(1, len(files) + 1)
    ]:
        raise DataError(f"{path}: this index is damaged: its files are not shards. {_MEND}")
    try:
        return PartsIndex(
            str(content["data"]),
            _text(content["revision"]),
            _text(content["split"]),
            int(content["rows"]),
            str(content["digest"]),
            {str(name): str(digest) for name, digest in files.items()},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{path}: this index is damaged ({type(error).__name__}: {error}). {_MEND}"
        ) from error


def write_parts(
    rows: Rows, number: int, folder: Path, *, revision: str | None = None, split: str | None = None
) -> tuple[PartsIndex, bool]:
    """Splits data into shards and writes them.

    Args:
        rows: The data.
        number: The number of shards.
        folder: The folder: new, empty, or already containing these shards.
        revision: The hub revision of the data.
        split: The split of the data.

    Returns:
        The index, and whether the folder already contained these shards.

    Raises:
        ConfigurationError: There are more shards than rows, or something else is in the folder.
        DataError: A row cannot be read, or has a value that JSON cannot represent.
        OSError: The folder cannot be written.
    """
    if rows.part is not None:
        raise ConfigurationError(
            f"{rows.origin}: this is already shard {rows.part.number} of {rows.part.of} of "
            f"{rows.part.data}. Split the complete data instead."
        )
    total = len(rows)
    if not 1 <= number <= min(total, _MOST):
        raise ConfigurationError(
            f"-n {number}: {rows.origin} has {total:,} rows. Give a number of shards from 1 to "
            f"{min(total, _MOST):,}."
        )
    present = _present(folder)
    about = PartsIndex(rows.origin, revision, split, total, rows.digest(), {})
    if present is not None:
        _require_same(present, about, number, folder)
        return present, True
    unfinished = folder.with_name(f"{folder.name}.{os.getpid()}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        names = [part_name(one, number) for one in range(1, number + 1)]
        for first in range(0, number, _FILES_AT_ONCE):
            _write(rows, number, range(first, min(first + _FILES_AT_ONCE, number)), unfinished)
        files = {name: _digest_of(unfinished / name) for name in names}
        index = PartsIndex(**{**vars(about), "files": files})
        write_whole(unfinished / INDEX, json.dumps(index.as_json(), indent=2) + "\n")
        if folder.exists():
            folder.rmdir()
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return index, False


def _write(rows: Rows, number: int, parts: range, folder: Path) -> None:
    """Writes some of the shards in one pass over the data."""
    wanted = range(len(rows)) if len(parts) == number else _numbers(len(rows), number, parts)
    with ExitStack() as opened:
        files = {
            part: opened.enter_context(
                (folder / part_name(part + 1, number)).open("w", encoding="ascii")
            )
            for part in parts
        }
        for index, row in rows.read(wanted):
            # Escapes preserve lone surrogates, which no encoding can write.
            files[index % number].write(f"{json.dumps(_plain(row, rows.where(index)))}\n")


def _numbers(total: int, number: int, parts: range) -> Sequence[int]:
    return sorted(row for part in parts for row in Shard(part + 1, number).rows(total))


def _plain(row: Row, where: Location) -> dict[str, Any]:
    return {str(name): _value(value, str(name), where) for name, value in row.items()}


def _value(value: Any, column: str, where: Location) -> Any:
    if isinstance(value, str | bool | int | float) or value is None:
        return value
    if isinstance(value, Mapping):
        return {str(name): _value(one, column, where) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_value(one, column, where) for one in value]
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    raise DataError(
        f"{where}: column {column!r} has a value of type {type(value).__name__}, which JSON "
        "Lines cannot represent. Remove the column from the data, or split the run without "
        "files, with the metadata key shard."
    )


def _present(folder: Path) -> PartsIndex | None:
    """The index of a folder; None if the folder is empty.

    Raises:
        ConfigurationError: The folder contains something else.
    """
    if not folder.exists():
        return None
    if folder.is_dir():
        if not any(folder.iterdir()):
            return None
        index = folder / INDEX
        read = read_index(index) if index.is_file() else None
        if read is not None:
            return read
    raise ConfigurationError(
        f"-o {folder}: this is a file, or a folder with other content. Give a new or empty folder."
    )


def _require_same(present: PartsIndex, about: PartsIndex, number: int, folder: Path) -> None:
    differing = [
        f"{name}: {getattr(present, name)} there, {getattr(about, name)} now"
        for name in ("data", "revision", "split", "rows", "digest")
        if getattr(present, name) != getattr(about, name)
    ]
    if len(present.files) != number:
        differing.append(f"shards: {len(present.files)} there, {number} now")
    differing += [
        f"{name} is missing or was changed"
        for name, digest in present.files.items()
        if not (folder / name).is_file() or _digest_of(folder / name) != digest
    ]
    extra = sorted(p.name for p in folder.iterdir() if _NAME.fullmatch(p.name))
    differing += [f"{name} is not in its index" for name in extra if name not in present.files]
    if differing:
        raise ConfigurationError(
            f"-o {folder}: the folder already contains different shards "
            f"({'; '.join(differing[:3])}). Give a new folder, or remove this one first."
        )


def _digest_of(path: Path) -> str:
    digest = hashlib.sha256()
    for block in _blocks(path):
        digest.update(block)
    return digest.hexdigest()


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            yield block


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
