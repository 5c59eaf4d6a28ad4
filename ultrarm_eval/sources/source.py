"""Forms of preference data, as plugins register them."""

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
        name: Unique; with `open_rows`, also the word for ``--metadata '{"data": "NAME"}'``.
        describes: Columns that rows of this schema have, in words, for messages.
        recognises: Whether columns are of this schema. The first source that says yes reads.
        read_row: Turns a row into a record, or returns None and counts why not.
        open_rows: Opens the source's own data set, if it has one.
        preferences: Names of the ratings that its completions may have; the first is the default.
        aspects: Those of them that get an accuracy of their own (``acc_NAME``).
        has_ratings: Whether the ratings are the data's own and not only "chosen" and "rejected",
            so that the gap between two of them means something.
        origin_column: The column that names the collection a row is from, if there is one.
        read_notes: What raters wrote about each completion that `read_row` keeps, in its order, by
            name (`critique`, the aspect that it gives reasons for); None where rows hold no such
            texts.
        advice: What to say where something was counted, by the count's name.
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
        """The name of the rating that orders the pairs.

        Args:
            rules: How completions are compared.
            origin: The data, for messages.

        Raises:
            ConfigurationError: The data has no such rating, or none that has a gap.
        """
        if rules.min_gap and not self.has_ratings:
            raise ConfigurationError(
                f"min_gap={float(rules.min_gap):g}: {origin} says which answer is chosen and not "
                "by how much. Leave min_gap out, or give data with scores."
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
        """The collection a row is from, as the row says."""
        return None if self.origin_column is None else row.get(self.origin_column)

    def remarks(self, counts: DataCounts) -> list[str]:
        """What has to be said about data in which so much was counted."""
        remarks: dict[str, str] = {}
        for name, advice in self.advice.items():
            if count := counts[name]:
                first = f" (the first: {counts.first[name]})" if name in counts.first else ""
                # Two counts may be about the same thing; the first named is the nearer one.
                remarks.setdefault(advice, f"{count} {name}{first}: {advice}.")
        return list(remarks.values())
