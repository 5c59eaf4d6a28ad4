"""Special tokens that occur as plain text.

Published model outputs contain a literal ``</s>``. A Hugging Face tokenizer turns it into the
end-of-text token; sentencepiece itself does not. What a prompt or an answer contains is text, so
contents are masked before a template that writes special tokens of its own is rendered, and only
what the template wrote is parsed.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable


class SpecialLiterals:
    """Finds, masks and unmasks the spelled-out special tokens of one tokenizer."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self.tokens = tuple(sorted(set(tokens), key=len, reverse=True))
        # An alias parses as a control token, so no data may be able to spell one.
        secret = secrets.token_hex(8)
        self._masks = {t: f"\ue000m{i}-{secret}\ue001" for i, t in enumerate(self.tokens)}
        self.aliases = {t: f"\ue000a{i}-{secret}\ue001" for i, t in enumerate(self.tokens)}
        self._in_text = _alternatives(self.tokens)
        self._in_masked = _alternatives(self._masks.values())
        self._unmasks = {mask: token for token, mask in self._masks.items()}

    def occur_in(self, text: str) -> bool:
        """Whether the text spells a special token."""
        return self._in_text.search(text) is not None

    def mask(self, text: str) -> str:
        """Replaces spelled-out special tokens in contents, before a template is rendered."""
        return self._in_text.sub(lambda found: self._masks[found.group()], text)

    def alias_structure(self, rendered: str) -> str:
        """Replaces the template's own special tokens by aliases, and unmasks the contents'."""
        aliased = self._in_text.sub(lambda found: self.aliases[found.group()], rendered)
        return self._in_masked.sub(lambda found: self._unmasks[found.group()], aliased)


def _alternatives(strings: Iterable[str]) -> re.Pattern[str]:
    escaped = [re.escape(string) for string in strings]
    # An empty alternation would match everywhere.
    return re.compile("|".join(escaped) if escaped else r"(?!)")
