"""Data in parts, one file each: for runs that are split over machines without the whole data.

A folder of parts has an index, `shards.json`, that says what the parts are of. A part is read like
any file of rows, but its rows keep the numbers that they have in the whole data.
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
# A process may have few files open at once.
_FILES_AT_ONCE = 200
_MEND = "Write the parts again with ultrarm-eval shard."


@dataclass(frozen=True)
class PartsIndex:
    """What a folder of parts holds.

    Attributes:
        data: What the parts were made of, as the user named it.
        revision: Its hub revision.
        split: Its split.
        rows: How many rows it has.
        digest: Of all of them, see `Rows.digest`.
        files: SHA-256 of each part's file, by its name, in their order.
    """

    data: str
    revision: str | None
    split: str | None
    rows: int
    digest: str
    files: Mapping[str, str]

    def part(self, number: int) -> DataPart:
        """What a part is of."""
        return DataPart(number, len(self.files), self.rows, self.digest, self.data, self.revision)

    def as_json(self) -> dict[str, Any]:
        """The index as its file holds it."""
        about = {name: value for name, value in vars(self).items() if name != "files"}
        return {"format": FORMAT, **about, "files": dict(self.files)}


class PartRows(JsonLines):
    """The rows of one part, by the numbers that they have in the whole data."""

    part: DataPart

    def __init__(self, path: Path, origin: str | None, part: DataPart) -> None:
        """Opens a part.

        Args:
            path: The file.
            origin: What the user calls it; its path if None.
            part: What it is of.
        """
        super().__init__(path, origin)
        self.part = part

    def where(self, index: int) -> Location:
        """Where a row stands: its line in the file, its number in the whole data."""
        row = self.part.number - 1 + index * self.part.of
        return Location(self.origin, row, super().where(index).line)


def part_name(number: int, of: int) -> str:
    """What the file of a part is called."""
    return f"part-{number:05d}-of-{of:05d}.jsonl"


def open_part(path: Path, origin: str | None = None) -> PartRows | None:
    """Opens a file as the part that the index beside it says it is.

    Args:
        path: The file.
        origin: What the user calls it.

    Returns:
        Its rows; None for a file that is no part.

    Raises:
        DataError: It is not as it was written, or the index is damaged.
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
            f"{path}: this part is not as it was written ({index}): it was cut off or edited. "
            f"{_MEND}"
        )
    return PartRows(path, origin, read.part(int(named[1])))


def read_index(path: Path) -> PartsIndex | None:
    """Reads an index; None for a file of others.

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
        raise DataError(f"{path}: this index is damaged: its files are no parts. {_MEND}")
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
    """Writes data in parts.

    Args:
        rows: The data.
        number: How many parts.
        folder: The folder, which is new or empty, or holds these parts already.
        revision: The hub revision of the data.
        split: Their split.

    Returns:
        The index, and whether the folder held these parts already.

    Raises:
        ConfigurationError: There are more parts than rows, or something else is in the folder.
        DataError: A row cannot be read, or has a value that JSON has no form for.
        OSError: The folder cannot be written.
    """
    if rows.part is not None:
        raise ConfigurationError(
            f"{rows.origin}: this is part {rows.part.number} of {rows.part.of} of "
            f"{rows.part.data} already. Shard the whole data."
        )
    total = len(rows)
    if not 1 <= number <= min(total, _MOST):
        raise ConfigurationError(
            f"-n {number}: {rows.origin} has {total:,} rows; give a number of parts from 1 to "
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
    """Writes some of the parts in one go through the data."""
    wanted = range(len(rows)) if len(parts) == number else _numbers(len(rows), number, parts)
    with ExitStack() as opened:
        files = {
            part: opened.enter_context(
                (folder / part_name(part + 1, number)).open("w", encoding="ascii")
            )
            for part in parts
        }
        for index, row in rows.read(wanted):
            # Escapes keep what no encoding can write: halves of surrogate pairs.
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
        f"{where}: the column {column!r} has a value of type {type(value).__name__}, which JSON "
        "Lines have no form for. Leave the column out of the data, or split the run without files "
        "by the task's metadata shard."
    )


def _present(folder: Path) -> PartsIndex | None:
    """The index of what is in a folder; None where nothing is.

    Raises:
        ConfigurationError: There is something else.
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
        f"-o {folder}: this is a file, or a folder that holds something else. Give a new or an "
        "empty folder."
    )


def _require_same(present: PartsIndex, about: PartsIndex, number: int, folder: Path) -> None:
    differing = [
        f"{name}: {getattr(present, name)} there, {getattr(about, name)} now"
        for name in ("data", "revision", "split", "rows", "digest")
        if getattr(present, name) != getattr(about, name)
    ]
    if len(present.files) != number:
        differing.append(f"parts: {len(present.files)} there, {number} now")
    differing += [
        f"{name} is missing or was changed"
        for name, digest in present.files.items()
        if not (folder / name).is_file() or _digest_of(folder / name) != digest
    ]
    extra = sorted(p.name for p in folder.iterdir() if _NAME.fullmatch(p.name))
    differing += [f"{name} is none of them" for name in extra if name not in present.files]
    if differing:
        raise ConfigurationError(
            f"-o {folder}: there are other parts already ({'; '.join(differing[:3])}). Give a new "
            "folder, or remove this one first."
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
