"""Prompts with a reference answer: the documents of tasks in which a model writes and is judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TypeAlias

from ultrarm_eval.data.records import DataCounts, PromptRecord
from ultrarm_eval.data.rows import Row, Shard
from ultrarm_eval.documents.documents_of_rows import Document, DocumentsOfRows
from ultrarm_eval.errors import DataError
from ultrarm_eval.sources.preference_data import PreferenceData

FORMAT = "ultrarm_eval.prompt/1"
#: The fields of a document, in their order.
FIELDS = ("format", "row", "source", "prompt", "reference", "reference_model")
_MODELS_NAMED = 20

#: Gives a prompt's reference: the answer and who wrote it; None where there is none.
Reference: TypeAlias = Callable[[PromptRecord], tuple[str, str | None] | None]


class ReferenceDocuments(DocumentsOfRows):
    """The prompts of a data set that have a reference, or all, made from its rows when asked for.

    Attributes:
        counts: What is used, and what is left out and why.
        features: The fields of a document, as the harness asks for them.
    """

    features = dict.fromkeys(FIELDS)

    def __init__(
        self,
        data: PreferenceData,
        reference: Reference | None,
        name: str,
        *,
        shard: Shard | None = None,
    ) -> None:
        """Reads the data once to find the prompts with a reference.

        Args:
            data: The data.
            reference: Gives a prompt's reference; None where none is asked for.
            name: What the user calls the reference, for messages.
            shard: Reads a part of the rows alone.

        Raises:
            DataError: A row is malformed, or no prompt has the reference.
        """
        self._data, self._rows = data, data.rows
        self._reference = reference
        self.counts = DataCounts()
        models: Counter[str] = Counter()
        total = len(data.rows)
        self._usable: list[int] = []
        for index, row in data.rows.read(shard.rows(total) if shard else range(total)):
            self.counts.where = data.rows.where(index)
            record = data.record(index, row, self.counts)
            if record is None:
                continue
            if reference is not None and reference(record) is None:
                models.update({c.model: 1 for c in record.completions if c.model})
                self.counts.add("prompts_left_out_without_reference")
            else:
                self._usable.append(index)
        self.counts.where = None
        if not self._usable:
            if not self.counts["prompts_left_out_without_reference"]:
                raise self._without_prompts()
            raise _without_reference(data.origin, name, models)
        self.counts.add("documents", len(self._usable))

    def _document(self, index: int, row: Row) -> Document:
        record = self._data.record(index, row, DataCounts())
        found: tuple[str | None, str | None] | None = (None, None)
        if record is not None and self._reference is not None:
            found = self._reference(record)
        if record is None or found is None:
            raise DataError(f"{self._rows.where(index)}: the data changed while they were read.")
        prompt = [dict(message) for message in record.prompt]
        return dict(zip(FIELDS, (FORMAT, index, record.source, prompt, *found), strict=True))

    def _without_prompts(self) -> DataError:
        left_out = ", ".join(f"{name}={n}" for name, n in self.counts.as_dict().items())
        only = self.counts.only_reason()
        said = f"{self._data.origin}: no prompt is left ({left_out})."
        return DataError(said if only is None else f"{said} {only}")


def _without_reference(origin: str, name: str, models: Counter[str]) -> DataError:
    named = ", ".join(repr(model) for model, _ in models.most_common(_MODELS_NAMED))
    return DataError(
        f"{origin}: no prompt has the reference {name!r}. A reference is a model's name "
        f"({named or 'these data name none'}), 'best' or 'median' by the data's ratings, or a file "
        'of answers: --metadata \'{"reference": "best"}\'.'
    )
