"""Documents in the harness's form: dictionaries of plain JSON values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

from ultrarm_eval.documents.base import Documents
from ultrarm_eval.documents.document import FIELDS, Document


class DocumentJson(dict[str, Any]):
    """A document's JSON form, with a reference to the document it was made from.

    Attributes:
        document: The document.
    """

    def __init__(self, document: Document) -> None:
        """Writes a document."""
        super().__init__(document.to_json())
        self.document = document

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles as a plain dictionary, for other processes and for caches."""
        return dict, (dict(self),)


class DocumentsJson(Sequence[DocumentJson]):
    """Documents in their JSON form, made on demand.

    Attributes:
        documents: The documents.
        features: The fields of a document, as the harness expects them.
    """

    def __init__(self, documents: Documents) -> None:
        """Wraps documents."""
        self.documents = documents
        self.features = dict.fromkeys(FIELDS[documents.form])

    def __len__(self) -> int:
        return len(self.documents)

    @overload
    def __getitem__(self, index: int) -> DocumentJson: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[DocumentJson]: ...

    def __getitem__(self, index: int | slice) -> DocumentJson | Sequence[DocumentJson]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return DocumentJson(self.documents[index])

    def __iter__(self) -> Iterator[DocumentJson]:
        return map(DocumentJson, self.documents)


def place_of(value: Any) -> str:
    """The place of a document's row, in brackets; empty if it is not known.

    Third-party documents, and those in a run's samples, do not know it.
    """
    where = value.document.where if isinstance(value, DocumentJson) else None
    return "" if where is None else f" ({where})"


def document_of(value: Mapping[str, Any]) -> Document:
    """The document of a dictionary of the harness.

    Raises:
        DataError: It is not one of our documents.
    """
    return value.document if isinstance(value, DocumentJson) else Document.from_json(value)
