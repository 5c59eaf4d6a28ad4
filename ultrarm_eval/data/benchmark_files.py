"""Opens a benchmark's rows: a file, a saved folder, or a folder with a file for each part."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ultrarm_eval.data.files import SUFFIXES, open_file, open_folder, path_exists, saved_splits
from ultrarm_eval.data.rows import Rows
from ultrarm_eval.errors import DataError

_FILES_NAMED = 10
# Names of files that say nothing about what is in them.
_ABOUT = ("dataset_infos.json", "dataset_info.json")
_NAMELESS = ("dataset", "data", "test", "train", "validation")
_SHARD = re.compile(r"-\d{5}-of-\d{5}$")


def open_rows(data: str, split: str, names: Sequence[str], *, is_part: bool) -> Rows:
    """Opens a file, a folder saved by `datasets`, or a folder with a file for each part.

    Args:
        data: The path.
        split: The split to use if a saved folder has several.
        names: Allowed names of the file (without extension) or of its folder, in any case.
        is_part: Whether other parts are in other files, so that a file with another name is
            refused.

    Raises:
        DataError: The data does not exist.
    """
    path = Path(data).expanduser()
    if not path_exists(path):
        raise DataError(
            f"data={data!r}: no such file or folder. Give a JSON, JSONL or Parquet file, or a "
            "folder."
        )
    if path.is_dir():
        if _is_saved(path):
            saved = saved_splits(path)
            wanted = [name for name in saved if is_part and name.lower() in names]
            wanted = wanted or [name for name in split.split("+") if name in saved]
            choose = "Save the split you need by itself."
            return open_folder(path, "+".join(wanted) or split, choose=choose, origin=data)
        path = _part(path, names, is_part=is_part)
    rows = open_file(path)
    if not len(rows):
        raise DataError(f"{path}: the file has no rows.")
    return rows


def is_called(path: Path, names: Sequence[str]) -> bool:
    """Whether a file, or its folder, has one of these names, in any case.

    The folder counts if the file's own name is generic, as in LLMBar's Neighbor/dataset.json.
    """
    wanted = [name.lower() for name in names]
    # The hub's own copies are called train-00000-of-00001.parquet.
    own = _SHARD.sub("", path.stem).lower()
    return own in wanted or (own in _NAMELESS and path.parent.name.lower() in wanted)


def _is_saved(folder: Path) -> bool:
    """Whether a folder was saved by `datasets`."""
    return any((folder / name).is_file() for name in ("dataset_info.json", "dataset_dict.json"))


def _part(folder: Path, names: Sequence[str], *, is_part: bool) -> Path:
    """The file of a part, in a folder with a file or a folder for each part."""
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
        f"{folder}: {problem} named {' or '.join(names)} ({', '.join(SUFFIXES)}). Its files: "
        f"{present}. Give the file itself."
    )
