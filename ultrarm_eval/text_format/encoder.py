"""Encodes prompt and completion to token ids, the same with every transformers version.

With ``special_tokens="text"`` (the default) the ids are one BOS and those of sentencepiece itself;
with ``"parse"`` they are those of the Hugging Face tokenizer, as in the published tutorial.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Any, ClassVar

from tokenizers import Tokenizer

from ultrarm_eval.errors import ConfigurationError, ScoringError, unknown_choice
from ultrarm_eval.messages import Prompt, as_messages
from ultrarm_eval.settings import SPECIAL_TOKENS
from ultrarm_eval.text_format.special_tokens import SpecialLiterals
from ultrarm_eval.text_format.system_turns import KEEP, checked_system
from ultrarm_eval.text_format.template import Template
from ultrarm_eval.text_format.text_renderer import TextRenderer, WrittenText
from ultrarm_eval.text_format.textual_tokenizer import (
    ParsingTokenizer,
    TextualTokenizer,
    closing_ids,
)
from ultrarm_eval.text_format.tokens import EncodedText, Tokens

_BATCH = 2048


class TextEncoder:
    """Renders and tokenizes prompts and completions for one model and one set of settings.

    Attributes:
        template: How prompt and completion become one text.
        max_length: The maximum number of tokens per text.
        special_tokens: "text" or "parse".
        system: How system turns are handled.
        opening: The tokens that every text begins with: BOS, or none; GLM has two.
        closing: The tokens that texts end with: EOS or `[SEP]`, or none; XLNet has two.
        unread_id: A token that is removed from the end of a text; None if there is none.
        final_id: A token that is appended to every text, at which the reward is read; None if there
            is none.
    """

    _renderer_class: ClassVar[type[TextRenderer]] = TextRenderer

    def __init__(
        self,
        tokenizer: Any,
        template: Template,
        *,
        max_length: int,
        special_tokens: str = "text",
        system: str = KEEP,
        vocabulary_size: int | None = None,
        is_sentencepiece: bool = False,
        eos_id: int | None = None,
        closes_texts: bool = False,
        unread_id: int | None = None,
        final_id: int | None = None,
        adds_bos: bool = True,
    ) -> None:
        """Prepares the tokenizer.

        Args:
            tokenizer: A fast Hugging Face tokenizer.
            template: How prompt and completion become one text.
            max_length: The maximum number of tokens per text, including BOS and EOS.
            special_tokens: "text" or "parse"; see the module docstring.
            system: See `ultrarm_eval.text_format.system_turns`.
            vocabulary_size: Number of rows of the model's embedding, to refuse ids beyond it.
            is_sentencepiece: Whether the tokenizer was converted from a sentencepiece model.
            eos_id: The EOS token; the tokenizer's own if None.
            closes_texts: Whether the tokens that the tokenizer itself appends to a text, if any,
                are also appended to texts of templates without special tokens.
            unread_id: A token that is removed from the end of a text, because the model does not
                read it.
            final_id: A token that is appended to every text after truncation, at which the reward
                is read.
            adds_bos: Whether a text begins with the tokenizer's BOS even if the template does not
                write one.

        Raises:
            ConfigurationError: A setting is not allowed, or the tokenizer cannot be used.
        """
        if special_tokens not in SPECIAL_TOKENS:
            raise unknown_choice("special_tokens", special_tokens, SPECIAL_TOKENS)
        if not getattr(tokenizer, "is_fast", False):
            raise ConfigurationError(
                f"The tokenizer is a {type(tokenizer).__name__} without a fast backend; it needs "
                "a tokenizer.json, or a tokenizer.model that transformers can convert."
            )
        self.template = template
        self.max_length = max_length
        self.special_tokens = special_tokens
        self.system = checked_system(system)
        self._vocabulary_size = vocabulary_size
        backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        backend.no_truncation()
        backend.no_padding()
        added = backend.get_added_tokens_decoder().values()
        literals = SpecialLiterals(token.content for token in added if token.special)
        writes_special_tokens = template.writes_special_tokens
        self._tokens = (
            # As in the tutorial, the tokenizer adds its special tokens, unless the template writes
            # special tokens and therefore its own BOS.
            ParsingTokenizer(backend, is_bare=not writes_special_tokens, adds_bos=adds_bos)
            if special_tokens == "parse"
            else TextualTokenizer(
                backend,
                literals,
                restore_prefix=is_sentencepiece and not writes_special_tokens,
                adds_bos=adds_bos,
            )
        )
        self.opening = self._tokens.opening
        self.closing = closing_ids(backend) if closes_texts else ()
        self.unread_id = unread_id
        self.final_id = final_id
        self._final = [] if final_id is None else [final_id]
        self._eos = tokenizer.eos_token_id if eos_id is None else eos_id
        if template.append_eos and self._eos is None:
            raise ConfigurationError(
                f"template={template.name} appends an EOS token, but the tokenizer has none. Use "
                "another template."
            )
        self._renderer = self._renderer_class(
            tokenizer,
            template,
            literals=literals,
            # Without runs of spaces, which some tokenizers add: every indented line has them.
            added=SpecialLiterals(
                token.content for token in added if not token.special and token.content.strip()
            ),
            special_tokens=special_tokens,
            system=self.system,
        )
        own = () if template.writes_special_tokens or template.append_eos else self.closing
        needed = max(len(self.opening), 1) + 1 + template.append_eos + len([*own, *self._final])
        if max_length < needed:
            raise ConfigurationError(
                f"max_length={max_length} leaves no room for any text. Set a larger max_length."
            )

    @property
    def bos_id(self) -> int | None:
        """The first token that every text begins with; None if there is none."""
        return self.opening[0] if self.opening else None

    def check(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> None:
        """Rejects texts that cannot be rendered, before time is spent on the rest.

        Every sequence of roles is rendered once.

        Raises:
            ConfigurationError: A prompt is not a text, a list of messages or None.
            ScoringError: A completion is not a string.
            UnwritableTextError: The template rejects the turns of a prompt.
        """
        for number, prompt in enumerate(prompts):
            self._renderer.check_turns(self._renderer.messages(prompt), number)
        for number, completion in enumerate(completions):
            if not isinstance(completion, str):
                raise ScoringError(
                    f"Completion {number} is of type {type(completion).__name__}, but must be a "
                    "text."
                )

    def encode(
        self,
        prompts: Sequence[Prompt],
        completions: Sequence[str],
        numbers: Sequence[int] | None = None,
    ) -> Iterator[EncodedText]:
        """Encodes prompt and completion pairs, in order.

        Args:
            prompts: Prompts.
            completions: Completions, one for each prompt.
            numbers: Their numbers in error messages, for texts that were checked before; 0, 1, ...
                if None.

        Raises:
            ScoringError: A completion is not a string, or a text has no tokens.
        """
        if numbers is None:
            self.check(prompts, completions)
            numbers = range(len(completions))
        for start in range(0, len(completions), _BATCH):
            some = slice(start, start + _BATCH)
            yield from self._encode_batch(prompts[some], completions[some], numbers[some])

    def place(self, prompt: Prompt, completion: str) -> tuple[EncodedText, int]:
        """Encodes a text and finds its completion.

        The completion begins at the first token that differs from those of the text that the
        template writes before it.

        Args:
            prompt: The prompt.
            completion: The completion.

        Returns:
            The text, and the index of the first token with a part of the completion.

        Raises:
            ConfigurationError: The prompt is not a text, a list of messages or None.
            ScoringError: The completion is not a string, or the text has no tokens.
        """
        (encoded,) = self.encode([prompt], [completion])
        whole = encoded
        if encoded.truncated:
            uncut = copy.copy(self)
            uncut.max_length = sys.maxsize
            (whole,) = uncut.encode([prompt], [completion])
        # If the template changes the completion, the ids differ from that place on as well.
        before, _ = self._renderer.before(self._renderer.messages(prompt))
        (ids,) = self._tokens.encode([before])
        start = common_prefix(list(whole.tokens), ids)
        cut = len(whole.tokens) - len(encoded.tokens)
        if cut:
            start = max(start - cut, len(self._opening(list(encoded.tokens))))
        return encoded, start

    def _encode_batch(
        self, prompts: Sequence[Prompt], completions: Sequence[str], numbers: Sequence[int]
    ) -> Iterator[EncodedText]:
        written = [
            self._renderer.text(as_messages(prompt), completion, number)
            for prompt, completion, number in zip(prompts, completions, numbers, strict=True)
        ]
        texts = self._tokens.encode([one.text for one in written])
        for ids, one, number in zip(texts, written, numbers, strict=True):
            yield self._finish(ids, one, number)

    def _finish(self, ids: list[int], written: WrittenText, position: int) -> EncodedText:
        suffix = self._suffix(ids, written.template)
        most = self._most_tokens()
        truncated = most is not None and len(ids) + len(suffix) > most
        if most is not None:
            ids = self._cut(ids, most - len(suffix))
        ids = self._read_part(ids + suffix)
        self._require_known(ids, position)
        tokens = Tokens.of(ids, reads=self._reads(ids, position))
        return EncodedText(tokens, truncated, written.spells, written.remarks)

    def _require_known(self, ids: Sequence[int], number: int) -> None:
        """Rejects a text without tokens, or with a token id that the model does not have."""
        if not ids:
            raise ScoringError(
                f"Text {number} is empty and the tokenizer has no BOS token, so there is no token "
                "to compute a reward at. Remove the empty completion."
            )
        if self._vocabulary_size is not None and max(ids) >= self._vocabulary_size:
            raise ScoringError(
                f"Text {number} has the token id {max(ids)}, but the model's vocabulary has "
                f"{self._vocabulary_size} entries: tokenizer and weights do not belong together."
            )

    def _reads(self, ids: Sequence[int], number: int) -> tuple[int, ...]:
        """The indices of the tokens at which the head is read; empty for only the last token.

        Args:
            ids: The text's ids, as the network receives them.
            number: The text's number in error messages.
        """
        return ()

    def _most_tokens(self) -> int | None:
        """The maximum number of tokens to keep; None for all."""
        return self.max_length

    def _cut(self, ids: list[int], most: int) -> list[int]:
        """The text's opening tokens and its last ones, `most` tokens in all."""
        if len(ids) <= most:
            return ids
        prefix = self._opening(ids)
        return prefix + ids[len(ids) - most + len(prefix) :]

    def _opening(self, ids: list[int]) -> list[int]:
        """The tokens of `opening` with which the text begins."""
        return [
            one
            for one, _ in takewhile(
                lambda pair: pair[0] == pair[1], zip(ids, self.opening, strict=False)
            )
        ]

    def _suffix(self, ids: list[int], template: Template) -> list[int]:
        if template.append_eos:
            return [self._eos, *self._final]
        closing = list(self.closing)
        closed = template.writes_special_tokens or ids[len(ids) - len(closing) :] == closing
        return self._final if closed else closing + self._final

    def _read_part(self, ids: list[int]) -> list[int]:
        stop = len(ids)
        while stop > 1 and ids[stop - 1] == self.unread_id:
            stop -= 1
        return ids[:stop]


def common_prefix(first: Sequence[int], second: Sequence[int]) -> int:
    """The length of the common prefix of two sequences."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(first), len(second)))
