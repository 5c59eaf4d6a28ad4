"""Decodes token ids to readable texts; joined, they are the tokenized text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from tokenizers import Tokenizer

# Sentencepiece's character for a space.
_SPACE = "\u2581"
_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
# Lone surrogates, as which Python represents bytes that are not UTF-8; no text has them.
_FIRST_LONE, _LAST_LONE = 0xDC80, 0xDCFF


class TokenTexts:
    """The texts of the tokens of one tokenizer: byte-level, sentencepiece or WordPiece."""

    def __init__(self, backend: Tokenizer) -> None:
        """Detects how the vocabulary represents texts.

        Args:
            backend: The fast tokenizer's backend.
        """
        description = json.loads(backend.to_str())
        steps = [description.get(step) for step in ("normalizer", "pre_tokenizer", "decoder")]
        said = json.dumps(steps, ensure_ascii=False)
        model: dict[str, Any] = description["model"]
        self._backend = backend
        self._names = {i: t.content for i, t in backend.get_added_tokens_decoder().items()}
        self._byte_of = _byte_level_alphabet() if '"ByteLevel"' in said else None
        self._has_bytes = bool(model.get("byte_fallback")) or '"ByteFallback"' in said
        self._marks_spaces = _SPACE in said
        is_wordpiece = model.get("type") == "WordPiece"
        self._going_on: str | None = model["continuing_subword_prefix"] if is_wordpiece else None

    def __call__(self, ids: Sequence[int]) -> tuple[str, ...]:
        """The text of each token; see `TokenRewards`."""
        texts = [""] * len(ids)
        run: list[tuple[int, bytes]] = []
        for index, token in enumerate(ids):
            if token not in self._names:
                run.append((index, self._bytes(token)))
                continue
            _add(texts, run)
            run = []
            texts[index] = self._names[token]
        _add(texts, run)
        return tuple(texts)

    def _bytes(self, token: int) -> bytes:
        piece = self._backend.id_to_token(token)
        if piece is None:
            return f"<{token}>".encode()
        alphabet = self._byte_of
        if alphabet is not None and all(character in alphabet for character in piece):
            return bytes(alphabet[character] for character in piece)
        if self._has_bytes and (spelled := _BYTE.fullmatch(piece)) is not None:
            return bytes([int(spelled.group(1), 16)])
        if self._going_on is not None:
            goes_on = piece.startswith(self._going_on)
            piece = piece.removeprefix(self._going_on) if goes_on else f" {piece}"
        if self._marks_spaces:
            piece = piece.replace(_SPACE, " ")
        return piece.encode("utf-8", errors="replace")


def _add(texts: list[str], run: Sequence[tuple[int, bytes]]) -> None:
    """Adds the characters of adjacent tokens, each to the token with its last byte."""
    owners = [index for index, part in run for _ in part]
    whole = b"".join(part for _, part in run)
    for stop, character in _characters(whole):
        texts[owners[stop - 1]] += character


def _characters(whole: bytes) -> Iterator[tuple[int, str]]:
    """Yields the end index and text of each character; an invalid byte is written as `<0xE2>`."""
    stop = 0
    for character in whole.decode("utf-8", errors="surrogateescape"):
        if _FIRST_LONE <= ord(character) <= _LAST_LONE:
            stop += 1
            yield stop, f"<0x{whole[stop - 1]:02X}>"
        else:
            stop += len(character.encode("utf-8"))
            yield stop, character


def _byte_level_alphabet() -> dict[str, int]:
    """The byte of each character in a byte-level vocabulary.

    GPT-2's table (github.com/openai/gpt-2, src/encoder.py): bytes with a visible Latin-1 character
    are that character, and the others follow from U+0100 on.
    """
    visible = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(0x100) if byte not in visible]
    return {chr(byte): byte for byte in visible} | {
        chr(0x100 + place): byte for place, byte in enumerate(others)
    }
