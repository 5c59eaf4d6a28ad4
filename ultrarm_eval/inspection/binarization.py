"""Pairs from rated completions, in the binarized schema that trainers read.

The schema is HuggingFaceH4/ultrafeedback_binarized's (`prompt`, `prompt_id`, `chosen` and
`rejected` as message lists, `score_chosen`, `score_rejected`; `prompt_id` is the prompt's SHA-256),
with columns for the origin of a pair. H4 drew the rejected answer from all others, equal
scores included (its data card); here every pair has a preference.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.records import PromptRecord, RatedCompletion
from ultrarm_eval.documents.prompt_counts import PromptCounts
from ultrarm_eval.errors import ConfigurationError, DataError, unknown_choice
from ultrarm_eval.io import whole_file
from ultrarm_eval.messages import Message, as_plain_text
from ultrarm_eval.pairs import PreferencePair, preference_pairs
from ultrarm_eval.rules import ComparisonRules
from ultrarm_eval.sources.preference_data import PreferenceData

_SUFFIXES = (".parquet", ".jsonl")
_ROWS_AT_ONCE = 1000
ALL, BEST_VS_RANDOM, BEST_VS_WORST = "all", "best_vs_random", "best_vs_worst"
#: Which pairs of a prompt are taken.
CHOICES = (ALL, BEST_VS_RANDOM, BEST_VS_WORST)


class BinarizedRows:
    """The rows of the binarized schema, made one by one.

    Attributes:
        preference: The rating that orders the pairs.
        counts: What was made, and what was excluded and why; complete once all rows are made.
    """

    def __init__(
        self, data: PreferenceData, rules: ComparisonRules, *, pairs: str = ALL, seed: int = 0
    ) -> None:
        """Checks the options.

        Args:
            data: The data.
            rules: The preference and the minimum gap.
            pairs: Which pairs of a prompt are taken: `all`; `best_vs_random`, a top-rated
                completion and a lower-rated one; `best_vs_worst`, a top-rated and a
                lowest-rated one. Where several fit, one is drawn at random.
            seed: Seed of the draw. Each row has its own random numbers, so that a row gives the
                same pair whatever the other rows are.

        Raises:
            ConfigurationError: The data has no such preference or no ratings at all, or there is
                no such choice.
        """
        if pairs not in CHOICES:
            raise unknown_choice("choice of pairs", pairs, CHOICES)
        if not data.source.has_ratings:
            raise ConfigurationError(
                f"{data.origin}: these data are already pairs without ratings; there is nothing "
                "to binarize."
            )
        self.preference = data.source.checked_preference(rules, data.origin)
        self.counts = DataCounts()
        self._data, self._rules, self._pairs, self._seed = data, rules, pairs, seed

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Makes the rows.

        Raises:
            DataError: A row of the data cannot be read, or no pair is left.
        """
        self.counts = DataCounts()
        prompt_counts = PromptCounts(self._rules, self.preference, ())
        for index, record in self._data.records(range(len(self._data.rows)), self.counts):
            if not prompt_counts.count(record, self.counts):
                continue
            taken = self._taken(index, record.usable_by(self.preference))
            self.counts.add("prompts_without_written_pair", int(not taken))
            for chosen, rejected in taken:
                self.counts.add("pairs_written")
                yield self._row(index, record, chosen, rejected)
        if not self.counts["pairs_written"]:
            only, left_out = self.counts.only_reason() or "", self.counts.listed()
            raise DataError(
                f"{self._data.origin}: no pair remains to write ({left_out}). {only}".rstrip()
            )

    def remarks(self) -> list[str]:
        """Remarks on the data beyond the counts, above all on what is excluded."""
        return self._data.remarks(self.counts)

    def _taken(
        self, index: int, completions: Sequence[RatedCompletion]
    ) -> list[tuple[RatedCompletion, RatedCompletion]]:
        ratings = [completion.ratings.get(self.preference) for completion in completions]
        pairs = preference_pairs(ratings, self._rules.min_gap)
        different = [p for p in pairs if completions[p.chosen].text != completions[p.rejected].text]
        self.counts.add("pairs_left_out_identical_answers", len(pairs) - len(different))
        if self._pairs != ALL:
            different = self._drawn(index, different, ratings)
        return [(completions[p.chosen], completions[p.rejected]) for p in different]

    def _drawn(
        self, index: int, pairs: Sequence[PreferencePair], ratings: Sequence[Fraction | None]
    ) -> list[PreferencePair]:
        """One of the pairs that fit the choice; none where none does."""
        rated = [rating for rating in ratings if rating is not None]
        best, worst = max(rated), min(rated)
        fitting = [
            pair
            for pair in pairs
            if ratings[pair.chosen] == best
            and (self._pairs != BEST_VS_WORST or ratings[pair.rejected] == worst)
        ]
        draw = random.Random(f"{self._seed}/{index}")  # noqa: S311 - nothing secret is drawn
        return [draw.choice(fitting)] if fitting else []

    def _row(
        self, index: int, record: PromptRecord, chosen: RatedCompletion, rejected: RatedCompletion
    ) -> dict[str, Any]:
        prompt = as_plain_text(record.prompt) if record.prompt else None

        def side(completion: RatedCompletion) -> list[Message]:
            return [*record.prompt, Message(role="assistant", content=completion.text)]

        return {
            "prompt": prompt,
            "prompt_id": hashlib.sha256((prompt or "").encode("utf-8")).hexdigest(),
            "chosen": side(chosen),
            "rejected": side(rejected),
            "score_chosen": float(chosen.ratings[self.preference]),
            "score_rejected": float(rejected.ratings[self.preference]),
            "source": record.source,
            "chosen_model": chosen.model,
            "rejected_model": rejected.model,
            "row": index,
        }


def write_rows(rows: Iterable[Mapping[str, Any]], path: Path, about: Mapping[str, Any]) -> None:
    """Writes rows of the binarized schema to a file, which appears once it is complete.

    Args:
        rows: The rows.
        path: The file; its suffix determines the format.
        about: How the rows were made; kept in a Parquet file's metadata under `ultrarm_eval`.

    Raises:
        DataError: The format is unknown, or the file cannot be written.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise DataError(
            f"{path}: files of type {path.suffix!r} cannot be written; use "
            f"{' or '.join(_SUFFIXES)}."
        )
    write = _write_parquet if path.suffix.lower() == ".parquet" else _write_jsonl
    try:
        if path.is_dir() or not path.parent.is_dir():
            problem = "this is a folder" if path.is_dir() else f"there is no folder {path.parent}"
            raise DataError(f"{path}: {problem}. Name a file in an existing folder.")
        with whole_file(path) as unfinished:
            write(rows, unfinished, about)
    except OSError as error:
        raise DataError(f"{path}: the file cannot be written: {error}") from error


def _write_parquet(rows: Iterable[Mapping[str, Any]], path: Path, about: Mapping[str, Any]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    messages = pa.list_(pa.struct([("content", pa.string()), ("role", pa.string())]))
    schema = pa.schema(
        [
            ("prompt", pa.string()),
            ("prompt_id", pa.string()),
            ("chosen", messages),
            ("rejected", messages),
            ("score_chosen", pa.float64()),
            ("score_rejected", pa.float64()),
            ("source", pa.string()),
            ("chosen_model", pa.string()),
            ("rejected_model", pa.string()),
            ("row", pa.int64()),
        ],
        metadata={"ultrarm_eval": json.dumps(dict(about))},
    )
    remaining = iter(rows)
    with pq.ParquetWriter(path, schema) as writer:
        while chunk := list(islice(remaining, _ROWS_AT_ONCE)):
            writer.write_table(pa.Table.from_pylist([dict(row) for row in chunk], schema))


def _write_jsonl(rows: Iterable[Mapping[str, Any]], path: Path, about: Mapping[str, Any]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(dict(row), ensure_ascii=False) + "\n")
