"""Forms of preference data, as plugins register them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ultrarm_eval.data.records import DataCounts, Location, PromptRecord, Row


@dataclass(frozen=True)
class PairSource:
    """A schema of preference data, and possibly a data set of its own.

    Attributes:
        name: Unique; with `open_rows`, also the word for ``--metadata '{"data": "NAME"}'``.
        describes: Columns that rows of this schema have, in words, for messages.
        recognises: Whether columns are of this schema. The first source that says yes reads.
        read_row: Turns a row into a record, or returns None and counts why not.
        open_rows: Opens the source's own data set, if it has one.
    """

    name: str
    describes: str
    recognises: Callable[[frozenset[str]], bool]
    read_row: Callable[[Row, Location, DataCounts], PromptRecord | None]
    open_rows: Callable[[], Sequence[Row]] | None = None
