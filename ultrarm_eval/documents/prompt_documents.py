"""The documents of a data set: which of its prompts are compared, and what is left out and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from ultrarm_eval.data.records import DataCounts
from ultrarm_eval.data.rows import Row, Shard
from ultrarm_eval.documents.census import Census
from ultrarm_eval.documents.document import FIELDS, Document, make_document
from ultrarm_eval.documents.documents_of_rows import DocumentsOfRows
from ultrarm_eval.documents.left_out import left_out_remarks
from ultrarm_eval.errors import DataError
from ultrarm_eval.rules import ComparisonRules
from ultrarm_eval.sources.preference_data import PreferenceData


class PromptDocuments(DocumentsOfRows):
    """The usable documents of a data set, made from its rows when asked for.

    Attributes:
        counts: What is used, and what is left out and why.
        preference: The rating that orders the pairs.
        features: The fields of a document, as the harness asks for them.
    """

    features = dict.fromkeys(FIELDS)

    def __init__(
        self,
        data: PreferenceData,
        rules: ComparisonRules | None = None,
        *,
        origin: str | None = None,
        shard: Shard | None = None,
    ) -> None:
        """Reads the data once to find the prompts with at least one pair.

        Args:
            data: The data.
            rules: How completions are compared; by default as the data's own default says.
            origin: Reads the prompts of one collection alone: rows whose label is this word, or
                starts with it and an underscore (UltraFeedback's FLAN prompts are labelled
                `flan_v2_cot`, `flan_v2_niv2`, ...).
            shard: Reads a part of the rows alone.

        Raises:
            ConfigurationError: The data has no such preference.
            DataError: A row is malformed, there is no such collection, or no pair is left.
        """
        self._data, self._rows = data, data.rows
        self._origin, self._shard = origin, shard
        self._rules = rules or ComparisonRules()
        self.preference = data.source.checked_preference(self._rules, data.origin)
        self.counts = DataCounts()
        self._usable = self._find_usable()
        self.counts.where = None
        if not self._usable:
            raise self._without_pairs()
        self.counts.add("documents", len(self._usable))

    def remarks(self) -> list[str]:
        """What has to be said about the data, beyond the counts: above all what is left out."""
        source = self._data.source
        return [*source.remarks(self.counts), *left_out_remarks(self.counts, source.advice)]

    def _find_usable(self) -> list[int]:
        usable, labels = [], set[str]()
        census = Census(self.counts, self._rules, self.preference, self._data.source.aspects)
        total = len(self._data.rows)
        indices: Sequence[int] = self._shard.rows(total) if self._shard else range(total)
        if not indices:
            raise DataError(
                f"{self._where()}: there are no rows in this part of {total}. Make fewer shards."
            )
        for index, row in self._rows.read(indices):
            self.counts.where = self._rows.where(index)
            if self._origin is not None:
                label = self._data.source.label_of(row)
                labels.add(str(label))
                if not is_from(label, self._origin):
                    self.counts.add("rows_of_other_sources")
                    continue
            record = self._data.record(index, row, self.counts)
            if record is not None and census.count(record):
                usable.append(index)
        if self._origin is not None and self.counts["rows_of_other_sources"] == len(indices):
            raise DataError(
                f"{self._where()}: there are no prompts of the source {self._origin!r}. Its "
                f"sources: {', '.join(sorted(labels - {'None'})) or 'none are named'}. Leave the "
                "task of this source out, or name the others one by one."
            )
        return usable

    def _document(self, index: int, row: Row) -> Document:
        record = self._data.record(index, row, DataCounts())
        if record is None:
            raise DataError(f"{self._rows.where(index)}: the data changed while they were read.")
        record = dataclasses.replace(record, completions=record.usable_by(self.preference))
        return make_document(index, record, self.preference, self._data.source.aspects)

    def _where(self) -> str:
        return f"{self._data.origin}, shard {self._shard}" if self._shard else self._data.origin

    def _without_pairs(self) -> DataError:
        left_out = ", ".join(f"{name}={n}" for name, n in self.counts.as_dict().items())
        only = self.counts.only_reason()
        if only is not None:
            return DataError(f"{self._where()}: no pair is left to compare ({left_out}). {only}")
        gap = self._rules.min_gap
        least = f" and at least {float(gap):g} apart (min_gap)" if gap else ""
        return DataError(
            f"{self._where()}: no pair is left to compare ({left_out}). A pair needs two "
            f"completions of one prompt with ratings ({self.preference}) that are different{least}."
        )


def is_from(label: object, origin: str) -> bool:
    """Whether a row's label is a collection's name, or starts with it and an underscore."""
    return isinstance(label, str) and (label == origin or label.startswith(f"{origin}_"))
