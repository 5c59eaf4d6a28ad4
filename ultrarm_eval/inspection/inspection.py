"""Statistics of preference data by source, preference and model, and their problems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.rows import Row
from ultrarm_eval.documents.prompt_counts import PromptCounts
from ultrarm_eval.errors import DataError
from ultrarm_eval.inspection.tallies import ModelTally, RatingTally, SourceTally
from ultrarm_eval.messages import well_formed
from ultrarm_eval.rules import ComparisonRules
from ultrarm_eval.sources.preference_data import PreferenceData

#: The source of rows that name none.
UNNAMED = "(none named)"
#: Counts of how much there is; every other count is of something odd or excluded.
AMOUNTS = ("rows", "completions", "pairs", "pairs_of_equal_length", "documents")
_ERRORS_KEPT = 10


class _TrackedRow(Mapping[str, Any]):
    """A row that records which of its columns are read."""

    def __init__(self, row: Row, asked: set[str]) -> None:
        self._row, self._asked = row, asked

    def __getitem__(self, column: str) -> Any:
        self._asked.add(column)
        return self._row[column]

    def __iter__(self) -> Iterator[str]:
        return iter(self._row)

    def __len__(self) -> int:
        return len(self._row)


class Inspection:
    """The findings on a data set, from all of its rows.

    Attributes:
        preference: The preference that the tables by source and by model follow.
        counts: What is used, and what is excluded or odd, and where first.
        counts_by_source: The same for each source.
        sources: Tallies by source.
        ratings: Tallies by preference.
        models: Tallies by model.
        unreadable: The number of unreadable rows; a run stops at the first of them.
        errors: The errors of the first of those.
    """

    def __init__(self, data: PreferenceData, rules: ComparisonRules | None = None) -> None:
        """Reads all rows; an unreadable one is recorded and does not stop it.

        Raises:
            ConfigurationError: The data has no such preference.
        """
        self._data = data
        self._rules = rules or ComparisonRules()
        self.preference = data.source.checked_preference(self._rules, data.origin)
        self.counts = DataCounts()
        self.counts_by_source: dict[str, DataCounts] = {}
        self.sources: dict[str, SourceTally] = {}
        self.ratings = {name: RatingTally() for name in data.source.preferences}
        self.models: dict[str, ModelTally] = {}
        self.unreadable, self.errors = 0, list[str]()
        self._columns: dict[str, None] = {}
        self._asked: set[str] = set()
        self._prompt_counts = PromptCounts(self._rules, self.preference, data.source.aspects)
        for index in range(len(data.rows)):
            try:
                row = _TrackedRow(data.rows[index], self._asked)
                self._columns |= dict.fromkeys(row)
                counts = DataCounts(where=data.rows.where(index))
                self._read(index, row, counts)
            except DataError as error:
                self._note(error)
                continue
            self.counts.merge(counts)
            label = self._label(row)
            self.counts_by_source.setdefault(label, DataCounts()).merge(counts)
            self.sources.setdefault(label, SourceTally()).rows += 1

    @property
    def is_usable(self) -> bool:
        """Whether a run would read all rows and find pairs."""
        return not self.unreadable and self.counts["documents"] > 0

    @property
    def columns_not_read(self) -> list[str]:
        """The columns that are not read, in the order in which they occur."""
        return [column for column in self._columns if column not in self._asked]

    def as_dict(self) -> dict[str, Any]:
        """Everything, as JSON values."""
        counts = self.counts
        return {
            "data": self._data.origin,
            "schema": self._data.source.name,
            "preference": self.preference,
            "min_gap": float(self._rules.min_gap),
            "rows": len(self._data.rows),
            "columns_not_read": self.columns_not_read,
            "usable": {name: counts[name] for name in AMOUNTS},
            "by_source": {name: self.sources[name].as_dict() for name in sorted(self.sources)},
            "by_preference": {name: tally.as_dict() for name, tally in self.ratings.items()},
            "by_model": {name: self.models[name].as_dict() for name in sorted(self.models)},
            "odd": {name: self._odd(name) for name in sorted(counts.counts) if _is_odd(name)},
            "advice": {
                name: advice for name, advice in self._data.source.advice.items() if counts[name]
            },
            "unreadable_rows": self.unreadable,
            "errors": list(self.errors),
        }

    def _note(self, error: DataError) -> None:
        self.unreadable += 1
        if len(self.errors) < _ERRORS_KEPT:
            self.errors.append(str(error))

    def _read(self, index: int, row: Row, counts: DataCounts) -> None:
        record = self._data.record(index, row, counts)
        if record is None:
            return
        counts.add("documents", int(self._prompt_counts.count(record, counts)))
        gap = self._rules.min_gap
        self.sources.setdefault(self._label(row), SourceTally()).add(record, self.preference, gap)
        for name, tally in self.ratings.items():
            tally.add(record, name, gap)
        for completion in record.usable_by(self.preference):
            if completion.model is not None:
                self.models.setdefault(completion.model, ModelTally()).add(
                    completion, self.preference
                )

    def _label(self, row: Row) -> str:
        label = self._data.source.label_of(row)
        return well_formed(label) if isinstance(label, str) else UNNAMED

    def _odd(self, name: str) -> dict[str, Any]:
        parts = {part: count for (what, part), count in self.counts.parts.items() if what == name}
        return {
            "count": self.counts[name],
            "first": self.counts.first[name].place,
            "by_source": {
                label: counts[name]
                for label, counts in sorted(self.counts_by_source.items())
                if counts[name]
            },
            **({"by_aspect": dict(sorted(parts.items()))} if parts else {}),
        }


def _is_odd(name: str) -> bool:
    return name not in AMOUNTS and not name.startswith("pairs_by_")
