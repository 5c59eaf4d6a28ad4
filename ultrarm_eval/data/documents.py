"""Documents: one prompt with its completions and ratings, as plain JSON values.

A document is what a harness carries around and writes into its samples, so it holds everything
that is needed to score it and to compute its metrics again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import combinations
from typing import Any, overload

from ultrarm_eval.data.opening import OpenedData
from ultrarm_eval.data.records import DataCounts, PromptRecord, Row
from ultrarm_eval.errors import DataError
from ultrarm_eval.messages import well_formed
from ultrarm_eval.pairs import preference_pairs

FORMAT = "ultrarm_eval.document/1"
FIELDS = ("format", "row", "source", "prompt", "completions", "ratings", "models")

Document = dict[str, Any]


def is_document(value: object) -> bool:
    """Whether a harness's document is one of ours."""
    return isinstance(value, Mapping) and value.get("format") == FORMAT


def ratings_of(document: Mapping[str, Any]) -> list[Fraction | None]:
    """The exact ratings of a document's completions."""
    return [None if rating is None else Fraction(rating) for rating in document["ratings"]]


class PromptDocuments(Sequence[Document]):
    """The usable documents of a data set, made from its rows when asked for.

    Attributes:
        counts: What is used, and what is left out and why.
        features: The fields of a document, as the harness asks for them.
    """

    features = dict.fromkeys(FIELDS)

    def __init__(self, data: OpenedData) -> None:
        """Reads the data once to find the prompts with at least one pair.

        Raises:
            DataError: A row is malformed, or no pair is left.
        """
        self._data = data
        self.counts = DataCounts()
        self._usable: list[int] = []
        for index, row in enumerate(data.rows):
            record = self._read(index, row, self.counts)
            if record is not None and self._count_pairs(record):
                self._usable.append(index)
        if not self._usable:
            left_out = ", ".join(f"{name}={n}" for name, n in self.counts.as_dict().items())
            raise DataError(
                f"{data.origin}: no pair is left to compare ({left_out}). A pair needs two "
                "completions of one prompt with different ratings."
            )
        self.counts.add("documents", len(self._usable))

    def __len__(self) -> int:
        return len(self._usable)

    @overload
    def __getitem__(self, index: int) -> Document: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Document]: ...

    def __getitem__(self, index: int | slice) -> Document | Sequence[Document]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        row_index = self._usable[index]
        return self._document(row_index, self._data.rows[row_index])

    def __iter__(self) -> Iterator[Document]:
        usable = set(self._usable)
        for index, row in enumerate(self._data.rows):
            if index in usable:
                yield self._document(index, row)

    def _document(self, index: int, row: Row) -> Document:
        record = self._read(index, row, DataCounts())
        if record is None:
            raise DataError(f"{self._data.where(index)}: the data changed while they were read.")
        return {
            "format": FORMAT,
            "row": index,
            "source": record.source,
            "prompt": [
                {"role": message["role"], "content": well_formed(message["content"])}
                for message in record.prompt
            ],
            "completions": [well_formed(completion.text) for completion in record.completions],
            "ratings": [None if c.rating is None else str(c.rating) for c in record.completions],
            "models": [completion.model for completion in record.completions],
        }

    def _read(self, index: int, row: Row, counts: DataCounts) -> PromptRecord | None:
        try:
            return self._data.source.read_row(row, self._data.where(index), counts)
        except KeyError as error:
            raise DataError(
                f"{self._data.where(index)}: field {error.args[0]!r} is missing. Rows of this "
                f"schema have: {self._data.source.describes}."
            ) from error

    def _count_pairs(self, record: PromptRecord) -> bool:
        pairs = preference_pairs([completion.rating for completion in record.completions])
        rated = [c for c in record.completions if c.rating is not None]
        possible = len(rated) * (len(rated) - 1) // 2
        self.counts.add("pairs", len(pairs))
        self.counts.add("pairs_left_out_equal_ratings", possible - len(pairs))
        self.counts.add(
            "pairs_with_identical_answers",
            sum(a.text == b.text and a.rating != b.rating for a, b in combinations(rated, 2)),
        )
        texts = [*(m["content"] for m in record.prompt), *(c.text for c in record.completions)]
        self.counts.add("texts_with_lone_surrogates", sum(well_formed(t) != t for t in texts))
        if not pairs:
            self.counts.add("rows_left_out_without_pairs")
        return bool(pairs)
