"""Tokenizes texts: special-token text stays plain text, as in sentencepiece, or is parsed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from tokenizers import Tokenizer

from ultrarm_eval.errors import ScoringError
from ultrarm_eval.text_format.special_tokens import SpecialLiterals


class ParsingTokenizer:
    """A Hugging Face tokenizer with its own behavior: special-token text becomes special tokens.

    Attributes:
        opening: The tokens that every text begins with: BOS, or none; GLM has two.
    """

    def __init__(self, backend: Tokenizer, *, is_bare: bool, adds_bos: bool = True) -> None:
        """Prepares the tokenizer.

        Args:
            backend: The fast tokenizer's backend, without truncation and padding.
            is_bare: Whether texts contain no special tokens of a template, so that the tokenizer
                adds its own.
            adds_bos: Whether every text begins with the opening tokens, even if the template does
                not write them.
        """
        self._backend, self._is_bare = backend, is_bare and adds_bos
        self._adds_bos = adds_bos
        self.opening = opening_ids(backend)

    def encode(self, texts: Sequence[str]) -> Iterator[list[int]]:
        """The token ids of texts, BOS first."""
        opening = list(self.opening)
        for encoding in self._backend.encode_batch_fast(
            list(texts), add_special_tokens=self._is_bare
        ):
            ids = list(encoding.ids)
            if self._adds_bos and ids[:1] != opening[:1]:
                ids = opening + ids
            yield ids


class TextualTokenizer:
    """A copy of a tokenizer that leaves special-token text plain text.

    The template's own special tokens are written as aliases, which become special tokens.

    Attributes:
        opening: The tokens that every text begins with; see `ParsingTokenizer`.
    """

    def __init__(
        self,
        backend: Tokenizer,
        literals: SpecialLiterals,
        *,
        restore_prefix: bool,
        adds_bos: bool = True,
    ) -> None:
        """Makes the copy.

        Args:
            backend: The fast tokenizer's backend, without truncation and padding.
            literals: Its special tokens.
            restore_prefix: Whether a space is put before every text, as in sentencepiece.
            adds_bos: Whether every text begins with the opening tokens, even if the template does
                not write them.
        """
        self._adds_bos = adds_bos
        self.opening = opening_ids(backend)
        self._backend, self._alias_ids = _textual(backend, literals, restore_prefix=restore_prefix)
        # No text of a content may become one of these; unknown characters may become <unk>.
        self._control_ids = set(self._alias_ids.values()) - {_unknown_id(backend)}

    def encode(self, texts: Sequence[str]) -> Iterator[list[int]]:
        """The token ids of texts, with BOS once at the beginning.

        Raises:
            ScoringError: The tokenizer turns special-token text into a special token.
        """
        opening = list(self.opening)
        size = len(opening)
        for encoding in self._backend.encode_batch_fast(list(texts), add_special_tokens=False):
            if not self._control_ids.isdisjoint(encoding.ids):
                raise ScoringError(
                    "The tokenizer always parses special-token text as a control token. Use "
                    "special_tokens=parse, and check such texts."
                )
            ids = [self._alias_ids.get(i, i) for i in encoding.ids]
            # A text with the first opening token is complete: the template writes the others.
            if self._adds_bos and ids[:1] != opening[:1]:
                ids = opening + ids
            elif ids[: 2 * size] == opening * 2:
                # The chat template writes BOS twice.
                ids = ids[size:]
            yield ids


def _unknown_id(backend: Tokenizer) -> int | None:
    """The id of the unknown token; None if there is none."""
    model = json.loads(backend.to_str())["model"]
    if isinstance(model.get("unk_id"), int):
        return int(model["unk_id"])
    unknown = model.get("unk_token")
    return backend.token_to_id(unknown) if isinstance(unknown, str) else None


def opening_ids(backend: Tokenizer) -> tuple[int, ...]:
    """The tokens that the tokenizer itself puts before a text.

    Found by tokenizing a text, because `bos_token` may be missing if there is only a
    tokenizer.json.
    """
    return _around_a_text(backend)[0]


def closing_ids(backend: Tokenizer) -> tuple[int, ...]:
    """The tokens that the tokenizer itself appends to a text."""
    return _around_a_text(backend)[1]


def _around_a_text(backend: Tokenizer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    plain = backend.encode("a", add_special_tokens=False).ids
    whole = backend.encode("a").ids
    size = len(plain)
    places = range(len(whole) - size + 1) if plain else ()
    start = next((i for i in places if whole[i : i + size] == plain), None)
    return ((), ()) if start is None else (tuple(whole[:start]), tuple(whole[start + size :]))


def _textual(
    backend: Tokenizer, literals: SpecialLiterals, *, restore_prefix: bool
) -> tuple[Tokenizer, dict[int, int]]:
    """A copy of the tokenizer that leaves special-token text plain text.

    Returns:
        The copy, and a map from the ids of the template's aliases to the real special ids.
    """
    description = json.loads(backend.to_str())
    if restore_prefix:
        _restore_dummy_prefix(description)
    _drop_merges_into(description, set(literals.tokens))
    _rename_pieces(description, literals)
    added = description["added_tokens"]
    special = {token["content"]: token for token in added if token["special"]}
    first_free = 1 + max(
        [backend.get_vocab_size(with_added_tokens=True) - 1, *(t["id"] for t in added)]
    )
    for offset, (content, alias) in enumerate(literals.aliases.items()):
        added.append(
            {**special[content], "id": first_free + offset, "content": alias, "special": False}
        )
    textual = Tokenizer.from_str(json.dumps(description))
    # Read from the copy, because it may assign other ids to added tokens.
    alias_ids = {
        int(textual.token_to_id(alias) or 0): int(special[content]["id"])
        for content, alias in literals.aliases.items()
    }
    textual.encode_special_tokens = True
    return textual, alias_ids


def _restore_dummy_prefix(description: dict[str, Any]) -> None:
    """Restores sentencepiece's dummy prefix, which transformers converts to a Metaspace step.

    That step adds no prefix to a text that starts with a space; sentencepiece always adds one.
    """
    step = description.get("pre_tokenizer") or {}
    converted = (
        step.get("type") == "Metaspace"
        and step.get("prepend_scheme") in {"always", "first"}
        and not step.get("split", True)
        and description.get("normalizer") is None
    )
    if not converted:
        return
    mark = step["replacement"]
    description["pre_tokenizer"] = None
    description["normalizer"] = {
        "type": "Sequence",
        "normalizers": [
            {"type": "Prepend", "prepend": mark},
            {"type": "Replace", "pattern": {"String": " "}, "content": mark},
        ],
    }


def _rename_pieces(description: dict[str, Any], literals: SpecialLiterals) -> None:
    """Renames pieces of a unigram model that are special tokens: sentencepiece never matches them.

    Their positions, and therefore all ids, stay the same.
    """
    model = description["model"]
    if model.get("type") != "Unigram":
        return
    model["vocab"] = [
        [f"{literals.aliases[piece]}p" if piece in literals.aliases else piece, score]
        for piece, score in model["vocab"]
    ]


def _drop_merges_into(description: dict[str, Any], special: set[str]) -> None:
    """Removes merges whose result is a special token: sentencepiece never matches those."""
    merges = description["model"].get("merges")
    if not merges:
        return

    def result(merge: Any) -> str:
        return "".join(merge) if isinstance(merge, list) else str(merge).replace(" ", "", 1)

    description["model"]["merges"] = [m for m in merges if result(m) not in special]
