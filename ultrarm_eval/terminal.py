"""Text for terminals: escaped, truncated to a width, aligned in columns, and encoded.

No text may move, hide or reorder what is beside it, and no letter is lost if the terminal's
encoding lacks it.
"""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

_NAMED = {"\n": "⏎", "\t": "⇥"}
_SPACE = "␣"
_ELLIPSIS = "…"
# Control, format (with it bidirectional overrides), surrogate, private, unassigned characters; line
# and paragraph separators.
_SPELLED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_COMBINING = frozenset({"Mn", "Me"})
_DOTTED_CIRCLE = "\u25cc"
_RIGHT_TO_LEFT = frozenset({"R", "AL"})
_LEFT_TO_RIGHT_MARK = "\u200e"
_HANDLER = "ultrarm_eval.escaped"


def printable(text: str, *, show_spaces: bool = False) -> str:
    r"""A text on one line, with every character visible.

    A newline is ⏎, a tab ⇥; control and format characters are escaped (`\x1b`, `\u202e`).

    Args:
        text: Any text.
        show_spaces: Whether a space is ␣.
    """
    shown = "".join(_shown(character, show_spaces) for character in text)
    # A mark would sit on what stands before the text.
    return _DOTTED_CIRCLE + shown if shown and _category(shown[0]) in _COMBINING else shown


def shortened(text: str, cells: int) -> str:
    """A printable text in at most this many terminal cells, truncated with an ellipsis."""
    if width(text) <= cells:
        return text
    taken = accumulate(map(_cells, text))
    return text[: sum(so_far < cells for so_far in taken)] + _ELLIPSIS


def fitted(text: str, cells: int) -> str:
    """A printable text in exactly this many terminal cells, truncated or padded."""
    text = shortened(text, cells)
    ordered = any(unicodedata.bidirectional(one) in _RIGHT_TO_LEFT for one in text)
    # Numbers behind letters that run to the left would be drawn before them.
    mark = _LEFT_TO_RIGHT_MARK if ordered else ""
    return text + mark + " " * (cells - width(text))


def width(text: str) -> int:
    """The width of a printable text in terminal cells: two for wide characters, zero for marks."""
    return sum(_cells(character) for character in text)


def aligned(rows: Iterable[Sequence[str]], texts: Sequence[int] = (0,)) -> str:
    """A table of printable texts with aligned columns.

    Args:
        rows: The rows, including the header; all of the same length.
        texts: The left-aligned columns.
    """
    lines = list(rows)
    rooms = [max(map(width, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            fitted(cell, room) if column in texts else " " * (room - width(cell)) + cell
            for column, (cell, room) in enumerate(zip(line, rooms, strict=True))
        ).rstrip()
        for line in lines
    )


def escape_what_cannot_be_encoded(stream: Any) -> None:
    r"""Makes a text stream write `\u00e4` for characters that it cannot encode.

    The escapes are JSON's, so that JSON written this way reads back as the same text. A stream with
    another error handler (`PYTHONIOENCODING=ascii:replace`) keeps it.
    """
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None and getattr(stream, "errors", None) == "strict":
        codecs.register_error(_HANDLER, _escaped)
        reconfigure(errors=_HANDLER)


def _cells(character: str) -> int:
    if _category(character) in _COMBINING or character == _LEFT_TO_RIGHT_MARK:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def _shown(character: str, show_spaces: bool) -> str:
    if character in _NAMED:
        return _NAMED[character]
    if character == " ":
        return _SPACE if show_spaces else " "
    category = _category(character)
    # Of the spaces the plain one alone looks like what it is.
    if category in _SPELLED or category == "Zs":
        return character.encode("unicode_escape").decode("ascii")
    return character


def _category(character: str) -> str:
    return unicodedata.category(character)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    units = text.encode("utf-16-be", errors="surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2)), error.end
