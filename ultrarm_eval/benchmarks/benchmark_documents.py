"""The documents of a benchmark: its items, all or of one subset, and what is left out and why."""

from __future__ import annotations

from collections import Counter

from ultrarm_eval.benchmarks.benchmark import Suite
from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.rows import Row, Rows, Shard
from ultrarm_eval.documents.base import Documents
from ultrarm_eval.documents.document import LABELLED, Document
from ultrarm_eval.errors import DataError


class ChoiceDocuments(Documents):
    """The items of a benchmark."""

    form = LABELLED

    def __init__(
        self,
        rows: Rows,
        suite: Suite,
        *,
        subset: str | None = None,
        shard: Shard | None = None,
    ) -> None:
        """Reads the data; see `Documents`.

        Args:
            rows: The data.
            suite: Reads a row.
            subset: The one subset that is used; all if None.
            shard: Reads a part of the rows alone.

        Raises:
            DataError: A row is malformed, an id that has to be there once is not, or nothing is
                left.
        """
        self._suite, self._subset = suite, subset
        self._found: Counter[str] = Counter()
        # By id: the row that has it.
        self._ids: dict[str | None, int] = {}
        super().__init__(rows, shard)

    def _document(self, index: int, row: Row, counts: DataCounts) -> Document | None:
        where, suite = self._rows.where(index), self._suite
        try:
            choice = suite.read_row(row, where, counts)
        except DataError as error:
            raise DataError(f"{error} Rows of {suite.name} have: {suite.describes}.") from error
        if choice is None:
            return None
        self._found[choice.subset or ""] += 1
        if self._subset is not None and choice.subset != self._subset:
            counts.add("rows_of_other_subsets")
            return None
        is_joined = choice.subset in suite.subset_figures
        if is_joined and self._ids.setdefault(choice.id, index) != index:
            raise DataError(
                f"{where}: the id {choice.id!r} occurs twice; the score of the subset "
                f"{choice.subset!r} joins rows by their ids."
            )
        return choice

    def _without_documents(self) -> DataError:
        if self._subset is None or not self._found:
            only = self.counts.only_reason() or ""
            left_out = self.counts.listed()
            return DataError(
                f"{self._origin}: no row is left to compare ({left_out}). {only}".rstrip()
            )
        found = ", ".join(f"{name!r} ({count})" for name, count in sorted(self._found.items()))
        return DataError(
            f"{self._origin}: there is no row of the subset {self._subset!r}. Its subsets: {found}."
        )
