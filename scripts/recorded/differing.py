"""Where two texts, or two JSON values, differ by more than a tolerance."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w])")
# Numbers with fewer decimals were rounded for a reader, who sees each of them.
_ROUNDED = 9
_SHOWN = 100


@dataclass(frozen=True)
class Difference:
    """One place where two recordings differ.

    Attributes:
        command: The command's name.
        where: The file, and the line or JSON path in it.
        before: What stood there.
        after: What stands there.
    """

    command: str
    where: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.command}  {self.where}  {self.before}  ->  {self.after}"


Found = tuple[str, str, str]


def texts(before: str, after: str, tolerance: float) -> Iterator[Found]:
    """Line, before and after of each line that differs."""
    one, other = before.split("\n"), after.split("\n")
    if len(one) == len(other):
        blocks = [("replace", 0, len(one), 0, len(other))]
    else:
        keys, others = ([_NUMBER.sub("0", line) for line in lines] for lines in (one, other))
        matcher = difflib.SequenceMatcher(None, keys, others, autojunk=False)
        blocks = [*matcher.get_opcodes()]
    for _, i, i_end, j, j_end in blocks:
        for number in range(max(i_end - i, j_end - j)):
            left = one[i + number] if i + number < i_end else None
            right = other[j + number] if j + number < j_end else None
            if left is None or right is None:
                line = i + number + 1 if right is None else j + number + 1
                yield f"line {line}", _shown(left), _shown(right)
            elif not same_text(left, right, tolerance):
                yield f"line {i + number + 1}", *_where_they_part(left, right)


def same_text(before: str, after: str, tolerance: float) -> bool:
    """Whether all numbers are close, and the rest is equal."""
    if before == after:
        return True
    if _NUMBER.split(before) != _NUMBER.split(after):
        return False
    pairs = zip(_NUMBER.findall(before), _NUMBER.findall(after), strict=True)
    return all(_same_written(one, other, tolerance) for one, other in pairs)


def _same_written(one: str, other: str, tolerance: float) -> bool:
    if one == other:
        return True
    if not (_is_float(one) and _is_float(other)):
        return False
    rounded = [len(text.partition(".")[2]) < _ROUNDED and "e" not in text for text in (one, other)]
    if all(rounded) and len(one.partition(".")[2]) != len(other.partition(".")[2]):
        return False
    return _close(float(one), float(other), tolerance)


def values(before: Any, after: Any, tolerance: float, path: str = "$") -> Iterator[Found]:
    """JSON path, before and after of each leaf that differs."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys([*before, *after]):
            inner = f"{path}.{name}"
            if name not in before or name not in after:
                yield inner, *(_shown(v[name]) if name in v else "-" for v in (before, after))  # type: ignore[misc]
            else:
                yield from values(before[name], after[name], tolerance, inner)
        if [*before] != [*after] and set(before) == set(after):
            yield f"{path} (order of fields)", _shown([*before]), _shown([*after])
    elif isinstance(before, list) and isinstance(after, list):
        if len(before) != len(after):
            yield f"{path} (length)", str(len(before)), str(len(after))
        for place, (one, other) in enumerate(zip(before, after, strict=False)):
            yield from values(one, other, tolerance, f"{path}[{place}]")
    elif isinstance(before, str) and isinstance(after, str):
        if not same_text(before, after, tolerance):
            yield path, *_where_they_part(before, after)
    elif type(before) is not type(after) or not (
        _close(before, after, tolerance) if isinstance(before, float) else before == after
    ):
        yield path, _shown(before), _shown(after)


def _close(one: float, other: float, tolerance: float) -> bool:
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance)


def _is_float(text: str) -> bool:
    return "." in text or "e" in text or "E" in text


def _where_they_part(before: str, after: str) -> tuple[str, str]:
    """Both texts from shortly before the first character that is another."""
    place = next(
        (i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b),
        min(len(before), len(after)),
    )
    start = max(0, place - 30)
    cut = "..." if start else ""
    return _shown(before[start:], cut), _shown(after[start:], cut)


def _shown(value: Any, cut: str = "") -> str:
    if value is None:
        return "-"
    written = json.dumps(value, ensure_ascii=False)
    return cut + (written if len(written) <= _SHOWN else f"{written[: _SHOWN - 3]}...")
