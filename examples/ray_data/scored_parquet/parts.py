"""The parts of a data set, each of which becomes one file: what is lost by a crash is a part."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pyarrow as pa
from pyarrow import parquet

from scored_parquet.columns import Columns
from scored_parquet.places import Place
from ultrarm_eval.errors import DataError, first_line

#: Footers that are read at once.
FOOTERS_AT_ONCE = 32
_BATCH_ROWS = 4096


@dataclass(frozen=True)
class InputFile:
    """A Parquet file of answers.

    Attributes:
        place: Where it is.
        name: Its path from the data's folder on, without its ending.
        rows: Its rows.
        size: Its bytes.
    """

    place: Place
    name: str
    rows: int
    size: int


@dataclass(frozen=True)
class Part:
    """Rows of a file that are scored together.

    Attributes:
        source: The file.
        start: The first row, from 0 on.
        stop: Behind the last row.
        target: The file that their rewards go to.
    """

    source: InputFile
    start: int
    stop: int
    target: Place

    def __str__(self) -> str:
        """The part, for messages."""
        return f"{self.source.place}, rows {self.start:,} to {self.stop - 1:,}"

    def read(self) -> pa.Table:
        """Its rows with all their columns; of the file no more row groups than they stand in.

        Raises:
            DataError: The file cannot be read, or is not the one that was listed.
        """
        try:
            with parquet.ParquetFile(
                self.source.place.path, filesystem=self.source.place.system
            ) as file:
                if file.metadata.num_rows != self.source.rows:
                    raise DataError(
                        f"{self.source.place} has {file.metadata.num_rows:,} rows now, and had "
                        f"{self.source.rows:,} when this run began. Do not write to the data while "
                        "they are scored."
                    )
                return pa.Table.from_batches(
                    list(_rows(file, self.start, self.stop)), file.schema_arrow
                )
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{self}: they cannot be read: {first_line(error)}") from error


def open_parts(
    data: Place,
    output: Place,
    rows_per_part: int,
    *,
    prompt: str | None = None,
    answer: str | None = None,
    prefix: str = "",
) -> tuple[Columns, list[Part]]:
    """Looks at every file of a data set, and divides them.

    Args:
        data: A Parquet file, or a folder of them.
        output: The folder of the rewards.
        rows_per_part: The most rows of a part.
        prompt: The prompts' column, if the user named it.
        answer: The answers' column, if the user named it.
        prefix: What the names of added columns begin with.

    Returns:
        The columns, and the parts in the order of files and rows.

    Raises:
        DataError: There is no file, one cannot be read, or lacks a column.
    """
    if data.holds(output) or output.holds(data):
        raise DataError(
            f"The rewards go to {output}, and the data are in {data}: one lies in the other, and "
            "the next run would take rewards for data. Name another folder."
        )
    listed = _listed(data)
    with ThreadPoolExecutor(FOOTERS_AT_ONCE) as threads:
        footers = list(threads.map(_footer, (place for place, _ in listed.values())))
    schemas = [schema for _, schema in footers]
    first, *_ = listed.values()
    columns = Columns.found(schemas[0].names, first[0], prompt=prompt, answer=answer, prefix=prefix)
    parts = []
    for (name, (place, size)), (rows, schema) in zip(listed.items(), footers, strict=True):
        columns.require(schema.names, place)
        source = InputFile(place, name, rows, size)
        # A file without rows is a part, too: its output says that it was seen.
        for start in range(0, max(rows, 1), rows_per_part):
            stop = min(start + rows_per_part, rows)
            parts.append(Part(source, start, stop, output / f"{name}-{start:012}.parquet"))
    return columns, parts


def _listed(data: Place) -> dict[str, tuple[Place, int]]:
    if data.is_file:
        *_, name = data.path.rpartition("/")
        size = int(data.system.get_file_info(data.path).size)
        return {name.removesuffix(".parquet"): (data, size)}
    if not data.is_folder:
        raise DataError(f"{data}: there is no such file or folder.")
    found = data.parquet_files()
    if not found:
        raise DataError(
            f"{data}: there are no files that end in .parquet, here or in folders below (names "
            "that begin with '.' or '_' do not count)."
        )
    return found


def _footer(place: Place) -> tuple[int, pa.Schema]:
    try:
        with parquet.ParquetFile(place.path, filesystem=place.system) as file:
            return file.metadata.num_rows, file.schema_arrow
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{place}: this is no Parquet file: {first_line(error)}") from error


def _rows(file: parquet.ParquetFile, start: int, stop: int) -> Iterator[pa.RecordBatch]:
    """The rows from `start` to before `stop`."""
    groups: list[int] = []
    begin = end = 0
    for number in range(file.num_row_groups):
        before, end = end, end + file.metadata.row_group(number).num_rows
        if before < stop and end > start:
            begin = begin if groups else before
            groups.append(number)
    at = begin
    for batch in file.iter_batches(_BATCH_ROWS, row_groups=groups) if groups else ():
        first, last = max(start - at, 0), min(stop - at, batch.num_rows)
        if first < last:
            yield batch.slice(first, last - first)
        at += batch.num_rows
        if at >= stop:
            return
