"""Forms of output: which one is meant, and writing it."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.messages import well_formed

# What tells our own files of any version: those of JSON, CSV and Markdown, pages, and texts.
_FORMATS = ("ultrarm_eval.report/", "ultrarm_eval.comparison/", "ultrarm_eval.board/")
_BEGINNINGS = ("# Report: ", "# Comparison of runs", "task,dimension,part,", "model,label,")
_FOOTER = "Made by ultrarm-eval from the files that lm-evaluation-harness wrote"
_TABLE = "\nDifferences\nDifferences of shares are in percentage points."


def form_of(
    named: str | None, output: str | None, endings: Mapping[str, Sequence[str]], *, otherwise: str
) -> str:
    """The form that is meant: the one that is named, or that of the file's ending.

    Args:
        named: The form the user named.
        output: The file that is written.
        endings: The endings of each form.
        otherwise: The form where nothing says which.

    Raises:
        ConfigurationError: The ending is of none of the forms.
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
        f"{output}: the ending {ending} says no form. Name one with --format "
        f"{'|'.join(endings)}, or end the file in one of "
        f"{', '.join(e for own in endings.values() for e in own)}."
    )


def require_replaceable(path: Path) -> None:
    """Refuses a file that is there and is none that this package wrote: results, samples, notes.

    Raises:
        ConfigurationError: It is none, or cannot be read.
    """
    if not path.is_file():
        return
    try:
        content = path.read_bytes().decode("utf-8", errors="replace").strip()
    except OSError as error:
        raise ConfigurationError(
            f"{path}: what is there cannot be read ({error.strerror}), and would be replaced. Name "
            "another file with -o."
        ) from error
    if content and not _is_ours(content):
        raise ConfigurationError(
            f"{path}: there is a file already that is no report, comparison or board of "
            "ultrarm-eval, and it is left as it is. Name another file with -o, or remove this one "
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
    """Writes a file, whole or not at all; its folder is made where it is missing.

    Raises:
        ConfigurationError: It cannot be written.
    """
    data = well_formed(text).encode("utf-8")
    unfinished = path.parent / f"{path.name}.part"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            # A folder is refused here; a device or pipe is written to, never replaced.
            path.write_bytes(data)
            return path
        unfinished.write_bytes(data)
        unfinished.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise ConfigurationError(
            f"{path}: the output cannot be written there ({error.strerror}). Name a file in a "
            "folder that you may write to with -o."
        ) from error
    return path


def write_to_terminal(text: str) -> None:
    """Writes a text to the standard output."""
    sys.stdout.write(well_formed(text))
