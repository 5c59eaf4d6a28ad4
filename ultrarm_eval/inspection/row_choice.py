"""Which rows of preference data are shown: by index, or those of a collection."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from ultrarm_eval.data.counts import counted
from ultrarm_eval.documents.preference import is_from
from ultrarm_eval.errors import ConfigurationError, DataError, unknown_choice
from ultrarm_eval.sources.preference_data import PreferenceData


@dataclass(frozen=True)
class RowChoice:
    """Some rows.

    Attributes:
        rows: The indices of the rows that are shown.
        total: How many such rows there are.
        unreadable: How many rows are unreadable, so that their collection is unknown.
    """

    rows: tuple[int, ...]
    total: int
    unreadable: int = 0


def numbered_row(data: PreferenceData, number: int) -> RowChoice:
    """One row by its index.

    Raises:
        ConfigurationError: There is no row with that index.
    """
    total = len(data.rows)
    if not 0 <= number < total:
        raise ConfigurationError(
            f"row {number}: {data.origin} has {counted(total, 'row')}, from 0 to {total - 1:,}."
        )
    return RowChoice((number,), 1)


def first_rows(data: PreferenceData, most: int) -> RowChoice:
    """The first rows."""
    total = len(data.rows)
    return RowChoice(tuple(range(min(most, total))), total)


def rows_of_source(data: PreferenceData, source: str, most: int) -> RowChoice:
    """The first rows of a collection: those whose label is its name, or begins with it.

    Raises:
        ConfigurationError: There are none.
    """
    found: list[int] = []
    labels: Counter[str] = Counter()
    total = unreadable = 0
    column = data.source.origin_column
    # A row is long; of a table the labels can be read alone.
    narrow = data.rows if column is None else data.rows.select_columns([column])
    for index in range(len(data.rows)):
        try:
            label = data.source.label_of(narrow[index])
        except DataError:
            unreadable += 1
            continue
        if isinstance(label, str):
            labels[label] += 1
        if is_from(label, source):
            total += 1
            if len(found) < most:
                found.append(index)
    if not total:
        if not labels:
            raise ConfigurationError(f"source {source!r}: {data.origin} does not name sources.")
        # Labels come from the data: characters that would reorder the message are escaped.
        spelled = [repr(label)[1:-1] for label in labels]
        raise unknown_choice("source", source, spelled, where=data.origin)
    return RowChoice(tuple(found), total, unreadable)
