"""What preference data hold: by source, by preference and by model, and what is wrong with them."""

from __future__ import annotations

from typing import Any

from ultrarm_eval.data.census import Census, usable_completions
from ultrarm_eval.data.opened import OpenedData
from ultrarm_eval.data.prompt_documents import checked_preference
from ultrarm_eval.data.records import DataCounts, PromptRecord
from ultrarm_eval.data.tallies import ModelTally, RatingTally, SourceTally
from ultrarm_eval.errors import DataError
from ultrarm_eval.rules import ComparisonRules

#: What a row is filed under whose data name no source.
UNNAMED = "(none named)"
#: Counts that say how much there is; every other one says that something is odd or left out.
AMOUNTS = ("rows", "completions", "pairs", "documents")
_ERRORS_KEPT = 10


class Inspection:
    """What was found in a data set, every row of it read.

    Attributes:
        preference: The preference that the tables by source and by model follow.
        counts: What is used, and what is left out or odd, and where first.
        sources: Tallies by source.
        ratings: Tallies by preference.
        models: Tallies by model.
        unreadable: The number of rows that cannot be read; a run stops at the first of them.
        errors: What is wrong with the first of those.
    """

    def __init__(self, data: OpenedData, rules: ComparisonRules | None = None) -> None:
        """Reads all rows; one that cannot be read is noted and does not end it.

        Raises:
            ConfigurationError: The data has no such preference.
        """
        self._data = data
        self._rules = rules or ComparisonRules()
        self.preference = checked_preference(self._rules, data)
        self.counts = DataCounts()
        self.sources: dict[str, SourceTally] = {}
        self.ratings = {name: RatingTally() for name in data.source.preferences}
        self.models: dict[str, ModelTally] = {}
        self.unreadable, self.errors = 0, list[str]()
        census = Census(self.counts, self._rules, self.preference, data.source.aspects)
        for index in range(len(data.rows)):
            self.counts.where = data.where(index)
            try:
                record = data.record(index, data.read_one(index), self.counts)
            except DataError as error:
                self._note(error)
                continue
            if record is not None:
                self.counts.add("documents", int(census.count(record)))
                self._tally(record)

    @property
    def is_usable(self) -> bool:
        """Whether a run would read all rows and find pairs."""
        return not self.unreadable and self.counts["documents"] > 0

    def as_dict(self) -> dict[str, Any]:
        """Everything, as JSON values."""
        counts = self.counts
        return {
            "data": self._data.origin,
            "schema": self._data.source.name,
            "preference": self.preference,
            "min_gap": float(self._rules.min_gap),
            "rows": len(self._data.rows),
            "usable": {name: counts[name] for name in AMOUNTS},
            "by_source": {name: self.sources[name].as_dict() for name in sorted(self.sources)},
            "by_preference": {name: tally.as_dict() for name, tally in self.ratings.items()},
            "by_model": {name: self.models[name].as_dict() for name in sorted(self.models)},
            "odd": {
                name: {"count": count, "first": counts.first[name].place}
                for name, count in sorted(counts.as_dict().items())
                if name not in AMOUNTS and not name.startswith("pairs_by_")
            },
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

    def _tally(self, record: PromptRecord) -> None:
        gap = self._rules.min_gap
        source = self.sources.setdefault(record.source or UNNAMED, SourceTally())
        source.add(record, self.preference, gap)
        for name, tally in self.ratings.items():
            tally.add(record, name, gap)
        for completion in usable_completions(record, self.preference):
            if completion.model is not None:
                self.models.setdefault(completion.model, ModelTally()).add(
                    completion, self.preference
                )
