"""The documents of a data set's rows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, overload

from ultrarm_eval.data.counts import DataCounts, left_out_remarks
from ultrarm_eval.data.rows import DataPart, Row, Rows, Shard
from ultrarm_eval.documents.document import Document
from ultrarm_eval.errors import ConfigurationError, DataError

# About half a gigabyte; all of UltraFeedback has less.
_MOST_CHARACTERS = 2**29


class Documents(Sequence[Document]):
    """Documents made from rows.

    All rows are read once at the start, to count their contents. Documents stay in memory up to
    half a billion characters of text; the rest are made from their rows again on demand.

    Attributes:
        counts: What is used, and what is excluded and why.
        form: The JSON form in which a harness carries the documents.
        part: Their place in the complete data, if they are a shard; None otherwise.
    """

    form: str

    def __init__(self, rows: Rows, shard: Shard | None = None) -> None:
        """Reads the rows.

        Args:
            rows: The data.
            shard: Reads only this shard of the rows.

        Raises:
            DataError: A row is malformed, or no document is left.
        """
        self._rows, self._shard = rows, shard
        self.counts = DataCounts()
        # By the number of the row, ascending; None for those that are made again.
        self._documents: dict[int, Document | None] = {}
        room = _MOST_CHARACTERS
        total = len(rows)
        self.part = part_read(rows, shard)
        indices = shard.rows(total) if shard else range(total)
        if not indices:
            part = f" in this shard of {total}. Use fewer shards" if shard else ""
            raise DataError(f"{self._origin}: there are no rows{part}.")
        for index, row in rows.read(indices):
            self.counts.where = rows.where(index)
            document = self._document(index, row, self.counts)
            if document is not None:
                room -= _characters(document)
                self._documents[index] = document if room >= 0 else None
        self.counts.where = None
        if not self._documents:
            raise self._without_documents()
        self._indices = tuple(self._documents)
        self.counts.add("documents", len(self._indices))

    @abstractmethod
    def _document(self, index: int, row: Row, counts: DataCounts) -> Document | None:
        """The document of a row; None if it is excluded and counted.

        Raises:
            DataError: The row is malformed.
        """

    @abstractmethod
    def _without_documents(self) -> DataError:
        """The error for data without any usable document."""

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, index: int) -> Document: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Document]: ...

    def __getitem__(self, index: int | slice) -> Document | Sequence[Document]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        row = self._indices[index]
        return self._documents[row] or self._made_again(row)

    def __iter__(self) -> Iterator[Document]:
        return (self[position] for position in range(len(self)))

    def _made_again(self, index: int) -> Document:
        document = self._document(index, self._rows[index], DataCounts())
        if document is None:
            raise DataError(
                f"{self._rows.where(index)}: the data changed while it was read. Run again "
                "without changing it."
            )
        return document

    def part_facts(self) -> dict[str, Any]:
        """The shard's entries in the results; see `DataPart.facts`."""
        return {"shard": None} if self.part is None else self.part.facts()

    def remarks(self) -> list[str]:
        """Remarks about the data, mainly about what is excluded."""
        return left_out_remarks(self.counts)

    @property
    def _origin(self) -> str:
        """The data, and the shard of it, for messages."""
        return f"{self._rows.origin}, shard {self._shard}" if self._shard else self._rows.origin


def part_read(rows: Rows, shard: Shard | None) -> DataPart | None:
    """The shard that is read; None for complete data.

    Args:
        rows: The data.
        shard: The shard that a run requests.

    Raises:
        ConfigurationError: A shard of a shard is requested.
    """
    if shard is None:
        return rows.part
    if rows.part is not None:
        raise ConfigurationError(
            f"shard={str(shard)!r}: {rows.origin} is already shard {rows.part.number} of "
            f"{rows.part.of}. Leave shard out, or name the complete data."
        )
    return DataPart(shard.number, shard.of, len(rows), rows.digest())


def _characters(document: Document) -> int:
    return sum(document.lengths) + sum(len(message["content"]) for message in document.prompt)
