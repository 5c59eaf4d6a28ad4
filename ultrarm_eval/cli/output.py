"""A command's output: its format, its file, written as a whole or row by row."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.io import write_whole
from ultrarm_eval.messages import well_formed

# What tells our own files of any version: those of JSON, CSV and Markdown, pages, and texts.
_FORMATS = ("ultrarm_eval.report/", "ultrarm_eval.comparison/", "ultrarm_eval.board/")
_BEGINNINGS = ("# Report: ", "# Comparison of runs", "task,dimension,part,", "model,label,")
_FOOTER = "Made by ultrarm-eval from the files that lm-evaluation-harness wrote"
_TABLE = "\nDifferences\nDifferences of shares are in percentage points."


def form_of(
    named: str | None, output: str | None, endings: Mapping[str, Sequence[str]], *, otherwise: str
) -> str:
    """The output format: the named one, or that of the file's extension.

    Args:
        named: The format the user named.
        output: The output file.
        endings: The file extensions of each format.
        otherwise: The default format.

    Raises:
        ConfigurationError: No format has that extension.
    """
    if named is not None:
        return named
    ending = "" if output is None else Path(output).suffix.lower()
    if not ending:
        return otherwise
    for form, own in endings.items():
        if ending in own:
            return form
    raise ConfigurationError(
        f"{output}: unknown file extension {ending}. Choose a format with --format "
        f"{'|'.join(endings)}, or use one of the extensions "
        f"{', '.join(e for own in endings.values() for e in own)}."
    )


def require_replaceable(path: Path) -> None:
    """Refuses to replace an existing file that this package did not write.

    Raises:
        ConfigurationError: This package did not write it, or it cannot be read.
    """
    if not path.is_file():
        return
    try:
        content = path.read_bytes().decode("utf-8", errors="replace").strip()
    except OSError as error:
        raise ConfigurationError(
            f"{path}: this file exists, cannot be read ({error.strerror}), and would be replaced. "
            "Name another file with -o."
        ) from error
    if content and not _is_ours(content):
        raise ConfigurationError(
            f"{path}: this file exists and is not a report, comparison or leaderboard of "
            "ultrarm-eval, so it is not replaced. Name another file with -o, or remove this one "
            "first."
        )


def _is_ours(content: str) -> bool:
    if content.startswith("{"):
        try:
            written = json.loads(content)
        except (ValueError, RecursionError):
            return False
        return str(written.get("format", "")).startswith(_FORMATS)
    if content.lower().startswith("<!doctype html"):
        return _FOOTER in content
    return content.startswith(_BEGINNINGS) or _TABLE in content


def write_output(path: Path, text: str) -> Path:
    """Writes a file, completely or not at all, and creates its folder if needed.

    Raises:
        ConfigurationError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, well_formed(text))
    except OSError as error:
        raise _not_written(path, error) from error
    return path


def _not_written(path: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"{path}: cannot write the output there ({error.strerror}). With -o, name a file in a "
        "folder that you can write to."
    )


def write_to_terminal(text: str) -> None:
    """Writes a text to the standard output."""
    sys.stdout.write(well_formed(text))


def write_result(text: str, output: str | None) -> None:
    """Writes a text to a file and prints its name, or writes to the terminal.

    Raises:
        ConfigurationError: It cannot be written.
    """
    if output is None:
        write_to_terminal(text)
    else:
        sys.stdout.write(f"{write_output(Path(output), text)}\n")


class RowOutput:
    """A file opened before anything is computed; its old content stays until the first row."""

    def __init__(self, path: Path, inputs: Sequence[str]) -> None:
        """Opens the file and creates its folder if needed.

        Args:
            path: The file.
            inputs: Input files, which must not be overwritten.

        Raises:
            ConfigurationError: It cannot be written, or is an input.
        """
        for given in inputs:
            if path.exists() and Path(given).exists() and path.samefile(given):
                raise ConfigurationError(
                    f"{path}: this is an input file. Name another file for the rewards."
                )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._is_new = not path.exists()
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise _not_written(path, error) from error
        self._path, self._has_begun = path, False

    def __enter__(self) -> RowOutput:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()
        if self._is_new and not self._has_begun:
            self._path.unlink(missing_ok=True)

    def write(self, rows: str) -> None:
        """Writes rows."""
        if not self._has_begun and self._path.is_file():
            self._file.truncate(0)
        self._has_begun = True
        self._file.write(rows)

    def flush(self) -> None:
        """Flushes what was written, so that it survives this process."""
        self._file.flush()
