"""The samples of all shards of a task, in the order in which one run writes them."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ultrarm_eval.documents.document import FIELDS, RATED
from ultrarm_eval.documents.prompt_counts import texts_digest
from ultrarm_eval.errors import DataError
from ultrarm_eval.io import JsonLine, json_lines
from ultrarm_eval.runs.digest import samples_digest, text_digest
from ultrarm_eval.runs.identity import mapping
from ultrarm_eval.runs.shards import TaskShards, part_of
from ultrarm_eval.runs.task_result import TaskResult
from ultrarm_eval.sources.answers import prompt_key

_DAMAGED = "The file is damaged or truncated; run its shard again."
# A process may have only few open files; with more shards, each file is opened for every line.
_FILES_AT_ONCE = 200
_HASHES = ("doc_hash", "prompt_hash", "target_hash")


@dataclass(frozen=True)
class _Place:
    """The place of a sample.

    Attributes:
        filter: The number of its filter.
        row: The number of its row in the complete data.
        shard: The number of its shard.
        start: The byte offset of its line in the shard's file.
        line: The line's number there.
        doc_hash: The harness's hash of its document.
        category: The category of its document.
        texts: A key that is equal for the same prompt with the same completions; None for other
            documents.
        prompt: A key that is equal for the same prompt; None if there is none.
    """

    filter: int
    row: int
    shard: int
    start: int
    line: int
    doc_hash: str
    category: str | None
    texts: bytes | None
    prompt: str | None


class MergedSamples:
    """The samples of a task, indexed once and read again in order, so that texts are not in memory.

    Attributes:
        filters: The harness's filters, in order.
        categories: The documents' categories, in the order of their first rows.
        first: The first sample.
    """

    def __init__(self, shards: TaskShards) -> None:
        """Reads the samples of every shard once.

        Args:
            shards: The results of all shards.

        Raises:
            DataError: Samples are damaged, do not match the results, or have rows of another shard.
        """
        self._shards = shards
        self._paths = [_samples_path(result) for result in shards.results]
        self.filters: tuple[str, ...] = ()
        found: list[_Place] = []
        for number, result in enumerate(shards.results):
            found += self._places(number, result)
        # One run writes filter after filter, and for each the documents in the order of their rows.
        self._places_in_order = sorted(found, key=lambda place: (place.filter, place.row))
        first = self._places_in_order[0].filter
        self._documents = [p for p in self._places_in_order if p.filter == first]
        self.categories = tuple(
            dict.fromkeys(p.category for p in self._documents if p.category is not None)
        )
        self.first = next(iter(self))[1]

    def __len__(self) -> int:
        """How many documents there are."""
        return len(self._documents)

    def __iter__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yields the place of each sample, and the sample with its number in the merged run.

        Raises:
            DataError: A file was changed while it was read.
        """
        with ExitStack() as opened:
            is_few = len(self._paths) <= _FILES_AT_ONCE
            files = [opened.enter_context(p.open("rb")) for p in self._paths] if is_few else []
            for _, of_filter in itertools.groupby(self._places_in_order, key=lambda p: p.filter):
                for number, place in enumerate(of_filter):
                    path = self._paths[place.shard]
                    if is_few:
                        read = _line_at(files[place.shard], place.start)
                    else:
                        with path.open("rb") as file:
                            read = _line_at(file, place.start)
                    line = JsonLine(path, place.line, place.start, read)
                    sample = line.parsed("The file was changed while it was read.")
                    yield f"{path}, line {place.line}", {**sample, "doc_id": number}

    @property
    def digest(self) -> str | None:
        """The hash of the documents, as in one run."""
        return samples_digest({"doc_hash": p.doc_hash, "filter": 0} for p in self._documents)

    def repeats_between_shards(self) -> int:
        """How many documents repeat the prompt and completions of one in another shard only."""
        in_all = Counter(p.texts for p in self._documents if p.texts is not None)
        in_each = Counter((p.shard, p.texts) for p in self._documents if p.texts is not None)
        return (sum(in_all.values()) - len(in_all)) - (sum(in_each.values()) - len(in_each))

    def prompts(self, shard: int | None = None) -> set[str]:
        """The distinct prompts of a shard, or of all shards."""
        found = (p for p in self._documents if shard is None or p.shard == shard)
        return {p.prompt for p in found if p.prompt is not None}

    def _places(self, number: int, result: TaskResult) -> list[_Place]:
        path, part = self._paths[number], part_of(result)
        found: list[_Place] = []
        filters: list[str] = []
        counts: Counter[str] = Counter()
        for line in json_lines(path):
            sample = line.parsed(_DAMAGED)
            where = f"{path}, line {line.number}"
            document, name = mapping(sample.get("doc")), str(sample.get("filter"))
            if any(not isinstance(sample.get(one), str) for one in _HASHES):
                raise DataError(f"{where}: this is not a sample of lm-eval. {_DAMAGED}")
            if name not in counts:
                filters.append(name)
            position = counts[name]
            counts[name] += 1
            is_ours = document.get("format") in FIELDS
            row = document.get("row") if is_ours else part.number - 1 + position * part.of
            if (
                not isinstance(row, int)
                or not 0 <= row < part.rows
                or row % part.of != (part.number - 1)
            ):
                raise DataError(
                    f"{where}: its document is row {row!r}, which is not in shard {part.number} "
                    f"of {part.of} ({part.rows} rows). The file belongs to another shard, or was "
                    "edited."
                )
            is_rated = document.get("format") == RATED
            prompt = document.get("prompt") if is_ours else None
            try:
                texts = texts_digest(prompt or [], document["completions"]) if is_rated else None
                key = None if prompt is None else text_digest(prompt_key(prompt))
            except (AttributeError, KeyError, TypeError) as error:
                raise DataError(
                    f"{where}: its document is not one of this package's. {_DAMAGED}"
                ) from error
            category = document.get("category") if is_ours else None
            place = filters.index(name)
            found.append(
                _Place(
                    place,
                    row,
                    number,
                    line.start,
                    line.number,
                    sample["doc_hash"],
                    category,
                    texts,
                    key,
                )
            )
        self._require_whole(result, path, counts, found)
        if number and tuple(filters) != self.filters:
            raise DataError(
                f"{path}: its filters ({', '.join(filters)}) differ from those of "
                f"{self._paths[0]} ({', '.join(self.filters)}). Merge runs of the same task."
            )
        self.filters = tuple(filters)
        return found

    def _require_whole(
        self, result: TaskResult, path: Path, counts: Mapping[str, int], found: list[_Place]
    ) -> None:
        wanted = result.documents
        if not counts or set(counts.values()) != {wanted}:
            there = max(counts.values(), default=0)
            raise DataError(
                f"{path}: it has samples of {there} documents, but {result.run.path} has "
                f"{wanted}. {_DAMAGED}"
            )
        seen = [(place.filter, place.row) for place in found]
        if len(set(seen)) < len(seen):
            row = Counter(seen).most_common(1)[0][0][1]
            raise DataError(f"{path}: it has two samples of row {row}. {_DAMAGED}")
        stored = result.metadata.get("data_digest")
        first = [{"doc_hash": p.doc_hash, "filter": 0} for p in found if p.filter == 0]
        if stored is not None and stored != samples_digest(first):
            raise DataError(
                f"{path}: its documents do not match the data_digest in {result.run.path}. The "
                "file belongs to another run, or was edited."
            )


def _samples_path(result: TaskResult) -> Path:
    return result.samples_path or result.run.samples_path(result.key)


def sample_line(sample: Mapping[str, Any]) -> str:
    """A sample as the harness writes it."""
    return json.dumps(sample, ensure_ascii=False) + "\n"


def _line_at(file: BinaryIO, start: int) -> bytes:
    file.seek(start)
    return file.readline()
