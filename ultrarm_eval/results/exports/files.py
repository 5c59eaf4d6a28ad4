"""Writes exported files, all of them or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from ultrarm_eval.errors import DataError


def write_texts(folder: Path, contents: Mapping[str, str]) -> list[Path]:
    """Writes texts below a folder, by their paths there; the files' paths.

    Raises:
        DataError: A path would leave the folder.
    """

    def fill(made: Path) -> list[str]:
        for name, text in contents.items():
            placed(made, name).write_bytes(text.encode("utf-8"))
        return list(contents)

    return write_files(folder, fill)


def write_files(folder: Path, fill: Callable[[Path], Sequence[str]]) -> list[Path]:
    """Writes files below a folder once all of them are made.

    Args:
        folder: The folder; it is made if it is not there.
        fill: Makes the files in a folder that it is given, and returns their paths there; if it
            raises, nothing is written.

    Returns:
        The files' paths, in their order.

    Raises:
        DataError: A path would leave the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Beside their places, for a file is moved within one file system alone.
    with TemporaryDirectory(dir=folder, prefix=".export-") as made:
        names = fill(Path(made))
        places = [placed(folder, name) for name in names]
        for name, place in zip(names, places, strict=True):
            (Path(made) / name).replace(place)
    return places


def placed(folder: Path, name: str) -> Path:
    """Where a file goes below a folder; the folders on the way are made.

    Raises:
        DataError: That is outside of it.
    """
    root = folder.resolve()
    if not (root / name).resolve().is_relative_to(root):
        raise DataError(f"{name!r} would be written outside of {folder}.")
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
