"""JSON Lines as a sequence of rows, read from the file when asked for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

from ultrarm_eval.errors import DataError
from ultrarm_eval.sources.records import Row


class JsonLines(Sequence[Row]):
    """The rows of a JSON Lines file; only their offsets are held in memory.

    Unlike a table, it takes fields that are a number here and a text there, as published data has.
    """

    def __init__(self, path: Path) -> None:
        """Finds the lines.

        Args:
            path: The file.

        Raises:
            DataError: The file cannot be read.
        """
        self._path = path
        self._offsets: list[tuple[int, int]] = []
        offset = 0
        try:
            with path.open("rb") as file:
                for number, line in enumerate(file, start=1):
                    if line.strip():
                        self._offsets.append((offset, number))
                    offset += len(line)
        except OSError as error:
            raise DataError(f"{path}: the file cannot be read: {error}") from error

    def __len__(self) -> int:
        return len(self._offsets)

    @overload
    def __getitem__(self, index: int) -> Row: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...

    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        offset, number = self._offsets[index]
        with self._path.open("rb") as file:
            file.seek(offset)
            return _parse(file.readline(), self._path, number)

    def __iter__(self) -> Iterator[Row]:
        with self._path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _parse(line, self._path, number)

    def at(self, indices: Iterable[int]) -> Iterator[Row]:
        """Yields the rows with these numbers, reading the file once."""
        with self._path.open("rb") as file:
            for index in indices:
                offset, number = self._offsets[index]
                file.seek(offset)
                yield _parse(file.readline(), self._path, number)

    def line(self, index: int) -> int:
        """The line a row stands in, from 1."""
        return self._offsets[index][1]


def _parse(line: bytes, path: Path, number: int) -> Row:
    where = f"{path}, line {number}"
    try:
        row: Any = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(
            f"{where}: this is not UTF-8 (byte {error.start}). Save it as UTF-8."
        ) from error
    except ValueError as error:
        # Besides malformed JSON, Python refuses numbers of thousands of digits.
        raise DataError(
            f"{where}: this is no complete JSON object ({error}). "
            "Each line has to hold one; a file whose last line is cut off was not fully written."
        ) from error
    except RecursionError as error:
        raise DataError(f"{where}: this JSON is nested too deeply.") from error
    if not isinstance(row, dict):
        raise DataError(f"{where}: this is a JSON {type(row).__name__}; each line is an object.")
    return row
