"""Text on an output whose encoding does not have all characters: they are escaped, none is lost."""

from __future__ import annotations

import codecs
from typing import Any

_HANDLER = "ultrarm_eval.escaped"


def escape_what_cannot_be_encoded(stream: Any) -> None:
    r"""Has a text stream write `\u00e4` where it would fail on a character.

    The escapes are those of JSON, so that JSON written this way reads as the same text. A stream
    whose user chose another way (`PYTHONIOENCODING=ascii:replace`) keeps it.
    """
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None and getattr(stream, "errors", None) == "strict":
        codecs.register_error(_HANDLER, _escaped)
        reconfigure(errors=_HANDLER)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    units = text.encode("utf-16-be", errors="surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2)), error.end
