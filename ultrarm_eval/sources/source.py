"""Sources of preference data, which plugins register."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.records import PromptRecord
from ultrarm_eval.data.rows import Location, Row
from ultrarm_eval.errors import ConfigurationError, unknown_choice
from ultrarm_eval.rules import ComparisonRules

#: What the rating of a schema with a single one is called.
DEFAULT_PREFERENCE = "score"


@dataclass(frozen=True)
class PairSource:
    """A schema of preference data, and possibly a data set of its own.

    Attributes:
        name: Unique; with `open_rows`, also the name for ``--metadata '{"data": "NAME"}'``.
        describes: The columns of this schema, in words, for messages.
        recognises: Whether columns are of this schema. The first source that returns True is used.
        read_row: Converts a row to a record, or returns None and counts why.
        open_rows: Opens the source's own data set, if it has one.
        preferences: The names of its completions' ratings; the first is the default.
        aspects: Those that get their own accuracy (``acc_NAME``).
        has_ratings: Whether the data has real ratings instead of only "chosen" and "rejected", so
            that the gap between two ratings is meaningful.
        origin_column: The column with a row's collection, if there is one.
        read_notes: The raters' notes on each completion that `read_row` keeps, in order, by name
            (`critique`, or the aspect they explain); None if rows contain no notes.
        advice: A remark for each count, by the count's name.
    """

    name: str
    describes: str
    recognises: Callable[[frozenset[str]], bool]
    read_row: Callable[[Row, Location, DataCounts], PromptRecord | None]
    open_rows: Callable[[], Sequence[Row]] | None = None
    preferences: tuple[str, ...] = (DEFAULT_PREFERENCE,)
    aspects: tuple[str, ...] = ()
    has_ratings: bool = True
    origin_column: str | None = "source"
    read_notes: Callable[[Row], Sequence[Mapping[str, str]]] | None = None
    advice: Mapping[str, str] = field(default_factory=dict)

    def checked_preference(self, rules: ComparisonRules, origin: str) -> str:
        """The name of the rating that decides which answer is chosen.

        Args:
            rules: How completions are compared.
            origin: The data, for messages.

        Raises:
            ConfigurationError: The data does not have the rating, or its ratings have no gaps.
        """
        if rules.min_gap and not self.has_ratings:
            raise ConfigurationError(
                f"min_gap={float(rules.min_gap):g}: {origin} has no scores, only chosen and "
                "rejected. Leave min_gap out, or use data with scores."
            )
        if rules.preference is None:
            return self.preferences[0]
        if rules.preference not in self.preferences:
            raise unknown_choice(
                "preference",
                rules.preference,
                self.preferences,
                where=f"{origin} (its schema is {self.name!r})",
            )
        return rules.preference

    def label_of(self, row: Row) -> object:
        """The collection of a row, as given in the row."""
        return None if self.origin_column is None else row.get(self.origin_column)

    def remarks(self, counts: DataCounts) -> list[str]:
        """Remarks about data with these counts."""
        remarks: dict[str, str] = {}
        for name, advice in self.advice.items():
            if count := counts[name]:
                first = f" (first: {counts.first[name]})" if name in counts.first else ""
                # Two counts may be about the same thing; the first named is the nearer one.
                remarks.setdefault(advice, f"{count} {name}{first}: {advice}.")
        return list(remarks.values())
