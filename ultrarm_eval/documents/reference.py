"""Prompts with a reference answer: the documents of judged tasks."""

from __future__ import annotations

from collections import Counter

from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.rows import Row, Shard
from ultrarm_eval.documents.base import Documents
from ultrarm_eval.documents.document import OPEN, Document
from ultrarm_eval.errors import DataError
from ultrarm_eval.sources.preference_data import PreferenceData
from ultrarm_eval.sources.references import Reference

_MODELS_NAMED = 20
_LEFT_OUT = "prompts_left_out_without_reference"


class ReferenceDocuments(Documents):
    """The prompts of a data set with a reference, or all of them."""

    form = OPEN

    def __init__(
        self,
        data: PreferenceData,
        reference: Reference | None,
        name: str,
        *,
        shard: Shard | None = None,
    ) -> None:
        """Reads the data; see `Documents`.

        Args:
            data: The data.
            reference: Returns a prompt's reference; None if answers are not compared.
            name: The user's name for the reference, for messages.
            shard: Reads only this shard of the rows.

        Raises:
            DataError: A row is malformed, or no prompt has the reference.
        """
        self._data, self._reference, self._name = data, reference, name
        self._models: Counter[str] = Counter()
        super().__init__(data.rows, shard)

    def _document(self, index: int, row: Row, counts: DataCounts) -> Document | None:
        record = self._data.record(index, row, counts)
        if record is None:
            return None
        found: tuple[str | None, str | None] | None = (None, None)
        if self._reference is not None:
            found = self._reference(record)
        if found is None:
            self._models.update({c.model: 1 for c in record.completions if c.model})
            counts.add(_LEFT_OUT)
            return None
        reference, model = found
        where = self._rows.where(index)
        return Document(
            record.prompt,
            row=where.row,
            source=record.source,
            reference=reference,
            reference_model=model,
            where=where,
        )

    def _without_documents(self) -> DataError:
        if self.counts[_LEFT_OUT]:
            models = self._models.most_common(_MODELS_NAMED)
            named = ", ".join(repr(model) for model, _ in models) or "this data names no models"
            return DataError(
                f"{self._rows.origin}: no prompt has the reference {self._name!r}. A reference "
                f"is a model's name ({named}), 'best' or 'median' by the data's ratings, or a "
                'file of answers. Name one in the metadata, for example {"reference": '
                '"best"}.'
            )
        only = self.counts.only_reason() or ""
        left_out = self.counts.listed()
        return DataError(f"{self._origin}: no prompt is left ({left_out}). {only}".rstrip())
