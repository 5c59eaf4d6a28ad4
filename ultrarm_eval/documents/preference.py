"""The documents of preference data: which prompts are compared, and what is left out and why."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from typing import Any

from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.rows import Location, Row, Shard, read_shard
from ultrarm_eval.documents.base import Documents
from ultrarm_eval.documents.census import Census
from ultrarm_eval.documents.document import RATED, Document
from ultrarm_eval.errors import DataError
from ultrarm_eval.plugins import registry
from ultrarm_eval.rules import ComparisonRules, checked_min_gap
from ultrarm_eval.sources.preference_data import PreferenceData, open_any

logger = logging.getLogger(__name__)

_NAMED = 10


class PreferenceDocuments(Documents):
    """The prompts of a data set that have a pair.

    Attributes:
        preference: The rating that orders the pairs.
        categories: The documents' categories, in the order of their first rows.
    """

    form = RATED

    def __init__(
        self,
        data: PreferenceData,
        rules: ComparisonRules | None = None,
        *,
        origin: str | None = None,
        category: str | None = None,
        shard: Shard | None = None,
    ) -> None:
        """Reads the data; see `Documents`.

        Args:
            data: The data.
            rules: How completions are compared; by default as the data's own default says.
            origin: Reads the prompts of one collection alone: rows whose label is this word, or
                starts with it and an underscore (UltraFeedback's FLAN prompts are labelled
                `flan_v2_cot`, `flan_v2_niv2`, ...).
            category: The column that says which category a document belongs to.
            shard: Reads a part of the rows alone.

        Raises:
            ConfigurationError: The data has no such preference.
            DataError: A row is malformed or lacks the column, there is no such collection, or no
                pair is left.
        """
        self._data, self._collection, self._category = data, origin, category
        self._labels: set[str] = set()
        self._rules = rules or ComparisonRules()
        self.preference = data.source.checked_preference(self._rules, data.origin)
        self._census = Census(self._rules, self.preference, data.source.aspects)
        self._categories: dict[str, None] = {}
        super().__init__(data.rows, shard)
        self.categories = tuple(self._categories)

    def remarks(self) -> list[str]:
        """What has to be said about the data, beyond the counts: above all what is left out."""
        return self._data.remarks(self.counts)

    def _document(self, index: int, row: Row, counts: DataCounts) -> Document | None:
        source = self._data.source
        if self._collection is not None:
            label = source.label_of(row)
            if not is_from(label, self._collection):
                self._labels.add(str(label))
                counts.add("rows_of_other_sources")
                return None
        record = self._data.record(index, row, counts)
        if record is None or not self._census.count(record, counts):
            return None
        where = self._rows.where(index)
        document = Document.of_record(record, self.preference, source.aspects, where=where)
        if self._category is None:
            return document
        category = _category(row, self._category, where)
        self._categories[category] = None
        return replace(document, category=category)

    def _without_documents(self) -> DataError:
        left_out = self.counts.listed()
        if set(self.counts.counts) == {"rows_of_other_sources"}:
            named = ", ".join(sorted(self._labels - {"None"})) or "none are named"
            return DataError(
                f"{self._origin}: there are no prompts of the source {self._collection!r}. Its "
                f"sources: {named}. Leave the task of this source out, or name the others one by "
                "one."
            )
        only = self.counts.only_reason()
        if only is not None:
            return DataError(f"{self._origin}: no pair is left to compare ({left_out}). {only}")
        gap = self._rules.min_gap
        least = f" and at least {float(gap):g} apart (min_gap)" if gap else ""
        return DataError(
            f"{self._origin}: no pair is left to compare ({left_out}). A pair needs two "
            f"completions of one prompt with ratings ({self.preference}) that are different{least}."
        )


def is_from(label: object, origin: str) -> bool:
    """Whether a row's label is a collection's name, or starts with it and an underscore."""
    return isinstance(label, str) and (label == origin or label.startswith(f"{origin}_"))


def _category(row: Row, column: str, where: Location) -> str:
    if column not in row:
        columns = ", ".join(sorted(map(str, row))[:_NAMED])
        raise DataError(
            f"{where}: there is no column {column!r} (category); the row has {columns}."
        )
    value = row[column]
    return "none" if value is None else str(value)


def load_documents(
    data: str | os.PathLike[str],
    *,
    preference: str | None = None,
    min_gap: Any = 0,
    split: str | None = None,
    revision: str | None = None,
    source: str | None = None,
    shard: str | None = None,
) -> PreferenceDocuments:
    """The documents that `ultrafeedback_pairs` and its like score on some data.

    What is left out is counted under `counts`, and rows that are left out are warned of in the log,
    as by a task.

    Args:
        data: A file (JSON, JSONL, Parquet), a folder saved by `datasets`, a hub id, or `demo`.
        preference: The rating that orders the pairs; the data's default if None.
        min_gap: The least difference in rating of a pair, exact in decimals.
        split: The split to take where there are several; `train` if None.
        revision: The hub revision.
        source: Reads the prompts of one collection alone, such as `flan`.
        shard: Reads a part of the rows alone, such as `3/16`.

    Returns:
        A sequence of `Document`. The first half a billion characters of them lie in memory; what
        is behind is read again when it is asked for.

    Raises:
        UltrarmEvalError: The data or an option cannot be used.
    """
    name = os.fspath(data)
    documents = PreferenceDocuments(
        open_any(name, split, revision, registry().sources()),
        ComparisonRules(preference, min_gap=checked_min_gap(min_gap)),
        origin=source,
        shard=None if shard is None else read_shard(shard),
    )
    for remark in documents.remarks():
        logger.warning("%s: %s", name, remark)
    return documents
