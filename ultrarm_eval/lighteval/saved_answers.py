"""A model for `lighteval custom` that replays saved answers, so that they can be judged again.

    lighteval custom DETAILS "$(python -m ultrarm_eval.lighteval.saved_answers)" \
        ultrafeedback_judge --custom-tasks ultrarm_eval.lighteval

The model's name is a folder or file of details saved by lighteval, or any file of prompts and
answers. lighteval's own `--load-responses-from-details-date-id` finds no task in the details of
lighteval 0.13.0 (its pull request 1345).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lighteval.models.abstract_model import LightevalModel
from lighteval.models.custom.custom_model import CustomModelConfig
from lighteval.models.model_output import ModelResponse
from lighteval.tasks.requests import Doc

from ultrarm_eval.errors import DataError
from ultrarm_eval.lighteval.task_prompts import document_of
from ultrarm_eval.messages import as_plain_text
from ultrarm_eval.sources.answers import prompt_key, read_references

logger = logging.getLogger(__name__)

_DETAILS = "details_*.parquet"
_SHOWN = 60


class SavedAnswers(LightevalModel):  # type: ignore[misc, unused-ignore]
    """Answers by their prompts."""

    def __init__(self, config: CustomModelConfig) -> None:
        """Reads the answers.

        Args:
            config: Its `model_name` is a folder of details, one of its files, or a file of answers
                (rows with `instruction` and `output`, or with `prompt` and `completion`).

        Raises:
            DataError: There are no answers, or a prompt has two that differ.
        """
        self.config = config
        self._cache = _NoCache()
        path = Path(config.model_name).expanduser()
        files = sorted(path.rglob(_DETAILS)) if path.is_dir() else [path]
        if not files:
            raise DataError(
                f"{path}: this folder contains no file {_DETAILS}. Name a folder of lighteval's "
                "details."
            )
        self._origin = str(path)
        self._by_row: dict[tuple[int, str], str] = {}
        self._by_prompt: dict[str, str | None] = {}
        for file in files:
            self._read(file)

    @property
    def tokenizer(self) -> None:
        """None: nothing is generated."""
        return

    @property
    def add_special_tokens(self) -> bool:
        """See `tokenizer`."""
        return False

    @property
    def max_length(self) -> int:
        """See `tokenizer`."""
        return 0

    def greedy_until(self, docs: Sequence[Doc]) -> list[ModelResponse]:
        """The answers to documents of this package's tasks.

        Raises:
            DataError: A prompt has no answer, or several different ones.
        """
        found = [self._answer(doc) for doc in docs]
        missing = [doc for doc, answer in zip(docs, found, strict=True) if answer is None]
        if missing:
            raise DataError(
                f"{self._origin}: {len(missing)} of {len(docs)} prompts have no saved answer, "
                f"the first is {missing[0].query[:_SHOWN]!r}. Run the task with the same data, "
                "reference and limit as when the answers were generated."
            )
        return [ModelResponse(text=[str(answer)]) for answer in found]

    def loglikelihood(self, docs: Sequence[Doc]) -> list[ModelResponse]:
        """Refused: there are only answers.

        Raises:
            DataError: Always.
        """
        raise DataError(
            f"{self._origin}: saved answers have no likelihoods. Run a task that only generates "
            "answers."
        )

    loglikelihood_rolling = loglikelihood

    def _answer(self, doc: Doc) -> str | None:
        document = document_of(doc)
        prompt = as_plain_text(document.prompt)
        at_row = None if document.row is None else self._by_row.get((document.row, prompt))
        if at_row is not None:
            return at_row
        # In a file of answers several turns are written as their messages.
        for key in (prompt, prompt_key(document.prompt)):
            if key in self._by_prompt:
                answer = self._by_prompt[key]
                if answer is None:
                    raise DataError(
                        f"{self._origin}: the prompt {prompt[:_SHOWN]!r} has several different "
                        "answers, so it is unclear which belongs to this row. Keep one answer "
                        "per prompt."
                    )
                return answer
        return None

    def _read(self, file: Path) -> None:
        if not _is_details(file):
            self._by_prompt.update(read_references(file))
            return
        for detail in _rows(file):
            doc, texts = detail["doc"], detail["model_response"]["text"]
            if len(texts) != 1:
                raise DataError(
                    f"{file}: a prompt has {len(texts)} answers, but only one can be judged. "
                    "Save one answer per prompt."
                )
            prompt, text = doc["query"], texts[0] or ""
            if self._by_prompt.setdefault(prompt, text) != text:
                self._by_prompt[prompt] = None
            if "document" in (doc["specific"] or {}):
                row = document_of(Doc(prompt, [], 0, specific=doc["specific"])).row
                if row is None:
                    continue
                if self._by_row.setdefault((row, prompt), text) != text:
                    raise DataError(
                        f"{file}: row {row} has a different answer than in another file of "
                        f"{self._origin}. Name the details of only one run."
                    )


class _NoCache:
    """A cache that stores nothing, because nothing is generated."""

    def _init_registry(self, registry: Any) -> None:
        return


def _is_details(file: Path) -> bool:
    if file.suffix != ".parquet":
        return False
    import pyarrow.parquet as pq

    try:
        return {"doc", "model_response"} <= set(pq.read_schema(file).names)
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: this Parquet file cannot be read ({error}).") from error


def _rows(file: Path) -> Iterator[Mapping[str, Any]]:
    import pyarrow.parquet as pq

    batches: Iterable[Any] = pq.ParquetFile(file).iter_batches(columns=["doc", "model_response"])
    for batch in batches:
        yield from batch.to_pylist()


if __name__ == "__main__":
    import sys

    sys.stdout.write(f"{Path(__file__).resolve()}\n")
