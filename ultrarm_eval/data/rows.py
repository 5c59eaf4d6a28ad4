"""Rows of data: one interface for files, tables and lists."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, overload

from ultrarm_eval.errors import ConfigurationError, DataError
from ultrarm_eval.io import JsonLine, json_lines

_ROWS_READ_FOR_COLUMNS = 100
_MEND_LINE = (
    "Each line must be one complete JSON object, in UTF-8; if the last line is cut off, the "
    "file was not fully written."
)
_SHARD = re.compile(r"\s*(\d{1,9})\s*/\s*(\d{1,9})\s*")

Row: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class DataPart:
    """A shard's place in the complete data, by which results of all shards are merged.

    Attributes:
        number: The shard's number, from 1: every `of`-th row, starting with this one.
        of: The number of shards.
        rows: The number of rows of the complete data.
        digest: The SHA-256 of all these rows, see `Rows.digest`.
        data: The complete data from which the shard's file was made; None if the shard was read
            from the complete data.
        revision: Its hub revision.
    """

    number: int
    of: int
    rows: int
    digest: str
    data: str | None = None
    revision: str | None = None

    def facts(self) -> dict[str, Any]:
        """Its entries in the results: `shard` in short, and `part`, which is used for merging."""
        known = {name: value for name, value in vars(self).items() if value is not None}
        return {"shard": f"{self.number}/{self.of}", "part": known}


@dataclass(frozen=True)
class Location:
    """The place of a row, for messages.

    Attributes:
        origin: The file, folder or hub id.
        row: The row's number, from 0.
        line: The line in the file, from 1, if rows are lines.
    """

    origin: str
    row: int
    line: int | None = None

    @property
    def place(self) -> str:
        """The place within the data."""
        return f"line {self.line}" if self.line is not None else f"row {self.row}"

    def __str__(self) -> str:
        return f"{self.origin}, {self.place}"


def wrong_type(where: Location, field: str, value: object, needed: str) -> DataError:
    """The error for a field of the wrong type; `needed` is the right type, with its article."""
    return DataError(
        f"{where}: field {field!r} is of type {type(value).__name__}; it must be {needed}."
    )


class Rows(Sequence[Row]):
    """Rows that are read on demand.

    Attributes:
        origin: Their name, path or hub id, as given by the user.
        part: Their place in the complete data, if they are a shard; None otherwise.
    """

    origin: str
    part: DataPart | None = None

    @property
    @abstractmethod
    def column_names(self) -> Sequence[str]:
        """The columns; those of the first hundred rows if there is no schema.

        Raises:
            DataError: None of these rows can be read.
        """

    @abstractmethod
    def at(self, indices: Iterable[int]) -> Iterator[Row]:
        """Yields the rows with these numbers, ascending, in one pass over the data.

        Raises:
            DataError: A row cannot be read; those before it are yielded first.
        """

    def read(self, indices: Iterable[int]) -> Iterator[tuple[int, Row]]:
        """Like `at`, with the number of each row."""
        numbers, asked = itertools.tee(indices)
        return zip(numbers, self.at(asked), strict=True)

    def where(self, index: int) -> Location:
        """The place of a row."""
        return Location(self.origin, index)

    def digest(self) -> str:
        """The SHA-256 of all rows in order: equal for the same data on every machine.

        Raises:
            DataError: A row cannot be read.
        """
        digest = hashlib.sha256()
        for row in self:
            written = json.dumps(row, sort_keys=True, default=str).encode()
            digest.update(len(written).to_bytes(8, "big") + written)
        return digest.hexdigest()

    def select_columns(self, names: Sequence[str]) -> Rows:
        """The rows with only some columns, if the others need not be read."""
        return self

    @overload
    def __getitem__(self, index: int) -> Row: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...

    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        if isinstance(index, slice):
            return list(self.at(range(*index.indices(len(self)))))
        if not -len(self) <= index < len(self):
            raise IndexError(f"{self.origin} has {len(self)} rows; there is no row {index}.")
        (row,) = self.at([index % len(self)])
        return row

    def __iter__(self) -> Iterator[Row]:
        return self.at(range(len(self)))


class ListedRows(Rows):
    """Rows in memory."""

    def __init__(self, rows: Sequence[Row], origin: str) -> None:
        """Takes the rows, and their name for messages."""
        self._rows, self.origin = rows, origin

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def column_names(self) -> Sequence[str]:
        """The columns of the first rows."""
        first = range(min(len(self), _ROWS_READ_FOR_COLUMNS))
        return tuple(dict.fromkeys(name for i in first for name in self._rows[i]))

    def at(self, indices: Iterable[int]) -> Iterator[Row]:
        """See `Rows.at`."""
        return (self._rows[index] for index in indices)


class JsonLines(Rows):
    """The rows of a JSON Lines file.

    Only the offsets of its lines are in memory, and the rows parsed to find the columns, each until
    it is read. Unlike a table, a file may have a field that is a number in one row and text in
    another, as published data has.
    """

    def __init__(self, path: Path, origin: str | None = None) -> None:
        """Finds the lines.

        Args:
            path: The file.
            origin: What the user calls it; its path if None.

        Raises:
            DataError: The file cannot be read.
        """
        self._path = path
        self.origin = str(path) if origin is None else origin
        self._parsed: dict[int, Row] = {}
        self._columns: tuple[str, ...] | None = None
        try:
            self._lines = [(line.start, line.number) for line in json_lines(path)]
        except OSError as error:
            raise DataError(f"{path}: the file cannot be read: {error}") from error

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def column_names(self) -> Sequence[str]:
        """The columns of the first rows; rows that cannot be read are skipped."""
        if self._columns is None:
            first = range(min(len(self), _ROWS_READ_FOR_COLUMNS))
            problems = [problem for i in first if (problem := self._problem(i)) is not None]
            columns = dict.fromkeys(name for row in self._parsed.values() for name in row)
            if problems and not columns:
                raise problems[0]
            self._columns = tuple(columns)
        return self._columns

    def _problem(self, index: int) -> DataError | None:
        """Parses a row and returns its error, if any, which reading the row raises again."""
        try:
            self._parsed[index] = self[index]
        except DataError as error:
            return error
        return None

    def where(self, index: int) -> Location:
        """The place of a row, with its line."""
        return Location(self.origin, index, self._lines[index][1])

    def digest(self) -> str:
        """See `Rows.digest`: of the lines as they are, without parsing."""
        digest = hashlib.sha256()
        for line in json_lines(self._path):
            text = line.text.strip()
            digest.update(len(text).to_bytes(8, "big") + text)
        return digest.hexdigest()

    def at(self, indices: Iterable[int]) -> Iterator[Row]:
        """See `Rows.at`."""
        with self._path.open("rb") as file:
            for index in indices:
                start, number = self._lines[index]
                row = self._parsed.pop(index, None)
                if row is None:
                    file.seek(start)
                    row = JsonLine(self._path, number, start, file.readline()).parsed(_MEND_LINE)
                yield row


@dataclass(frozen=True)
class Shard:
    """One of several shards of a data set, for runs split over machines.

    It contains every n-th row, so that shards of sorted data are similar.

    Attributes:
        number: The shard's number, from 1.
        of: The number of shards.
    """

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def rows(self, total: int) -> range:
        """The rows of this shard, given the total number of rows."""
        return range(self.number - 1, total, self.of)


def read_shard(value: object) -> Shard:
    """Reads "3/16", the third of sixteen shards.

    Raises:
        ConfigurationError: It does not have this form.
    """
    match = _SHARD.fullmatch(value) if isinstance(value, str) else None
    shard = Shard(int(match[1]), int(match[2])) if match else None
    if shard is None or not 1 <= shard.number <= shard.of:
        raise ConfigurationError(
            f"shard={value!r}: give the shard's number and the number of shards as a string, for "
            "example '1/16' to '16/16' for sixteen shards."
        )
    return shard
