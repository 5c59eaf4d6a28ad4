"""The lines of a file of samples, also of a damaged one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ultrarm_eval.errors import DataError
from ultrarm_eval.runs.plain import is_too_deep

_MANY_BRACKETS = 90


@dataclass(frozen=True)
class SampleLine:
    """A line of a file of samples.

    Attributes:
        number: Its number, from 1 on.
        start: Where it begins in the file, in bytes.
        content: The sample, or what is wrong with the line.
    """

    number: int
    start: int
    content: dict[str, Any] | DataError


def sample_lines(path: Path) -> Iterator[SampleLine]:
    """Yields the lines of a file of samples, damaged ones as what is wrong with them."""
    start = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield SampleLine(number, start, _parsed(line, f"{path}, line {number}"))
            start += len(line)


def sample_at(path: Path, start: int) -> dict[str, Any]:
    """The sample of a line that `sample_lines` gave.

    Raises:
        DataError: The file was changed since.
    """
    with path.open("rb") as file:
        file.seek(start)
        content = _parsed(file.readline(), f"{path}, byte {start}")
    if isinstance(content, DataError):
        raise content
    return content


def _parsed(line: bytes, where: str) -> dict[str, Any] | DataError:
    try:
        sample = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        return DataError(f"{where}: this is not UTF-8 (byte {error.start}); the file is damaged.")
    except json.JSONDecodeError as error:
        return DataError(f"{where}: this is no JSON ({error.msg}); the file is damaged or cut off.")
    except ValueError:
        return DataError(f"{where}: this JSON has a number of too many digits.")
    except RecursionError:
        return DataError(f"{where}: this JSON is nested too deeply; the file is damaged.")
    # Few lines have as many brackets as could lie too deep.
    if line.count(b"[") + line.count(b"{") > _MANY_BRACKETS and is_too_deep(sample):
        return DataError(f"{where}: this JSON is nested too deeply; the file is damaged.")
    return sample if isinstance(sample, dict) else DataError(f"{where}: this is no JSON object.")
