"""The documents of a benchmark: its items, all or of one subset, and what is left out and why."""

from __future__ import annotations

from collections import Counter

from ultrarm_eval.benchmarks.benchmark import Suite
from ultrarm_eval.benchmarks.choice import FIELDS, Document, make_document
from ultrarm_eval.data.records import DataCounts
from ultrarm_eval.data.rows import Row, Rows, Shard
from ultrarm_eval.documents.documents_of_rows import DocumentsOfRows
from ultrarm_eval.errors import DataError


class ChoiceDocuments(DocumentsOfRows):
    """The items of a benchmark, made from its rows when asked for.

    Attributes:
        counts: What is used, and what is left out and why.
        features: The fields of a document, as the harness asks for them.
    """

    features = dict.fromkeys(FIELDS)

    def __init__(
        self,
        rows: Rows,
        suite: Suite,
        *,
        subset: str | None = None,
        shard: Shard | None = None,
    ) -> None:
        """Reads the data once.

        Args:
            rows: The data.
            suite: Reads a row.
            subset: The one subset that is used; all if None.
            shard: Reads a part of the rows alone.

        Raises:
            DataError: A row is malformed, an id that has to be there once is not, or nothing is
                left.
        """
        self._rows, self._suite = rows, suite
        self.counts = DataCounts()
        total = len(rows)
        self._usable: list[int] = []
        seen: Counter[str] = Counter()
        ids: set[str] = set()
        for index, row in rows.read(shard.rows(total) if shard else range(total)):
            self.counts.where = rows.where(index)
            try:
                choice = suite.read_row(row, rows.where(index), self.counts)
            except DataError as error:
                raise DataError(f"{error} Rows of {suite.name} have: {suite.describes}.") from error
            if choice is None:
                continue
            seen[choice.subset] += 1
            if subset is not None and choice.subset != subset:
                self.counts.add("rows_of_other_subsets")
                continue
            if choice.subset in suite.subset_figures:
                if choice.id in ids:
                    raise DataError(
                        f"{rows.where(index)}: the id {choice.id!r} occurs twice; the score of the "
                        f"subset {choice.subset!r} joins rows by their ids."
                    )
                ids.add(choice.id)
            self._usable.append(index)
        self.counts.where = None
        if not self._usable:
            raise self._without_items(subset, seen)
        self.counts.add("documents", len(self._usable))

    def _document(self, index: int, row: Row) -> Document:
        choice = self._suite.read_row(row, self._rows.where(index), DataCounts())
        if choice is None:
            raise DataError(f"{self._rows.where(index)}: the data changed while they were read.")
        return make_document(index, choice)

    def _without_items(self, subset: str | None, seen: Counter[str]) -> DataError:
        if subset is None or not seen:
            left_out = ", ".join(f"{name}={n}" for name, n in self.counts.as_dict().items())
            only = self.counts.only_reason() or ""
            return DataError(
                f"{self._rows.origin}: no row is left to compare ({left_out}). {only}".rstrip()
            )
        found = ", ".join(f"{name!r} ({count})" for name, count in sorted(seen.items()))
        return DataError(
            f"{self._rows.origin}: there is no row of the subset {subset!r}. Its subsets: {found}."
        )
