"""Special tokens that occur as plain text.

Published model outputs contain a literal ``</s>``. A Hugging Face tokenizer turns it into the
end-of-text token; sentencepiece itself does not. What a prompt or an answer contains is text, so
contents are masked before a template that writes special tokens of its own is rendered, and only
what the template wrote is parsed.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Iterable

# Beyond so many, looking for the first characters of all tokens is slower than for the tokens.
_FEW = 4


class SpecialLiterals:
    """Finds, masks and unmasks the spelled-out special tokens of one tokenizer."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self.tokens = tuple(sorted(set(tokens), key=len, reverse=True))
        # An alias parses as a control token, so no data may be able to spell one.
        secret = secrets.token_hex(8)
        self._masks = {t: f"\ue000m{i}-{secret}\ue001" for i, t in enumerate(self.tokens)}
        self.aliases = {t: f"\ue000a{i}-{secret}\ue001" for i, t in enumerate(self.tokens)}
        self._before, self._behind = f"\ue000b-{secret}\ue001", f"\ue000e-{secret}\ue001"
        self._in_text = _alternatives(self.tokens)
        self._in_masked = _alternatives(self._masks.values())
        self._unmasks = {mask: token for token, mask in self._masks.items()}
        firsts = {token[0] for token in self.tokens if token}
        self._firsts = firsts if len(firsts) <= _FEW else None

    def occur_in(self, text: str) -> bool:
        """Whether the text spells a special token."""
        if self._firsts is not None and not any(first in text for first in self._firsts):
            return False
        return self._in_text.search(text) is not None

    def spelled_in(self, text: str) -> set[str]:
        """The special tokens that the text spells."""
        return set(self._in_text.findall(text))

    def first_in(self, text: str) -> str | None:
        """The first special token that the text spells."""
        found = self._in_text.search(text)
        return None if found is None else found[0]

    def mask(self, text: str, but: Collection[str] = ()) -> str:
        """Replaces spelled-out special tokens in contents, before a template is rendered.

        Args:
            text: A content.
            but: Tokens that stay as they are.
        """
        return self._in_text.sub(
            lambda found: found[0] if found[0] in but else self._masks[found[0]], text
        )

    def unmask(self, text: str) -> str:
        """A text, masked or marked, as it would be without."""
        unmasked = self._in_masked.sub(lambda found: self._unmasks[found[0]], text)
        return unmasked.replace(self._before, "").replace(self._behind, "")

    def mark(self, text: str, *, before: bool, behind: bool) -> str:
        """Marks spelled-out special tokens, which a template can then still read."""
        first, last = self._before if before else "", self._behind if behind else ""
        return self._in_text.sub(lambda found: f"{first}{found[0]}{last}", text)

    def mask_marked(self, rendered: str, *, before: bool, behind: bool) -> str:
        """Replaces what was marked in contents, and is still whole, as `mask` would have."""
        first, last = self._before if before else "", self._behind if behind else ""
        marked = re.compile(f"{re.escape(first)}({self._in_text.pattern}){re.escape(last)}")
        return marked.sub(lambda found: self._masks[found[1]], rendered)

    def alias_structure(self, rendered: str) -> str:
        """Replaces the template's own special tokens by aliases, and unmasks the contents'."""
        aliased = self._in_text.sub(lambda found: self.aliases[found.group()], rendered)
        # A mark that a template cut off its token breaks what would be another token until here.
        return self.unmask(aliased)


def _alternatives(strings: Iterable[str]) -> re.Pattern[str]:
    escaped = [re.escape(string) for string in strings]
    # An empty alternation would match everywhere.
    return re.compile("|".join(escaped) if escaped else r"(?!)")
