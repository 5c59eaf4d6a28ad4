"""Writes exported files, all of them or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from ultrarm_eval.errors import ConfigurationError, DataError

# The most existing files named.
_NAMED = 3
_BLOCK = 1 << 20


def write_texts(folder: Path, contents: Mapping[str, str], *, overwrite: bool = True) -> list[Path]:
    """Writes texts below a folder, by their relative paths; returns the files' paths.

    Raises:
        ConfigurationError: See `write_files`.
        DataError: A path would leave the folder.
    """

    def fill(made: Path) -> list[str]:
        for name, text in contents.items():
            placed(made, name).write_bytes(text.encode("utf-8"))
        return list(contents)

    return write_files(folder, fill, overwrite=overwrite)


def write_files(
    folder: Path, fill: Callable[[Path], Sequence[str]], *, overwrite: bool = True
) -> list[Path]:
    """Writes files below a folder once all of them are made.

    Args:
        folder: The folder; it is created if missing.
        fill: Writes the files to a given folder and returns their relative paths; if it raises,
            nothing is written.
        overwrite: Whether existing files with other content are replaced.

    Returns:
        The files' paths, in their order.

    Raises:
        ConfigurationError: The folder cannot be written to, or a file with other content exists and
            must not be replaced; then nothing is written.
        DataError: A path would leave the folder.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Next to the destination: a file is only moved within one file system.
        scratch = TemporaryDirectory(dir=folder, prefix=".export-")
    except OSError as error:
        raise _not_written(folder, error) from error
    with scratch as made:
        names = fill(Path(made))
        try:
            places = [placed(folder, name) for name in names]
            if not overwrite:
                _require_no_others(Path(made), names, places)
            for name, place in zip(names, places, strict=True):
                (Path(made) / name).replace(place)
        except OSError as error:
            raise _not_written(folder, error) from error
    return places


def _not_written(folder: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"{error.filename or folder}: the export cannot be written there ({error.strerror}). Name "
        "a writable folder with -o."
    )


def _require_no_others(made: Path, names: Sequence[str], places: Sequence[Path]) -> None:
    """Refuses to replace files with other content.

    Raises:
        ConfigurationError: One is there.
    """
    others = [
        place
        for name, place in zip(names, places, strict=True)
        if place.exists() and not _have_same_content(made / name, place)
    ]
    if others:
        more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
        raise ConfigurationError(
            f"{', '.join(map(str, others[:_NAMED]))}{more}: there is already an export with "
            "other content; nothing was written. Give another folder with -o, or replace the "
            "export with --overwrite."
        )


def _have_same_content(a: Path, b: Path) -> bool:
    if not b.is_file() or a.stat().st_size != b.stat().st_size:
        return False
    with a.open("rb") as one, b.open("rb") as other:
        while block := one.read(_BLOCK):
            if block != other.read(_BLOCK):
                return False
    return True


def placed(folder: Path, name: str) -> Path:
    """The path of a file below a folder; missing folders are created.

    Raises:
        DataError: That is outside of it.
    """
    root = folder.resolve()
    if not (root / name).resolve().is_relative_to(root):
        raise DataError(f"{name!r} would be written outside of {folder}.")
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
