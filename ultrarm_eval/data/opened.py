"""Rows that have been opened, and reading them one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ultrarm_eval.data.jsonl import JsonLines
from ultrarm_eval.data.surrogates import writable
from ultrarm_eval.errors import DataError
from ultrarm_eval.sources.records import DataCounts, Location, PromptRecord, Row
from ultrarm_eval.sources.source import PairSource


class _Reading:
    """Reading rows one by one, and saying where they stand."""

    rows: Sequence[Row]
    origin: str

    def where(self, index: int) -> Location:
        """Where a row stands."""
        line = self.rows.line(index) if isinstance(self.rows, JsonLines) else None
        return Location(self.origin, index, line)

    def read(self, indices: Sequence[int]) -> Iterator[tuple[int, Row]]:
        """Yields rows by their numbers, in one go through the file.

        Args:
            indices: The rows' numbers, ascending.

        Raises:
            DataError: A row cannot be read.
        """
        at = getattr(self.rows, "at", None)
        rows = (self.rows[index] for index in indices) if at is None else at(indices)
        yield from zip(indices, rows, strict=True)

    def read_one(self, index: int) -> Row:
        """One row by its number.

        Raises:
            DataError: It cannot be read.
        """
        return self.rows[index]


@dataclass(frozen=True)
class OpenedRows(_Reading):
    """Rows, and where they are from.

    Attributes:
        rows: The rows.
        origin: The word, path or hub id they are from.
    """

    rows: Sequence[Row]
    origin: str


@dataclass(frozen=True)
class OpenedData(_Reading):
    """Rows and how to read them.

    Attributes:
        rows: The rows.
        source: The source that reads them.
        origin: The word, path or hub id they are from.
    """

    rows: Sequence[Row]
    source: PairSource
    origin: str

    def record(self, index: int, row: Row, counts: DataCounts) -> PromptRecord | None:
        """Reads a row as a record whose texts can be written, or counts why not.

        Raises:
            DataError: A field is missing.
        """
        try:
            record = self.source.read_row(row, self.where(index), counts)
        except KeyError as error:
            raise DataError(
                f"{self.where(index)}: field {error.args[0]!r} is missing. Rows of this "
                f"schema have: {self.source.describes}."
            ) from error
        return None if record is None else writable(record, counts)
