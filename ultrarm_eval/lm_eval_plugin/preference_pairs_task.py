"""`preference_pairs`: anyone's pairs, with a row for each category."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lm_eval.api.metrics import mean

from ultrarm_eval.errors import ConfigurationError, DataError
from ultrarm_eval.lm_eval_plugin.metadata import TaskOptions
from ultrarm_eval.lm_eval_plugin.pairwise_task import PairwiseTask
from ultrarm_eval.plugins import registry
from ultrarm_eval.sources.preference_data import PreferenceData, open_any

_NAMED = 10
_MOST_CATEGORIES = 200
_PER_BYTE = "acc_norm"


class PreferencePairsTask(PairwiseTask):
    """Compares pairs of any local file or hub data set that a pair source knows.

    Beside a preference task's options it takes `split` and `category`, the column whose values get
    an accuracy of their own.
    """

    data_may_be_on_hub = True

    def download(self, *args: Any, **kwargs: Any) -> None:
        """Opens the data, and finds the category of each row."""
        self._categories: dict[int, str] = {}
        # The metric of each category, in the order of their first rows.
        self._accuracies: dict[str, str] = {}
        super().download(*args, **kwargs)
        column = (self.config.metadata or {}).get("category")
        if column is not None:
            documents = self.dataset[self.config.test_split]
            self._categories = self._read_categories(str(column), documents.rows_used())
            self._accuracies = self._named(str(column))

    def open_data(self, options: TaskOptions) -> PreferenceData:
        """Opens the data the run names; there are none otherwise."""
        if options.data is None:
            raise ConfigurationError(
                f"{self.config.task} has no data of its own: name a file, a folder or a hub data "
                'set with prompt, chosen and rejected, --metadata \'{"data": "PATH"}\'.'
            )
        split = (self.config.metadata or {}).get("split")
        self._data = open_any(
            options.data,
            None if split is None else str(split),
            options.data_revision,
            registry().sources(),
        )
        return self._data

    def process_results(
        self, doc: Mapping[str, Any], results: Sequence[tuple[float, bool]]
    ) -> dict[str, Any]:
        """The metrics of one prompt, its accuracy a second time under its category."""
        metrics = super().process_results(doc, results)
        if self.only_writes():
            return metrics
        own = self._categories.get(int(doc["row"]))
        # Every document has every metric, in one order: see `abstentions`.
        return metrics | {
            name: metrics.get("acc") if category == own else None
            for category, name in self._accuracies.items()
        }

    def aggregation(self) -> dict[str, Callable[[Sequence[Any]], Any]]:
        """As for a preference task; the mean over prompts for each category."""
        by_category = dict.fromkeys(self._accuracies.values(), mean)
        if self.only_writes():
            return super().aggregation()
        return {**super().aggregation(), **self.abstentions.over_defined(by_category)}

    def higher_is_better(self) -> dict[str, bool]:
        """Which way each metric gets better."""
        return {**super().higher_is_better(), **dict.fromkeys(self._accuracies.values(), True)}

    def _named(self, column: str) -> dict[str, str]:
        """The name of each category's accuracy, which no other metric has."""
        categories = list(dict.fromkeys(self._categories.values()))
        if len(categories) > _MOST_CATEGORIES:
            raise DataError(
                f"{self._data.origin}: the column {column!r} (category) has {len(categories):,} "
                f"values; a category gets a row of its own, so at most {_MOST_CATEGORIES} are "
                "shown. Name a column with fewer."
            )
        taken = {*super().aggregation(), _PER_BYTE}
        names: dict[str, str] = {}
        for category in categories:
            # The harness joins a metric and its filter by a comma.
            name = f"acc_{category.replace(',', ';') or 'empty'}"
            while name in taken:
                name = name.replace("acc_", "acc_category_", 1)
            taken.add(name)
            names[category] = name
        return names

    def _read_categories(self, column: str, rows: Sequence[int]) -> dict[int, str]:
        found: dict[int, str] = {}
        for index, row in self._data.rows.read(rows):
            if column not in row:
                columns = ", ".join(sorted(map(str, row))[:_NAMED])
                raise DataError(
                    f"{self._data.rows.where(index)}: there is no column {column!r} (category); "
                    f"the row has {columns}."
                )
            value = row[column]
            found[index] = "none" if value is None else str(value)
        return found
