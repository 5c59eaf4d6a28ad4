"""Reads JSON and JSON Lines with the place in every error, and writes files atomically."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ultrarm_eval.errors import DataError, UltrarmEvalError

# No file of a harness, a hub or a data set has more than ten levels; each level takes several
# Python frames when values are walked.
_MOST_LEVELS = 100
# Lines of samples are longer than the 8 KiB that Python reads at once.
_BUFFER_BYTES = 2**18


@dataclass(frozen=True)
class JsonLine:
    """A line of a JSON Lines file.

    Attributes:
        path: The file.
        number: The line's number, from 1.
        start: Its offset in the file, in bytes.
        text: The line as it is.
    """

    path: Path
    number: int
    start: int
    text: bytes

    def parsed(self, mend: str = "") -> dict[str, Any]:
        """The line's object.

        Args:
            mend: How to fix a damaged line, a sentence for the message.

        Raises:
            DataError: It is not a JSON object.
        """
        where = f"{self.path}, line {self.number}"
        value = parse_json(self.text, where, mend=mend)
        if not isinstance(value, dict):
            raise DataError(
                f"{where}: this is a JSON {type(value).__name__}; each line must be an object."
            )
        return value


def json_lines(path: Path) -> Iterator[JsonLine]:
    """Yields the non-empty lines of a JSON Lines file, without parsing them.

    Raises:
        OSError: The file cannot be read.
    """
    start = 0
    with path.open("rb", _BUFFER_BYTES) as file:
        for number, text in enumerate(file, 1):
            if not text.isspace():
                yield JsonLine(path, number, start, text)
            start += len(text)


def read_json(path: Path, *, mend: str = "", error: type[UltrarmEvalError] = DataError) -> Any:
    """Reads a file with one JSON value.

    Args:
        path: The file.
        mend: How to fix a damaged file, a sentence for the message.
        error: The error class to raise.

    Raises:
        DataError: It cannot be read, or is not JSON; or `error`.
    """
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise error(f"{path}: cannot read the file ({problem.strerror}).") from problem
    return parse_json(content, path, mend=mend, error=error)


def parse_json(
    text: bytes | str, where: object, *, mend: str = "", error: type[UltrarmEvalError] = DataError
) -> Any:
    """Parses a JSON value.

    Args:
        text: The value; bytes are UTF-8, with or without a byte order mark.
        where: Its place, for messages.
        mend: How to fix it, a sentence for the message.
        error: What is raised.

    Raises:
        DataError: It is not UTF-8 or not JSON, has a number with thousands of digits, or is nested
            more than a hundred levels deep; or `error`.
    """
    try:
        value = json.loads(text if isinstance(text, str) else text.decode("utf-8-sig"))
    except UnicodeDecodeError as problem:
        said = f"this is not UTF-8 (byte {problem.start})"
        raise error(_sentences(where, said, mend)) from problem
    except ValueError as problem:
        # Besides malformed JSON, Python refuses numbers with thousands of digits.
        raise error(_sentences(where, f"this is not valid JSON ({problem})", mend)) from problem
    except RecursionError as problem:
        raise error(_sentences(where, "this JSON is nested too deeply", mend)) from problem
    # Few texts have enough brackets to be nested too deeply.
    if _brackets(text) > _MOST_LEVELS and _is_too_deep(value):
        raise error(_sentences(where, "this JSON is nested too deeply", mend))
    return value


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yields a temporary path to write to; the file is moved into place once it is complete.

    A device or a pipe is written to directly, and never replaced.

    Raises:
        OSError: The file cannot be written; an existing file is left unchanged.
    """
    if path.exists() and not path.is_file():
        # Opening a folder fails.
        yield path
        return
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        yield unfinished
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink()


def write_whole(path: Path, content: str | bytes) -> None:
    """Writes a file atomically; texts as UTF-8.

    Raises:
        OSError: It cannot be written; an existing file is left unchanged.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    with whole_file(path) as unfinished:
        unfinished.write_bytes(data)


def _sentences(where: object, problem: str, mend: str) -> str:
    return f"{where}: {problem}. {mend}".rstrip()


def _brackets(text: bytes | str) -> int:
    if isinstance(text, str):
        return text.count("[") + text.count("{")
    return text.count(b"[") + text.count(b"{")


def _is_too_deep(value: Any) -> bool:
    """Whether values are nested so deeply that processing them would overflow the stack."""
    level = [value]
    for _ in range(_MOST_LEVELS):
        level = [
            item
            for one in level
            if isinstance(one, dict | list)
            for item in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return False
    return True
