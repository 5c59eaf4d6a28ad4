"""Tables as sequences of rows: those opened by `datasets`, and Parquet files.

A table may have invalid bytes in a text column. However its rows are read, one that cannot be
decoded raises our error with the row and its fields.
"""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, islice
from pathlib import Path
from typing import Any, TypeAlias

from ultrarm_eval.data.rows import ListedRows, Row, Rows
from ultrarm_eval.errors import DataError, first_line

# The number of rows decoded at once, so that a complete file need not be in memory.
_ROWS_AT_ONCE = 256
_Decode: TypeAlias = Callable[[Any], Any]


class TableRows(Rows):
    """The rows of a table, decoded on demand."""

    def __init__(self, origin: str, columns: Sequence[str]) -> None:
        """Takes the table's name, for messages, and its columns."""
        self.origin, self._names = origin, tuple(columns)

    @property
    def column_names(self) -> Sequence[str]:
        """The columns, in order."""
        return self._names

    @abstractmethod
    def _decoded(self, indices: Sequence[int], columns: Sequence[str] | None = None) -> list[Row]:
        """Rows by their numbers, ascending; only the given columns, or all.

        Raises:
            UnicodeDecodeError: A text in one of them is not UTF-8.
        """

    def at(self, indices: Iterable[int]) -> Iterator[Row]:
        """See `Rows.at`."""
        remaining = iter(indices)
        while chunk := list(islice(remaining, _ROWS_AT_ONCE)):
            try:
                rows = self._read(chunk)
            except DataError:
                # The rows before the one that cannot be read are still yielded.
                for index in chunk:
                    yield from self._read([index])
                raise
            yield from rows

    def _read(self, indices: Sequence[int]) -> list[Row]:
        import pyarrow as pa

        try:
            return self._decoded(indices)
        except UnicodeDecodeError as error:
            raise DataError(
                f"{self.origin}, row {indices[0]}: {self._undecodable(indices)} not UTF-8 (byte "
                f"{error.start}). Write the table again with UTF-8 texts."
            ) from error
        except (pa.ArrowException, OSError) as error:
            raise DataError(
                f"{self.origin}, row {indices[0]}: the table cannot be read from this row on: "
                f"{first_line(error)}"
            ) from error

    def _undecodable(self, indices: Sequence[int]) -> str:
        """The fields of rows that cannot be decoded, with a verb."""
        fields = [repr(name) for name in self.column_names if not self._decodes(indices, name)]
        return f"field {fields[0]} is" if len(fields) == 1 else f"fields {', '.join(fields)} are"

    def _decodes(self, indices: Sequence[int], name: str) -> bool:
        try:
            self._decoded(indices, [name])
        except UnicodeDecodeError:
            return False
        return True


class DatasetRows(TableRows):
    """The rows of a table opened by `datasets`."""

    def __init__(self, table: Any, origin: str) -> None:
        """Takes the table, and its name for messages."""
        super().__init__(origin, table.column_names)
        self._table = table
        self._decimals = _decimals_of(table.features.arrow_schema)

    def __len__(self) -> int:
        return len(self._table)

    def select_columns(self, names: Sequence[str]) -> DatasetRows:
        """See `Rows.select_columns`."""
        return DatasetRows(self._table.select_columns(list(names)), self.origin)

    def _decoded(self, indices: Sequence[int], columns: Sequence[str] | None = None) -> list[Row]:
        table = self._table if columns is None else self._table.select_columns(list(columns))
        found = table[list(indices)]
        rows: list[Row] = [
            dict(zip(found, values, strict=True)) for values in zip(*found.values(), strict=True)
        ]
        return _with_decimals(rows, self._decimals)


class ParquetRows(TableRows):
    """The rows of a Parquet file, read directly, without a copy in a cache.

    Reading in order needs memory for a few hundred rows. Going back reads the row group again.
    """

    def __init__(
        self, path: Path, origin: str | None = None, columns: Sequence[str] | None = None
    ) -> None:
        """Reads the file's metadata.

        Args:
            path: The file.
            origin: What the user calls it; its path if None.
            columns: The columns to read; all if None.

        Raises:
            DataError: It is not a Parquet file, or has columns that rows cannot represent.
        """
        import pyarrow as pa

        self._path = path
        try:
            self._file = self._open()
            about = self._file.metadata
            schema = self._file.schema_arrow
        except (pa.ArrowException, OSError, ValueError) as error:
            raise _unreadable(path, first_line(error)) from error
        sizes = (about.row_group(i).num_rows for i in range(about.num_row_groups))
        # The number of the first row of each group, and the number of rows.
        self._starts: list[int] = list(accumulate(sizes, initial=0))
        self._columns = None if columns is None else list(columns)
        super().__init__(origin or str(path), schema.names if columns is None else columns)
        _check_columns(path, schema)
        self._decode_json = _json_decoder(schema)
        self._decimals = _decimals_of(schema)
        self._batches: Iterator[Any] = iter(())
        self._group, self._first, self._batch = -1, 0, None
        # By group, the first row that cannot be read, and why.
        self._damaged: dict[int, tuple[int, str]] = {}

    def __len__(self) -> int:
        return self._starts[-1]

    def __reduce__(self) -> tuple[type[ParquetRows], tuple[Path, str, list[str] | None]]:
        return ParquetRows, (self._path, self.origin, self._columns)

    def select_columns(self, names: Sequence[str]) -> ParquetRows:
        """See `Rows.select_columns`."""
        return ParquetRows(self._path, self.origin, names)

    def _decoded(self, indices: Sequence[int], columns: Sequence[str] | None = None) -> list[Row]:
        rows: list[Row] = []
        for batch, numbers in self._parts(indices):
            part = batch if columns is None else batch.select(list(columns))
            if len(numbers) == part.num_rows:
                rows += part.to_pylist()
            else:
                rows += [row for n in numbers for row in part.slice(n, 1).to_pylist()]
        if self._decode_json is not None:
            rows = [self._decode_json(row) for row in rows]
        return _with_decimals(rows, self._decimals)

    def _parts(self, indices: Sequence[int]) -> Iterator[tuple[Any, list[int]]]:
        """Yields the batches that contain rows, with the rows' numbers in the batch."""
        batch, numbers = None, list[int]()
        for index in indices:
            holding = self._batch_of(index)
            if holding is not batch and numbers:
                yield batch, numbers
                numbers = []
            batch = holding
            numbers.append(index - self._first)
        if numbers:
            yield batch, numbers

    def _batch_of(self, index: int) -> Any:
        """The batch of a row; the last batch is kept, since the next row is mostly in it."""
        group = bisect_right(self._starts, index) - 1
        damaged, why = self._damaged.get(group, (index + 1, ""))
        if index >= damaged:
            raise OSError(why)
        if group != self._group or index < self._first:
            self._batches = self._file.iter_batches(
                _ROWS_AT_ONCE, row_groups=[group], columns=self._columns
            )
            self._group, self._first, self._batch = group, self._starts[group], None
        while self._batch is None or index >= self._first + self._batch.num_rows:
            self._first += 0 if self._batch is None else self._batch.num_rows
            self._batch = self._next_batch(group)
        return self._batch

    def _next_batch(self, group: int) -> Any:
        import pyarrow as pa

        try:
            return next(self._batches)
        except (pa.ArrowException, OSError, StopIteration) as error:
            why = str(error) or f"row group {group} has fewer rows than it says"
            # Rows after it cannot be reached, whichever is requested.
            self._damaged[group] = (self._first, why)
            self._group = -1
            raise OSError(why) from error

    def _open(self) -> Any:
        import pyarrow.parquet as pq

        return pq.ParquetFile(self._path, memory_map=True, page_checksum_verification=True)


def as_rows(rows: Sequence[Row], origin: str) -> Rows:
    """A list, or a table opened by `datasets`, as our rows."""
    if isinstance(rows, Rows):
        return rows
    is_table = hasattr(rows, "select_columns")
    return DatasetRows(rows, origin) if is_table else ListedRows(rows, origin)


def _check_columns(path: Path, schema: Any) -> None:
    import pyarrow as pa

    repeated = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if repeated:
        names = ", ".join(map(repr, repeated))
        raise _unreadable(path, f"several columns have the same name ({names}); rename them")
    for field in schema:
        if pa.types.is_map(field.type) or pa.types.is_union(field.type):
            raise _unreadable(path, f"column {field.name!r} has the unsupported type {field.type}")


def _decimals_of(schema: Any) -> Mapping[str, _Decode]:
    """A decoder for each column with floats of 16 or 32 bits."""
    found = ((field.name, _decimals_in(field.type)) for field in schema)
    return {name: decode for name, decode in found if decode is not None}


def _decimals_in(kind: Any) -> _Decode | None:
    """A decoder of values whose floats have 16 or 32 bits; None for other types.

    A 4.3 of 32 bits is 4.300000190734863 as a Python float; ratings are compared as decimals.
    """
    import numpy as np
    import pyarrow as pa

    if pa.types.is_float16(kind) or pa.types.is_float32(kind):
        narrow: Any = np.float16 if pa.types.is_float16(kind) else np.float32
        return lambda value: None if value is None else float(str(narrow(value)))
    if pa.types.is_struct(kind):
        fields = _decimals_of(kind)
        return (lambda value: value and _with_decimals([value], fields)[0]) if fields else None
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if is_list or pa.types.is_fixed_size_list(kind):
        each = _decimals_in(kind.value_type)
        return (lambda values: values and list(map(each, values))) if each else None
    return None


def _with_decimals(rows: list[Row], decimals: Mapping[str, _Decode]) -> list[Row]:
    if not decimals:
        return rows
    return [
        {name: decimals[name](one) if name in decimals else one for name, one in row.items()}
        for row in rows
    ]


def _json_decoder(schema: Any) -> Callable[[Row], Row] | None:
    """A decoder for values that `datasets` has written as JSON texts; None if there are none."""
    about = (schema.metadata or {}).get(b"huggingface", b"")
    if b'"_type": "Json"' not in about:
        return None
    import datasets

    features = datasets.Features.from_arrow_schema(schema)
    return lambda row: dict(features.decode_example({n: row[n] for n in features if n in row}))


def _unreadable(path: Path, why: str) -> DataError:
    return DataError(f"{path}: this Parquet file cannot be read: {why}")
