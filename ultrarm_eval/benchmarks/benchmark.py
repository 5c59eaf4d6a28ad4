"""A benchmark: how its rows are read, and how a judge is scored on it.

To add one, write a file next to this one that makes a `Benchmark`, register it as
`builtin_plugin.register_benchmarks` does, and name it in a task file (`dataset_kwargs: {suite:
NAME}`). Another package does the same through the hook `register_benchmarks`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from ultrarm_eval.benchmarks.figures import Figure
from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.rows import Location, Row, Rows, Shard
from ultrarm_eval.documents.base import Documents
from ultrarm_eval.documents.document import LABELLED, Document
from ultrarm_eval.errors import DataError, PluginError, UltrarmEvalError, first_line

__all__ = ["Benchmark", "Credit", "Evidence"]

#: The credit of an item: from its document, its completions' rewards, and the credit of a tie.
Credit: TypeAlias = Callable[[Document, Sequence[float], float], float]
#: What metrics over several items need of one: from its document, its rewards and its credit.
Evidence: TypeAlias = Callable[[Document, Sequence[float], float], Any]


def half(_: Document) -> float:
    """The default credit of a tied pair."""
    return 0.5


def subset_and_credit(document: Document, _: Sequence[float], credit: float) -> list[Any]:
    """The evidence of metrics that are computed from the credits in each subset."""
    return [document.subset, credit]


@dataclass(frozen=True)
class Benchmark:
    """A benchmark.

    Attributes:
        name: Its name in task files.
        describes: The columns of its rows, in words, for messages.
        read_row: Turns a row into a document of correct and incorrect completions, or returns None
            and counts why not.
        credit: The credit of a judge on an item, from 0 to 1; the mean over items is `acc`.
        ties: The official credit of equal rewards: `half` or `wrong`, or None where the benchmark
            has its own rule that no option replaces.
        figures: The benchmark's scores other than `acc`, by name; each is computed from the
            evidence of all items.
        evidence: What these scores need of an item, as JSON values; the first is its subset.
        file_names: Names of a local data file, in addition to those of the benchmark and its split.
        subset_figures: Scores of subsets whose `acc` is not a mean of credits, by subset.
        pair_tie: The credit of a correct and an incorrect completion with equal rewards, where
            pairs are compared one by one; from their document.
    """

    name: str
    describes: str
    read_row: Callable[[Row, Location, DataCounts], Document | None]
    credit: Credit
    ties: str | None
    figures: Mapping[str, Figure] = field(default_factory=dict)
    evidence: Evidence = subset_and_credit
    file_names: tuple[str, ...] = ()
    subset_figures: Mapping[str, Figure] = field(default_factory=dict)
    pair_tie: Callable[[Document], float] = half


def of_plugin(benchmark: object, plugin: str) -> Benchmark:
    """A benchmark of another package, whose errors name it and its plugin.

    Args:
        benchmark: What the plugin registered.
        plugin: The plugin, for messages.

    Raises:
        PluginError: It is not a benchmark.
    """
    if not isinstance(benchmark, Benchmark):
        raise PluginError(
            f"{plugin}: a benchmark must be an ultrarm_eval.benchmarks.benchmark.Benchmark, not a "
            f"value of type {type(benchmark).__name__}."
        )
    who = f"Benchmark {benchmark.name!r} ({plugin})"
    if not isinstance(benchmark.name, str) or not benchmark.name:
        raise PluginError(f"{who}: its name must be a non-empty string.")
    read = benchmark.read_row

    def read_row(row: Row, where: Location, counts: DataCounts) -> Document | None:
        try:
            document = read(row, where, counts)
        except UltrarmEvalError:
            raise
        except Exception as error:
            # Another package's function may raise anything.
            raise DataError(f"{where}: {who} fails on this row: {first_line(error)}.") from error
        if document is not None and not (
            isinstance(document, Document)
            and document.correct
            and document.correct < len(document.completions)
        ):
            raise DataError(
                f"{where}: {who} returned no Document with correct and incorrect completions for "
                "this row (see Document.of_choice)."
            )
        return document

    def named(function: Callable[..., Any], what: str) -> Callable[..., Any]:
        def called(*given: Any) -> Any:
            try:
                return function(*given)
            except UltrarmEvalError:
                raise
            except Exception as error:
                # Another package's function may raise anything.
                raise PluginError(f"{who} fails in its {what}: {first_line(error)}.") from error

        return called

    return replace(
        benchmark,
        read_row=read_row,
        credit=named(benchmark.credit, "credit"),
        evidence=named(benchmark.evidence, "evidence"),
        pair_tie=named(benchmark.pair_tie, "pair_tie"),
    )


class BenchmarkDocuments(Documents):
    """The items of a benchmark."""

    form = LABELLED

    def __init__(
        self,
        rows: Rows,
        benchmark: Benchmark,
        *,
        subset: str | None = None,
        shard: Shard | None = None,
    ) -> None:
        """Reads the data; see `Documents`.

        Args:
            rows: The data.
            benchmark: Reads a row.
            subset: The only subset to use; all if None.
            shard: Reads only one shard of the rows.

        Raises:
            DataError: A row is malformed, an id is not unique, or no row remains.
        """
        self._benchmark, self._subset = benchmark, subset
        self._found: Counter[str] = Counter()
        # By id: the row that has it.
        self._ids: dict[str | None, int] = {}
        super().__init__(rows, shard)

    def _document(self, index: int, row: Row, counts: DataCounts) -> Document | None:
        where, benchmark = self._rows.where(index), self._benchmark
        try:
            document = benchmark.read_row(row, where, counts)
        except DataError as error:
            described = f"Columns of {benchmark.name}: {benchmark.describes}."
            raise DataError(f"{error} {described}") from error
        if document is None:
            return None
        self._found[document.subset or ""] += 1
        if self._subset is not None and document.subset != self._subset:
            counts.add("rows_of_other_subsets")
            return None
        is_joined = document.subset in benchmark.subset_figures
        if is_joined and self._ids.setdefault(document.id, index) != index:
            raise DataError(
                f"{where}: the id {document.id!r} occurs twice; the score of the subset "
                f"{document.subset!r} joins rows by their ids."
            )
        return document

    def _without_documents(self) -> DataError:
        if self._subset is None or not self._found:
            only = self.counts.only_reason() or ""
            left_out = self.counts.listed()
            return DataError(
                f"{self._origin}: no row remains to compare ({left_out}). {only}".rstrip()
            )
        found = ", ".join(f"{name!r} ({count})" for name, count in sorted(self._found.items()))
        return DataError(
            f"{self._origin}: there is no row of the subset {self._subset!r}. Its subsets: {found}."
        )
