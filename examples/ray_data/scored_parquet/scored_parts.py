"""Parts that are scored: written so that a crash leaves no half of one, and known again."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
from pyarrow import compute, parquet

from scored_parquet.columns import REFUSED, REWARD, TRUNCATED, Columns
from scored_parquet.parts import FOOTERS_AT_ONCE, Part
from scored_parquet.places import Place
from ultrarm_eval.errors import DataError, first_line

SUMMARY = "_summary.json"
_KEY = b"ultrarm_eval.scored_part"
# Hidden from readers of the folder until all of it is there.
_TEMPORARY = ".part"


@dataclass(frozen=True)
class Counts:
    """What became of rows.

    Attributes:
        rows: Rows that were read.
        scored: Those with a reward.
        truncated: Those of them that were cut to the judge's most tokens.
        refused: Those without a reward, by reason.
    """

    rows: int = 0
    scored: int = 0
    truncated: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, table: pa.Table, columns: Columns) -> Counts:
        """Counts the rows of a table with rewards."""
        has_reward = compute.is_valid(table.column(columns.added(REWARD)))
        cut = compute.and_(table.column(columns.added(TRUNCATED)), has_reward)
        why = [one for one in table.column(columns.added(REFUSED)).to_pylist() if one is not None]
        return cls(
            table.num_rows,
            compute.sum(has_reward).as_py() or 0,
            compute.sum(cut).as_py() or 0,
            Counter(one.partition(":")[0] for one in why),
        )

    @classmethod
    def total(cls, counts: Iterable[Counts]) -> Counts:
        """Their sum."""
        several = list(counts)
        return cls(
            sum(one.rows for one in several),
            sum(one.scored for one in several),
            sum(one.truncated for one in several),
            sum((one.refused for one in several), Counter[str]()),
        )

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> Counts:
        """From what `to_json` gave."""
        return cls(**{**given, "refused": Counter(given["refused"])})

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        refused = dict(sorted(self.refused.items()))
        return {
            "rows": self.rows,
            "scored": self.scored,
            "truncated": self.truncated,
            "refused": refused,
        }

    def require_whole(self, where: object, rows: int) -> None:
        """Makes sure that every row is scored or refused.

        Args:
            where: What messages call them.
            rows: How many there are.

        Raises:
            DataError: One is lost, or counted twice.
        """
        if not self.rows == rows == self.scored + self.refused.total():
            raise DataError(
                f"{where}: of {rows:,} rows {self.rows:,} were read, {self.scored:,} scored and "
                f"{self.refused.total():,} refused; these have to agree."
            )


def write_scored(part: Part, table: pa.Table, columns: Columns, judge: str) -> Counts:
    """Writes the rewards of a part: beside their place first, then all at once.

    Args:
        part: The part.
        table: Its rows with their rewards.
        columns: The names of columns.
        judge: The judge's fingerprint.

    Returns:
        What became of its rows.

    Raises:
        DataError: A row is lost, or the file cannot be written.
    """
    counts = Counts.of(table, columns)
    counts.require_whole(part, part.stop - part.start)
    known = {**(table.schema.metadata or {}), _KEY: json.dumps(_said(part, columns, judge, counts))}
    target = part.target
    folder, _, name = target.path.rpartition("/")
    temporary = f"{folder}/.{name}.{uuid.uuid4().hex}{_TEMPORARY}"
    try:
        target.system.create_dir(folder, recursive=True)
        parquet.write_table(
            table.replace_schema_metadata(known), temporary, filesystem=target.system
        )
        target.system.move(temporary, target.path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{target}: the rewards cannot be written: {first_line(error)}") from error
    return counts


def finished_parts(
    parts: Sequence[Part], output: Place, columns: Columns, judge: str
) -> dict[int, Counts]:
    """What became of the rows of parts whose rewards are there, by the parts' numbers.

    Args:
        parts: All parts of the data.
        output: The folder of the rewards.
        columns: The columns that are read.
        judge: The judge's fingerprint.

    Raises:
        DataError: A file in the folder is of another judge, of other data, or of other parts.
    """
    there = output.parquet_files()
    numbers = {part.target.path: number for number, part in enumerate(parts)}
    strange = [place for place, _ in there.values() if place.path not in numbers]
    if strange:
        raise DataError(
            f"{strange[0]} is none of the parts of these data: they were other files, or "
            "--rows-per-part was another number. Name another folder for the rewards, or give the "
            "arguments of before."
        )
    found = [numbers[place.path] for place, _ in there.values()]
    with ThreadPoolExecutor(FOOTERS_AT_ONCE) as threads:
        counts = threads.map(lambda number: _known(parts[number], columns, judge), found)
        return dict(zip(found, counts, strict=True))


def write_summary(output: Place, total: Counts, columns: Columns, judge: str) -> None:
    """Writes what became of all rows beside their rewards.

    Raises:
        DataError: It cannot be written.
    """
    told = {**total.to_json(), "columns": asdict(columns), "judge": judge}
    try:
        with output.system.open_output_stream((output / SUMMARY).path) as file:
            file.write((json.dumps(told, indent=2) + "\n").encode())
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{output / SUMMARY}: the counts cannot be written: {first_line(error)}"
        ) from error


def remove_temporary(output: Place) -> None:
    """Removes what killed processes left behind; not while others write there."""
    for place in output.temporary_files(_TEMPORARY):
        place.system.delete_file(place.path)


def _known(part: Part, columns: Columns, judge: str) -> Counts:
    target = part.target
    try:
        with parquet.ParquetFile(target.path, filesystem=target.system) as file:
            said = json.loads((file.schema_arrow.metadata or {})[_KEY])
            counts = Counts.from_json(said.pop("counts"))
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError) as error:
        raise DataError(
            f"{target}: this is no file of rewards that this command wrote, or it is damaged "
            f"({first_line(error)}). Remove it to have it computed anew."
        ) from error
    expected = _said(part, columns, judge, counts)
    for name, value in said.items():
        if value != expected.get(name):
            raise DataError(
                f"{target} was made with another {name.replace('_', ' ')}: {value} then, "
                f"{expected.get(name)} now. Name another folder for the rewards, or remove the "
                "files in it."
            )
    return counts


def _said(part: Part, columns: Columns, judge: str, counts: Counts) -> dict[str, Any]:
    """What the file says of itself."""
    return {
        "judge": judge,
        "source": part.source.name,
        "bytes_of_the_source": part.source.size,
        "rows_of_the_source": part.source.rows,
        "first_row": part.start,
        "row_behind_the_last": part.stop,
        "columns": asdict(columns),
        "counts": counts.to_json(),
    }
