"""Encodes texts to ids: special-token text stays text, as in sentencepiece, or is parsed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from tokenizers import Tokenizer

from ultrarm_eval.errors import ScoringError
from ultrarm_eval.text_format.special_tokens import SpecialLiterals


class ParsingTokenizer:
    """A Hugging Face tokenizer as it is: spelled-out special tokens are special tokens.

    Attributes:
        opening: The tokens that every text begins with: BOS, or none; GLM's are two.
    """

    def __init__(self, backend: Tokenizer, *, is_bare: bool, adds_bos: bool = True) -> None:
        """Prepares the tokenizer.

        Args:
            backend: The fast tokenizer's backend, which neither cuts nor pads.
            is_bare: Whether texts have no special tokens of their own, and get those that the
                tokenizer adds by itself.
            adds_bos: Whether every text begins with them, also where none is written.
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
    """A copy of a tokenizer that reads spelled-out special tokens as text.

    What a template writes for them are aliases, which become the special tokens.

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
            backend: The fast tokenizer's backend, which neither cuts nor pads.
            literals: Its special tokens.
            restore_prefix: Whether a space stands before every text, as sentencepiece has it.
            adds_bos: Whether every text begins with them, also where none is written.
        """
        self._adds_bos = adds_bos
        self.opening = opening_ids(backend)
        self._backend, self._alias_ids = _textual(backend, literals, restore_prefix=restore_prefix)
        # What a text contains must not reach these; an unknown character may reach <unk>.
        self._control_ids = set(self._alias_ids.values()) - {_unknown_id(backend)}

    def encode(self, texts: Sequence[str]) -> Iterator[list[int]]:
        """The token ids of texts, BOS first, but never twice.

        Raises:
            ScoringError: The tokenizer makes a special token of what a text spells.
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
            # A template that begins with the first of them decides which of them it writes.
            if self._adds_bos and ids[:1] != opening[:1]:
                ids = opening + ids
            elif ids[: 2 * size] == opening * 2:
                # A chat template that writes BOS behind a BOS.
                ids = ids[size:]
            yield ids


def _unknown_id(backend: Tokenizer) -> int | None:
    """The id of the token for what the vocabulary lacks."""
    model = json.loads(backend.to_str())["model"]
    if isinstance(model.get("unk_id"), int):
        return int(model["unk_id"])
    unknown = model.get("unk_token")
    return backend.token_to_id(unknown) if isinstance(unknown, str) else None


def opening_ids(backend: Tokenizer) -> tuple[int, ...]:
    """The tokens that the tokenizer puts before a text by itself.

    Asked of the tokenizer's own rules: its `bos_token` can be unnamed where only a tokenizer.json
    is there.
    """
    return _around_a_text(backend)[0]


def closing_ids(backend: Tokenizer) -> tuple[int, ...]:
    """The tokens that the tokenizer puts behind a text by itself."""
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
    """A copy of the tokenizer that reads spelled-out special tokens as text.

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
    # Asked of the copy, because it may number added tokens itself.
    alias_ids = {
        int(textual.token_to_id(alias) or 0): int(special[content]["id"])
        for content, alias in literals.aliases.items()
    }
    textual.encode_special_tokens = True
    return textual, alias_ids


def _restore_dummy_prefix(description: dict[str, Any]) -> None:
    """Restores sentencepiece's dummy prefix where transformers converted it to a Metaspace step.

    That step puts no prefix before a text that starts with a space; sentencepiece always does.
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
    """Renames a unigram model's pieces that are special tokens: sentencepiece never matches those.

    Their places, and with them all ids, stay.
    """
    model = description["model"]
    if model.get("type") != "Unigram":
        return
    model["vocab"] = [
        [f"{literals.aliases[piece]}p" if piece in literals.aliases else piece, score]
        for piece, score in model["vocab"]
    ]


def _drop_merges_into(description: dict[str, Any], special: set[str]) -> None:
    """Removes merges that would spell a special token: sentencepiece never matches those."""
    merges = description["model"].get("merges")
    if not merges:
        return

    def result(merge: Any) -> str:
        return "".join(merge) if isinstance(merge, list) else str(merge).replace(" ", "", 1)

    description["model"]["merges"] = [m for m in merges if result(m) not in special]
