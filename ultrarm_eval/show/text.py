"""Third-party texts, made safe to show: nothing hidden, nothing reordered."""

from __future__ import annotations

import re

from ultrarm_eval.messages import well_formed

# Controls that reorder the text around them (Unicode Standard Annex 9: embeddings, overrides,
# isolates), and characters that a page cannot show. Tab, line feed and carriage return are layout.
_HIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff]")
# Characters that Markdown, or HTML in it, reads as markup.
# An underscore inside a word is not markup.
_MARKUP = re.compile(r"[\\`*{}\[\]<>#|~&]|(?<!\w)_|_(?!\w)")
_LINE_BREAKS = re.compile("[\r\n\u2028\u2029\x85]+")


def visible(text: str) -> str:
    """A text in which controls that would hide or reorder something are spelled out.

    Halves of surrogate pairs, which no encoding can write, are replaced by a question mark.
    """
    return _HIDDEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", well_formed(text))


def visible_name(name: object, most: int = 200) -> str:
    """A name on one line, cut where it is longer than any name should be."""
    line = visible(_LINE_BREAKS.sub(" ", str(name)))
    return line if len(line) <= most else f"{line[: most - 1]}…"


def markdown(text: object) -> str:
    """A text on one line, with all markup of Markdown and HTML escaped."""
    return _MARKUP.sub(lambda found: f"\\{found[0]}", visible_name(text, 2000))
