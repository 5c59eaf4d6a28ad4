"""Decodes token ids to a text that a server's tokenizer encodes to the same ids, or explains why
not.

A server that accepts texts adds its own BOS to each, and parses special-token text. A text is sent
only if the tokenizer here, used like the server uses it, produces exactly its ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tokenizers import Tokenizer

# Tokens quoted where two texts begin to differ.
_QUOTED = 3


class NoSuchTextError(Exception):
    """No text has these ids on a server; the message explains why."""


class TextWriter:
    """Decodes token ids to texts for a server with a checkpoint's tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        """Takes the tokenizer; a copy of it is used.

        Args:
            tokenizer: A fast tokenizer of transformers.
        """
        self._tokens = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        self._tokens.no_truncation()
        self._tokens.no_padding()
        added = self._tokens.get_added_tokens_decoder()
        self._control = frozenset(number for number, token in added.items() if token.special)
        # What it adds before and after every text.
        plain, whole = self._tokens.encode("a", add_special_tokens=False).ids, self.ids("a")
        at = next((i for i in range(len(whole)) if whole[i : i + len(plain)] == plain), 0)
        self._before, self._behind = whole[:at], whole[at + len(plain) :]

    def ids(self, text: str) -> list[int]:
        """Encodes a text like a server does."""
        return list(self._tokens.encode(text, add_special_tokens=True).ids)

    def write(self, ids: Sequence[int]) -> str:
        """The text of token ids.

        Raises:
            NoSuchTextError: A server would get other ids.
        """
        given = list(ids)
        inner = given
        if self._before and given[: len(self._before)] == self._before:
            inner = inner[len(self._before) :]
        if self._behind and inner[-len(self._behind) :] == self._behind:
            inner = inner[: -len(self._behind)]
        text = self._tokens.decode(inner, skip_special_tokens=False)
        # sentencepiece decoders drop a text's leading space, or keep the one that the tokenizer
        # adds before every text.
        for written in (text, f" {text}", text.removeprefix(" ")):
            if self.ids(written) == given:
                return written
        raise NoSuchTextError(self._why_not(given, self.ids(text)))

    def _why_not(self, given: list[int], read: list[int]) -> str:
        before, behind = self._before, self._behind
        if before and given[: len(before)] != before:
            return (
                f"servers add {self._quoted(before)} before every text, but this text does not "
                "begin with it"
            )
        if behind and given[-len(behind) :] != behind:
            return (
                f"servers add {self._quoted(behind)} after every text, but this text does not end "
                "with it"
            )
        spelled = [one for one in read if one in self._control]
        meant = [one for one in given if one in self._control]
        extra = next((one for one in spelled if spelled.count(one) > meant.count(one)), None)
        if extra is not None:
            return (
                f"it contains the text {self._quoted([extra])}, which servers parse as that "
                "control token"
            )
        length = min(len(given), len(read))
        at = next((i for i in range(length) if given[i] != read[i]), length)
        ours, theirs = given[at : at + _QUOTED], read[at : at + _QUOTED]
        return (
            f"from token {at} on a server would get other tokens, {self._quoted(theirs)} instead "
            f"of {self._quoted(ours)}, for example because the text is truncated within a word or "
            "a character"
        )

    def _quoted(self, ids: Sequence[int]) -> str:
        return " ".join(repr(self._tokens.id_to_token(one) or str(one)) for one in ids) or "nothing"
