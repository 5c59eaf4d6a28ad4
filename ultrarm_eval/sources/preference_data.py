"""Preference data: rows and the source that reads them, by the name that the user gives.

A name is a source's name, a file or folder, or else a data set on the hub.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ultrarm_eval.data.counts import DataCounts, left_out_remarks
from ultrarm_eval.data.files import SUFFIXES, open_file, open_folder, path_exists
from ultrarm_eval.data.hub import load_hub
from ultrarm_eval.data.records import PromptRecord
from ultrarm_eval.data.rows import Row, Rows
from ultrarm_eval.data.tables import as_rows
from ultrarm_eval.errors import ConfigurationError, DataError
from ultrarm_eval.messages import Message, well_formed
from ultrarm_eval.sources.conversations import OTHER_PROMPT_COLUMNS, contains_prompt
from ultrarm_eval.sources.source import PairSource

DEFAULT_SPLIT = "train"
# The rows among which the first readable one shows where the prompts are.
_ROWS_TRIED = 100
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class PreferenceData:
    """Rows and the source that reads them.

    Attributes:
        rows: The rows.
        source: The source that reads them.
    """

    rows: Rows
    source: PairSource

    @property
    def origin(self) -> str:
        """The name, path or hub id of the rows."""
        return self.rows.origin

    def record(self, index: int, row: Row, counts: DataCounts) -> PromptRecord | None:
        """Reads a row as a record with valid texts, or counts why not.

        Raises:
            DataError: A field is missing.
        """
        where = self.rows.where(index)
        try:
            record = self.source.read_row(row, where, counts)
        except KeyError as error:
            raise DataError(
                f"{where}: field {error.args[0]!r} is missing. Rows of this schema have "
                f"{self.source.describes}."
            ) from error
        return None if record is None else _writable(record, counts)

    def records(
        self, indices: Iterable[int], counts: DataCounts
    ) -> Iterator[tuple[int, PromptRecord]]:
        """Yields rows as records, with their numbers, in one pass; counts the excluded rows.

        Raises:
            DataError: A row cannot be read.
        """
        for index, row in self.rows.read(indices):
            counts.where = self.rows.where(index)
            record = self.record(index, row, counts)
            if record is not None:
                yield index, record
        counts.where = None

    def remarks(self, counts: DataCounts) -> list[str]:
        """Remarks about the data, mainly about what is excluded."""
        return [*self.source.remarks(counts), *left_out_remarks(counts, self.source.advice)]


def _writable(record: PromptRecord, counts: DataCounts) -> PromptRecord:
    """A record in which lone surrogates are replaced by question marks, and counted.

    JSON can represent them, but no encoding can write them.
    """
    texts = [
        *(text for message in record.prompt for text in (message["role"], message["content"])),
        *(text for c in record.completions for text in (c.text, c.model or "")),
        record.source or "",
    ]
    broken = sum(well_formed(text) != text for text in texts)
    if not broken:
        return record
    counts.add("texts_with_lone_surrogates", broken)
    return dataclasses.replace(
        record,
        prompt=tuple(
            Message(role=well_formed(m["role"]), content=well_formed(m["content"]))
            for m in record.prompt
        ),
        completions=tuple(
            dataclasses.replace(
                c,
                text=well_formed(c.text),
                model=None if c.model is None else well_formed(c.model),
            )
            for c in record.completions
        ),
        source=None if record.source is None else well_formed(record.source),
    )


def open_named_or_local(
    data: str,
    split: str,
    sources: Sequence[PairSource],
    *,
    choose: str = "Save the split you need by itself.",
) -> PreferenceData:
    """Opens what the user named.

    Args:
        data: The name of a source, a file (JSON, JSONL, Parquet) or a folder saved by `datasets`.
        split: The split to use if a folder has several.
        sources: The registered sources.
        choose: How to choose another split, for messages.

    Raises:
        DataError: There is no such data, or no source knows its columns.
    """
    rows, source = _named_or_local(data, split, sources, choose)
    return PreferenceData(rows, source or recognise(rows, sources))


def _named_or_local(
    data: str, split: str, sources: Sequence[PairSource], choose: str
) -> tuple[Rows, PairSource | None]:
    """The rows, and the source if it was named."""
    for source in sources:
        if source.open_rows is not None and source.name == data:
            return as_rows(source.open_rows(), data), source
    path = Path(data).expanduser()
    if path_exists(path) and path.is_dir():
        return open_folder(path, split, choose=choose, origin=data), None
    if path_exists(path):
        return open_file(path, data), None
    raise _missing(data, sources)


def require_named_or_local(data: str, sources: Sequence[PairSource]) -> None:
    """Refuses what `open_named_or_local` would not find, without opening it.

    Args:
        data: The name of a source, a file or a folder.
        sources: The registered sources.

    Raises:
        DataError: The data does not exist.
    """
    if data not in _names(sources) and not path_exists(Path(data).expanduser()):
        raise _missing(data, sources)


def _names(sources: Sequence[PairSource]) -> list[str]:
    return [source.name for source in sources if source.open_rows is not None]


def _missing(data: str, sources: Sequence[PairSource]) -> DataError:
    return DataError(
        f"data={data!r}: no such file or folder. Give a JSON, JSONL or Parquet file, a folder "
        f"saved by datasets, or {' or '.join(map(repr, _names(sources)))}."
    )


def open_any(
    data: str, split: str | None, revision: str | None, sources: Sequence[PairSource]
) -> PreferenceData:
    """Opens the data that the user named: a source, a file or folder, or a data set on the hub.

    Args:
        data: The name.
        split: The split to take where there are several; `train` if None.
        revision: The hub revision.
        sources: The registered sources.

    Raises:
        ConfigurationError: A file has neither splits nor revisions.
        DataError: There is no such data, or no source knows its columns.
    """
    rows, source = _any(data, split, revision, sources)
    return PreferenceData(rows, source or recognise(rows, sources))


def open_any_rows(
    data: str, split: str | None, revision: str | None, sources: Sequence[PairSource]
) -> Rows:
    """Like `open_any`, for rows with any columns.

    Raises:
        ConfigurationError: A file has neither splits nor revisions.
        DataError: There is no such data.
    """
    return _any(data, split, revision, sources)[0]


def _any(
    data: str, split: str | None, revision: str | None, sources: Sequence[PairSource]
) -> tuple[Rows, PairSource | None]:
    """The rows, and the source if it was named."""
    path = Path(data).expanduser()
    is_word = any(s.open_rows is not None and s.name == data for s in sources)
    is_hub_id = _HUB_ID.fullmatch(data) and path.suffix.lower() not in SUFFIXES
    if not is_word and not path_exists(path) and is_hub_id:
        return load_hub(data, split or DEFAULT_SPLIT, revision), None
    if revision is not None:
        raise ConfigurationError(
            f"revision={revision!r}: {data} is not a data set on the hub, so it has no "
            "revisions. Leave the revision out."
        )
    if split is not None and not (path_exists(path) and path.is_dir()):
        raise ConfigurationError(
            f"split={split!r}: {data} has no splits. Leave the split out, or name a folder or a "
            "data set on the hub."
        )
    choose = "Name one with --split."
    return _named_or_local(data, split or DEFAULT_SPLIT, sources, choose)


def open_hub(
    dataset: str, split: str, revision: str | None, sources: Sequence[PairSource]
) -> PreferenceData:
    """Opens a data set from the hub.

    Raises:
        DataError: It cannot be reached and is not cached, or no source knows its columns.
    """
    rows = load_hub(dataset, split, revision)
    return PreferenceData(rows, recognise(rows, sources))


def recognise(rows: Rows, sources: Sequence[PairSource]) -> PairSource:
    """Finds the source that recognizes these rows' columns.

    Raises:
        DataError: There are no rows, no row can be read, or no source recognizes the columns.
    """
    if not len(rows):
        raise DataError(f"{rows.origin}: there are no rows.")
    columns = frozenset(rows.column_names)
    found = _recognising(columns, sources)
    if found is None and columns & OTHER_PROMPT_COLUMNS and _contain_prompts(rows):
        found = _recognising(columns - OTHER_PROMPT_COLUMNS, sources)
    if found is not None:
        return found
    known = "\n".join(f"  - {source.describes}" for source in sources if source.open_rows is None)
    raise DataError(
        f"{rows.origin}: no known schema has the columns {', '.join(sorted(columns))}."
        f"{_unnamed_prompt(columns)} Supported schemas:\n{known}"
    )


def _recognising(columns: frozenset[str], sources: Sequence[PairSource]) -> PairSource | None:
    return next((source for source in sources if source.recognises(columns)), None)


def _contain_prompts(rows: Rows) -> bool:
    """Whether the first pair that can be read consists of complete conversations."""
    for index in range(min(len(rows), _ROWS_TRIED)):
        with suppress(DataError, KeyError):
            return contains_prompt(rows[index])
    return False


def _unnamed_prompt(columns: frozenset[str]) -> str:
    """How to make pairs of columns whose prompt has another name, a sentence for the message."""
    names = ", ".join(map(repr, sorted(columns & OTHER_PROMPT_COLUMNS)))
    if not {"chosen", "rejected"} <= columns or "prompt" in columns or not names:
        return ""
    return (
        f" Pairs have their prompt, or the turns before the answers, in 'prompt'; here it may be "
        f"in {names}. Rename that column to 'prompt', or remove it if it is something else."
    )
