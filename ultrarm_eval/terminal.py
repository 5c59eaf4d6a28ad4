"""What a terminal can show: texts from data spelled out, cut to cells, set in columns, encoded.

Nothing in a text may move, hide or reorder what stands beside it, and no letter is lost where the
terminal's encoding lacks it.
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
    r"""A text on one line, every character of it visible.

    A newline is ⏎, a tab ⇥; control and format characters are escaped (`\x1b`, `\u202e`).

    Args:
        text: Any text.
        show_spaces: Whether a space is ␣.
    """
    shown = "".join(_shown(character, show_spaces) for character in text)
    # A mark would sit on what stands before the text.
    return _DOTTED_CIRCLE + shown if shown and _category(shown[0]) in _COMBINING else shown


def shortened(text: str, cells: int) -> str:
    """A printable text in at most so many cells of a terminal, cut with an ellipsis."""
    if width(text) <= cells:
        return text
    taken = accumulate(map(_cells, text))
    return text[: sum(so_far < cells for so_far in taken)] + _ELLIPSIS


def fitted(text: str, cells: int) -> str:
    """A printable text in exactly so many cells of a terminal, cut or filled."""
    text = shortened(text, cells)
    ordered = any(unicodedata.bidirectional(one) in _RIGHT_TO_LEFT for one in text)
    # Numbers behind letters that run to the left would be drawn before them.
    mark = _LEFT_TO_RIGHT_MARK if ordered else ""
    return text + mark + " " * (cells - width(text))


def width(text: str) -> int:
    """Cells of a terminal that a printable text takes: two for wide characters, none for marks."""
    return sum(_cells(character) for character in text)


def aligned(rows: Iterable[Sequence[str]], texts: Sequence[int] = (0,)) -> str:
    """A table of printable texts, its cells one below the other.

    Args:
        rows: The lines, the headers among them; all of one length.
        texts: The columns that are set to the left.
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
    r"""Has a text stream write `\u00e4` where it would fail on a character.

    The escapes are those of JSON, so that JSON written this way reads as the same text. A stream
    whose user chose another way (`PYTHONIOENCODING=ascii:replace`) keeps it.
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
