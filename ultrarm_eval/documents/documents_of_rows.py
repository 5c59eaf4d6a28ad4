"""Documents that are made from rows when they are asked for: texts need not lie in memory."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, overload

from ultrarm_eval.data.records import DataCounts
from ultrarm_eval.data.rows import Location, Row, Rows
from ultrarm_eval.documents.left_out import left_out_remarks

Document = dict[str, Any]


class PlacedDocument(Document):
    """A document that knows where its row stands, for messages; it is written without.

    Attributes:
        where: The file and the row.
    """

    def __init__(self, document: Document, where: Location) -> None:
        """Takes a document and the place of its row."""
        super().__init__(document)
        self.where = where

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles and copies with its place."""
        return PlacedDocument, (dict(self), self.where)


class DocumentsOfRows(Sequence[Document]):
    """A sequence of documents over some of a data set's rows.

    Attributes:
        counts: What is used, and what is left out and why.
    """

    _rows: Rows
    #: The numbers of the rows that documents are made of, ascending.
    _usable: list[int]
    counts: DataCounts

    @abstractmethod
    def _document(self, index: int, row: Row) -> Document:
        """The document of a row.

        Raises:
            DataError: The row is not what it was when the data were opened.
        """

    def __len__(self) -> int:
        return len(self._usable)

    @overload
    def __getitem__(self, index: int) -> Document: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Document]: ...

    def __getitem__(self, index: int | slice) -> Document | Sequence[Document]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        row = self._usable[index]
        return self._placed(row, self._rows[row])

    def __iter__(self) -> Iterator[Document]:
        for index, row in self._rows.read(self._usable):
            yield self._placed(index, row)

    def _placed(self, index: int, row: Row) -> Document:
        return PlacedDocument(self._document(index, row), self._rows.where(index))

    def remarks(self) -> list[str]:
        """What has to be said about the data, beyond the counts: above all what is left out."""
        return left_out_remarks(self.counts)

    def rows_used(self) -> Sequence[int]:
        """The numbers of the rows that documents are made of, ascending."""
        return tuple(self._usable)
