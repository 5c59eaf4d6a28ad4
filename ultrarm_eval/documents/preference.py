"""The documents of preference data: which prompts are used, and what is excluded and why."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from typing import Any

from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.rows import Location, Row, Shard, read_shard
from ultrarm_eval.documents.base import Documents
from ultrarm_eval.documents.document import RATED, Document
from ultrarm_eval.documents.prompt_counts import PromptCounts
from ultrarm_eval.errors import DataError
from ultrarm_eval.plugins import registry
from ultrarm_eval.rules import ComparisonRules, checked_min_gap
from ultrarm_eval.sources.preference_data import PreferenceData, open_any

logger = logging.getLogger(__name__)

_NAMED = 10


class PreferenceDocuments(Documents):
    """The prompts of a data set with at least one pair.

    Attributes:
        preference: The rating that decides which answer is chosen.
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
            rules: How completions are compared; the data's default if None.
            origin: Reads only the prompts of one collection: rows whose label is this name, or
                starts with it and an underscore (UltraFeedback's FLAN prompts are labeled
                `flan_v2_cot`, `flan_v2_niv2`, ...).
            category: The column with a document's category.
            shard: Reads only this shard of the rows.

        Raises:
            ConfigurationError: The data does not have the preference.
            DataError: A row is malformed or lacks the column, the collection does not exist, or no
                pair is left.
        """
        self._data, self._collection, self._category = data, origin, category
        self._labels: set[str] = set()
        self._rules = rules or ComparisonRules()
        self.preference = data.source.checked_preference(self._rules, data.origin)
        self._prompt_counts = PromptCounts(self._rules, self.preference, data.source.aspects)
        self._categories: dict[str, None] = {}
        super().__init__(data.rows, shard)
        self.categories = tuple(self._categories)

    def remarks(self) -> list[str]:
        """Remarks about the data, mainly about what is excluded."""
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
        if record is None or not self._prompt_counts.count(record, counts):
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
                f"{self._origin}: there are no prompts of source {self._collection!r}. Its "
                f"sources: {named}. Leave out the task of this source, or name the other tasks "
                "one by one."
            )
        only = self.counts.only_reason()
        if only is not None:
            return DataError(f"{self._origin}: no pair is left to compare ({left_out}). {only}")
        gap = self._rules.min_gap
        least = f" at least {float(gap):g} apart (min_gap)" if gap else ""
        return DataError(
            f"{self._origin}: no pair is left to compare ({left_out}). A pair needs two "
            f"completions of one prompt with different ratings ({self.preference}){least}."
        )


def is_from(label: object, origin: str) -> bool:
    """Whether a row's label is a collection's name, or starts with the name and an underscore."""
    return isinstance(label, str) and (label == origin or label.startswith(f"{origin}_"))


def _category(row: Row, column: str, where: Location) -> str:
    if column not in row:
        columns = ", ".join(sorted(map(str, row))[:_NAMED])
        raise DataError(
            f"{where}: there is no column {column!r} (category). The row has the columns {columns}."
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
    """Loads the documents that `ultrafeedback_pairs` and similar tasks score.

    Excluded rows and pairs are counted in `counts` and reported in the log, as in a task.

    Args:
        data: A file (JSON, JSONL, Parquet), a folder saved by `datasets`, a hub id, or `demo`.
        preference: The rating that decides which answer is chosen; the data's default if None.
        min_gap: The smallest rating difference of a pair, exact in decimals.
        split: The split to use if there are several; `train` if None.
        revision: The hub revision.
        source: Reads only the prompts of one collection, such as `flan`.
        shard: Reads only one shard of the rows, such as `3/16`.

    Returns:
        A sequence of `Document`. The first half a billion characters are kept in memory; the rest
        is read again on demand.

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
