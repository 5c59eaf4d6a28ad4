"""Opening a benchmark's rows: a file, a saved folder, or a folder with a file for each part."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ultrarm_eval.data.files import SUFFIXES, open_file, open_folder
from ultrarm_eval.data.opened import OpenedRows
from ultrarm_eval.data.opening import path_exists
from ultrarm_eval.data.tables import as_rows
from ultrarm_eval.errors import DataError

_FILES_NAMED = 10
# Names of files that say nothing about what is in them.
_ABOUT = ("dataset_infos.json", "dataset_info.json")
_NAMELESS = ("dataset", "data", "test", "train", "validation")
_SHARD = re.compile(r"-\d{5}-of-\d{5}$")


def open_rows(data: str, split: str, names: Sequence[str], *, is_part: bool) -> OpenedRows:
    """Opens a file, a folder saved by `datasets`, or a folder with a file for each part.

    Args:
        data: The path.
        split: The split to take where a saved folder has several.
        names: What the file may be called, without its ending, or its folder, in any case.
        is_part: Whether other parts are in other files, so that no file of another name will do.

    Raises:
        DataError: There is no such data.
    """
    path = Path(data).expanduser()
    if not path_exists(path):
        raise DataError(
            f"data={data!r}: there is no such file or folder. Give a JSON, JSONL or Parquet file, "
            "or a folder."
        )
    if path.is_dir():
        if _is_saved(path):
            saved = _open_saved(path, split, names, is_part=is_part)
            return OpenedRows(as_rows(saved, data), data)
        path = _part(path, names, is_part=is_part)
    rows = open_file(path)
    if not len(rows):
        raise DataError(f"{path}: there are no rows.")
    return OpenedRows(rows, str(path))


def _open_saved(folder: Path, split: str, names: Sequence[str], *, is_part: bool) -> Any:
    """The rows of a folder that `datasets` has saved: a part's, or all splits' asked for."""
    import datasets

    choose = "Save the one to use by itself."
    splits = saved_splits(folder)
    wanted = [name for name in splits if name.lower() in names] if is_part else []
    # As the hub's data sets are asked for several at once.
    wanted = wanted or [part for part in split.split("+") if part in splits]
    if not wanted:
        return open_folder(folder, split, choose=choose)
    return datasets.concatenate_datasets([open_folder(folder, w, choose=choose) for w in wanted])


def is_called(path: Path, names: Sequence[str]) -> bool:
    """Whether a file has one of these names, in any case, or lies in a folder that has.

    The folder counts where the file's own name says nothing, as in LLMBar's Neighbor/dataset.json.
    """
    wanted = [name.lower() for name in names]
    # The hub's own copies are called train-00000-of-00001.parquet.
    own = _SHARD.sub("", path.stem).lower()
    return own in wanted or (own in _NAMELESS and path.parent.name.lower() in wanted)


def saved_splits(folder: Path) -> tuple[str, ...]:
    """The splits of a folder that `datasets` has saved; none for a single table."""
    index = folder / "dataset_dict.json"
    if not index.is_file():
        return ()
    return tuple(json.loads(index.read_text(encoding="utf-8")).get("splits") or ())


def _is_saved(folder: Path) -> bool:
    """Whether `datasets` has saved a folder."""
    return any((folder / name).is_file() for name in ("dataset_info.json", "dataset_dict.json"))


def _part(folder: Path, names: Sequence[str], *, is_part: bool) -> Path:
    """The file of a part in a folder with one for each, or with a folder for each."""
    files = sorted(
        p
        for p in folder.rglob("*")
        if p.suffix.lower() in SUFFIXES and p.is_file() and p.name not in _ABOUT
    )
    found = [p for p in files if is_called(p, names)]
    if len(found) != 1 and len(files) == 1 and not is_part:
        found = files
    if len(found) == 1:
        return found[0]
    present = ", ".join(str(p.relative_to(folder)) for p in files[:_FILES_NAMED]) or "none"
    problem = "there is no file" if not found else f"there are {len(found)} files"
    raise DataError(
        f"{folder}: {problem} called {' or '.join(names)} ({', '.join(SUFFIXES)}). Its files: "
        f"{present}."
    )
