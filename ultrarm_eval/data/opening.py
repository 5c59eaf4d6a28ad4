"""Opening preference data: by a source's word, from a file or folder, or from the hub."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ultrarm_eval.data.files import SUFFIXES, open_file, open_folder
from ultrarm_eval.data.hub_cache import cache_problem
from ultrarm_eval.data.opened import OpenedData
from ultrarm_eval.data.tables import as_rows
from ultrarm_eval.demo import OFFLINE_HELP
from ultrarm_eval.errors import ConfigurationError, DataError, first_line
from ultrarm_eval.sources.records import Row
from ultrarm_eval.sources.source import PairSource

DEFAULT_SPLIT = "train"
_ROWS_READ_FOR_COLUMNS = 100
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def open_named_or_local(
    data: str,
    split: str,
    sources: Sequence[PairSource],
    *,
    choose: str = "Save the one to use by itself.",
) -> OpenedData:
    """Opens what the user named.

    Args:
        data: The word of a source, a file (JSON, JSONL, Parquet) or a folder saved by `datasets`.
        split: The split to take where a folder has several.
        sources: The sources there are.
        choose: How the user names another split, for messages.

    Raises:
        DataError: There is no such data, or no source knows its columns.
    """
    for source in sources:
        if source.open_rows is not None and source.name == data:
            return OpenedData(as_rows(source.open_rows(), data), source, data)
    path = Path(data).expanduser()
    if path_exists(path) and path.is_dir():
        rows = as_rows(open_folder(path, split, choose=choose), data)
    elif path_exists(path):
        rows = open_file(path)
    else:
        words = [repr(source.name) for source in sources if source.open_rows is not None]
        raise DataError(
            f"data={data!r}: there is no such file or folder. Give a JSON, JSONL or Parquet file, "
            f"a folder saved by datasets, or the word {' or '.join(words)}."
        )
    return OpenedData(rows, recognise(rows, data, sources), data)


def open_any(
    data: str, split: str | None, revision: str | None, sources: Sequence[PairSource]
) -> OpenedData:
    """Opens what the user named: a word, a file or folder, or else a data set of the hub.

    Args:
        data: The name.
        split: The split to take where there are several; `train` if None.
        revision: The hub revision.
        sources: The sources there are.

    Raises:
        ConfigurationError: A file has neither splits nor revisions.
        DataError: There is no such data, or no source knows its columns.
    """
    path = Path(data).expanduser()
    is_word = any(s.open_rows is not None and s.name == data for s in sources)
    is_hub_id = _HUB_ID.fullmatch(data) and path.suffix.lower() not in SUFFIXES
    if not is_word and not path_exists(path) and is_hub_id:
        return open_hub(data, split or DEFAULT_SPLIT, revision, sources)
    if revision is not None:
        raise ConfigurationError(
            f"revision={revision!r}: {data} is no data set of the hub and has no revisions. Leave "
            "the revision out."
        )
    if split is not None and not (path_exists(path) and path.is_dir()):
        raise ConfigurationError(
            f"split={split!r}: {data} has no splits. Leave the split out, or name a folder or a "
            "data set of the hub."
        )
    choose = "Name one with --split."
    return open_named_or_local(data, split or DEFAULT_SPLIT, sources, choose=choose)


def path_exists(path: Path) -> bool:
    """Whether there is a file or folder of that name."""
    try:
        return path.exists()
    except OSError:
        # A name that is too long for the file system is none there.
        return False


def open_hub(
    dataset: str, split: str, revision: str | None, sources: Sequence[PairSource]
) -> OpenedData:
    """Opens a data set of the hub.

    Raises:
        DataError: It cannot be reached and is not cached, or no source knows its columns.
    """
    rows = load_hub(dataset, split, revision)
    return OpenedData(rows, recognise(rows, dataset, sources), dataset)


def load_hub(dataset: str, split: str, revision: str | None, **options: Any) -> Sequence[Row]:
    """Loads a split of a data set of the hub.

    Args:
        dataset: The data set's id.
        split: The split.
        revision: The hub revision.
        **options: Of `datasets.load_dataset`: a configuration's `name`, `data_dir`, ...

    Raises:
        DataError: It cannot be reached and is not cached, or has no such split.
    """
    import datasets

    try:
        table = datasets.load_dataset(dataset, split=split, revision=revision, **options)
    except Exception as error:
        if str(error).startswith("Unknown split"):
            raise DataError(f"{dataset}: {first_line(error)} Name one of them.") from error
        # datasets and its clients raise many unrelated classes here.
        at = f" at revision {revision!r}" if revision else ""
        why = cache_problem(error) or first_line(error)
        raise DataError(
            f"The data set {dataset}{at} cannot be had from the hub and is not cached "
            f"({why}). Give the path of a local copy instead (in lm_eval: "
            f'--metadata \'{{"data": "PATH"}}\'). {OFFLINE_HELP}'
        ) from error
    return as_rows(table, dataset)


def recognise(rows: Sequence[Row], origin: str, sources: Sequence[PairSource]) -> PairSource:
    """Finds the source that knows these rows' columns.

    Raises:
        DataError: There are no rows, or no source knows the columns.
    """
    if not len(rows):
        raise DataError(f"{origin}: there are no rows.")
    columns = _columns(rows)
    for source in sources:
        if source.recognises(columns):
            return source
    known = "\n".join(f"  - {source.describes}" for source in sources if source.open_rows is None)
    raise DataError(
        f"{origin}: no known schema has the columns {', '.join(sorted(columns))}. Accepted are:\n"
        f"{known}"
    )


def _columns(rows: Sequence[Row]) -> frozenset[str]:
    names = getattr(rows, "column_names", None)
    if names is not None:
        return frozenset(names)
    seen: set[str] = set()
    for index in range(min(len(rows), _ROWS_READ_FOR_COLUMNS)):
        seen |= _columns_of(rows, index)
    # Without any column no row could be read: the first one says why.
    return frozenset(seen or rows[0])


def _columns_of(rows: Sequence[Row], index: int) -> set[str]:
    try:
        return set(rows[index])
    except DataError:
        # Whoever reads the rows meets it again, and knows what to do with it.
        return set()
