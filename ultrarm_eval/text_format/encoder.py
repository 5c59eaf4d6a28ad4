"""From prompt and completion to token ids, the same ids on every transformers version.

With ``special_tokens="text"`` (the default) the ids are those of sentencepiece itself behind one
BOS; with ``"parse"`` they are those of the Hugging Face tokenizer, as in the published tutorial.
"""

from __future__ import annotations

import copy
import secrets
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer

from ultrarm_eval.errors import (
    ConfigurationError,
    ScoringError,
    UnwritableTextError,
    unknown_choice,
)
from ultrarm_eval.messages import Message, Prompt, as_messages, well_formed
from ultrarm_eval.settings import SPECIAL_TOKENS
from ultrarm_eval.text_format.special_tokens import ContentsAsText, SpecialLiterals
from ultrarm_eval.text_format.system_turns import DROP, FOLD, KEEP, checked_system, without_system
from ultrarm_eval.text_format.template import Template, template_for
from ultrarm_eval.text_format.template_check import TurnCheck, check_template, probe_turns
from ultrarm_eval.text_format.textual_tokenizer import (
    ParsingTokenizer,
    TextualTokenizer,
    closing_ids,
)
from ultrarm_eval.text_format.tokens import EncodedText, Tokens

#: What else can happen to a text, by the names of the counts: see `ultrarm_eval.engine.counts`.
CUT_BY_TEMPLATE, TRIMMED_BY_TEMPLATE = "cut_by_template", "trimmed_by_template"
SPELLED_ADDED = "spelled_added"
SYSTEM_COUNTS = {DROP: "system_dropped", FOLD: "system_folded"}
_BATCH = 2048


@dataclass(frozen=True)
class WrittenText:
    """A text as a template wrote it.

    Attributes:
        text: The text to tokenise.
        template: What wrote it.
        spells: Whether prompt or completion contain special-token text.
        remarks: Its remarks for the counts.
    """

    text: str
    template: Template
    spells: bool
    remarks: tuple[str, ...]


class TextEncoder:
    """Renders and tokenises prompts and completions for one model and one set of settings.

    Attributes:
        template: How prompt and completion become one text.
        max_length: The maximum number of tokens per text.
        special_tokens: "text" or "parse".
        system: How system turns are handled.
        opening: The tokens that every text begins with: BOS, or none; GLM's are two.
        closing: The tokens that end texts: EOS or `[SEP]`, or none; XLNet's are two.
        unread_id: The token that is skipped at the end of a text; None if there is none.
        final_id: The token that is appended to every text and read; None if there is none.
    """

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
            special_tokens: "text" or "parse", see the module's description.
            system: See `ultrarm_eval.text_format.system_turns`.
            vocabulary_size: Number of rows of the model's embedding, to refuse ids beyond it.
            is_sentencepiece: Whether the tokenizer was converted from a sentencepiece model.
            eos_id: The EOS token; the tokenizer's own if None.
            closes_texts: Whether the tokens that the tokenizer puts behind a text by itself, if it
                has any, follow what a template without special tokens writes.
            unread_id: Left out at the end of a text, where the model does not read it.
            final_id: Put behind every text, whatever was cut off before: the token that the model
                is read at.
            adds_bos: Whether a text begins with the BOS that the tokenizer has, also where the
                template writes none.

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
        self._literals = SpecialLiterals(token.content for token in added if token.special)
        # Runs of spaces, which some tokenizers add, are spelled by every indented line.
        self._added = SpecialLiterals(
            token.content for token in added if not token.special and token.content.strip()
        )
        writes_special_tokens = template.writes_special_tokens
        self._tokens = (
            # The tutorial tokenises as the tokenizer does by itself; a template that writes
            # special tokens has written its own BOS.
            ParsingTokenizer(backend, is_bare=not writes_special_tokens, adds_bos=adds_bos)
            if special_tokens == "parse"
            else TextualTokenizer(
                backend,
                self._literals,
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
        # Private use characters and a secret: no text has them.
        self._mark = f"\ue000c-{secrets.token_hex(8)}\ue001"
        self._contents = ContentsAsText(self._literals, self._structural(tokenizer))
        self._turns = TurnCheck(self._rendered, self._literals, name=template.name)
        # A template that cannot be rendered, or ignores what it is given, is found now.
        check_template(template, self._rendered)
        needed = max(len(self.opening), 1) + 1 + template.append_eos + len(self._final)
        if max_length < needed:
            raise ConfigurationError(
                f"max_length={max_length} leaves no room for any text. Set a larger max_length."
            )

    @property
    def bos_id(self) -> int | None:
        """The token that every text begins with; None if there is none."""
        return self.opening[0] if self.opening else None

    def check(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> None:
        """Rejects texts that cannot be rendered, before time is spent on the rest.

        Every sequence of roles is rendered once.

        Raises:
            ConfigurationError: A prompt is no text, message list or None.
            ScoringError: A completion is no string.
            UnwritableTextError: The template rejects the turns of a prompt.
        """
        for number, prompt in enumerate(prompts):
            messages = self._messages(prompt)
            if not self.template.ignores_prompt:
                self._turns.check(messages, number)
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
            numbers: What messages call them, where they were checked; from 0 on if None.

        Raises:
            ScoringError: A completion is no string, or a text has no token at all.
        """
        if numbers is None:
            self.check(prompts, completions)
            numbers = range(len(completions))
        for start in range(0, len(completions), _BATCH):
            some = slice(start, start + _BATCH)
            yield from self._encode_batch(prompts[some], completions[some], numbers[some])

    def place(self, prompt: Prompt, completion: str) -> tuple[EncodedText, int]:
        """Encodes a text and finds its completion.

        The completion begins where the ids part from those of what the template writes before it.

        Args:
            prompt: The prompt.
            completion: The completion.

        Returns:
            The text, and the index of the first token that the completion has a part in.

        Raises:
            ConfigurationError: The prompt is no text, message list or None.
            ScoringError: The completion is no string, or the text has no token at all.
        """
        (encoded,) = self.encode([prompt], [completion])
        whole = encoded
        if encoded.truncated:
            uncut = copy.copy(self)
            uncut.max_length = sys.maxsize
            (whole,) = uncut.encode([prompt], [completion])
        messages = self._messages(prompt)
        # A template that changes the completion writes another mark: ids part there as well.
        before, _ = self._before(template_for(self.template, messages), messages)
        (ids,) = self._tokens.encode([before])
        start = common_prefix(list(whole.tokens), ids)
        cut = len(whole.tokens) - len(encoded.tokens)
        if cut:
            start = max(start - cut, len(self._opening(list(encoded.tokens))))
        return encoded, start

    def _before(self, template: Template, messages: Sequence[Message]) -> tuple[str, bool]:
        """What a template writes before the completion, and whether it writes that as it is."""
        before, mark, _ = self._write(template, messages, self._mark)[0].partition(self._mark)
        return well_formed(before), bool(mark)

    def _encode_batch(
        self, prompts: Sequence[Prompt], completions: Sequence[str], numbers: Sequence[int]
    ) -> Iterator[EncodedText]:
        written = [
            self._written(as_messages(prompt), completion, number)
            for prompt, completion, number in zip(prompts, completions, numbers, strict=True)
        ]
        texts = self._tokens.encode([one.text for one in written])
        for ids, one, number in zip(texts, written, numbers, strict=True):
            yield self._finish(ids, one, number)

    def _written(
        self,
        given: tuple[Message, ...],
        completion: str,
        number: int,
        turns: tuple[Message, ...] | None = None,
    ) -> WrittenText:
        """Writes a text.

        Args:
            given: The conversation as it was given.
            completion: What the template writes behind the turns.
            number: What messages call the text.
            turns: The turns that the template is given; the conversation, with what `system`
                makes of its system turns, if None.

        Raises:
            UnwritableTextError: The template refuses it.
        """
        kept = without_system(given, self.system)
        messages = kept if turns is None else turns
        template = template_for(self.template, messages)
        written = () if template.ignores_prompt else messages
        contents = [completion, *(message["content"] for message in written)]
        spells = any(map(self._literals.occur_in, contents))
        try:
            text, of_text = self._write(template, messages, completion, spells)
        except ConfigurationError as error:
            raise UnwritableTextError(number, str(error)) from error
        remarks = [*of_text, *self._turns.remarks(written)]
        if any(map(self._added.occur_in, contents)):
            remarks.append(SPELLED_ADDED)
        if kept is not given:
            remarks.append(SYSTEM_COUNTS[self.system])
        return WrittenText(well_formed(text), template, spells, tuple(remarks))

    def _messages(self, prompt: Prompt) -> tuple[Message, ...]:
        """A conversation as the template gets it."""
        return without_system(as_messages(prompt), self.system)

    def _write(
        self,
        template: Template,
        messages: Sequence[Message],
        completion: str,
        spells: bool | None = None,
    ) -> tuple[str, tuple[str, ...]]:
        """The text to tokenise.

        Args:
            template: What writes it.
            messages: The turns before the completion.
            completion: The completion.
            spells: Whether one of them spells a special token; looked for if None.

        Returns:
            The text, and what is to be counted of it.
        """
        if self.special_tokens == "parse" or not template.writes_special_tokens:
            text = template.render(messages, completion)
            return text, _what_is_missing(completion, text)
        if spells is None:
            contents = [completion, *(message["content"] for message in messages)]
            spells = any(map(self._literals.occur_in, contents))
        if not spells:
            text = template.render(messages, completion)
            return self._literals.alias_structure(text), _what_is_missing(completion, text)
        written = self._contents.write(template, messages, completion)
        missing = _what_is_missing(completion, written.plain)
        return written.aliased, missing if written.remark is None else (*missing, written.remark)

    def _rendered(self, messages: Sequence[Message], completion: str) -> str:
        return self._write(template_for(self.template, messages), messages, completion)[0]

    def _structural(self, tokenizer: Any) -> frozenset[str]:
        """The special tokens that begin and end texts and turns."""
        named = getattr(tokenizer, "special_tokens_map", {}).values()
        found = {str(token) for token in named if not isinstance(token, list)}
        if self.template.writes_special_tokens:
            turns, completion = probe_turns(["user"])
            before, _, behind = self.template.render(turns, completion).partition(
                turns[0]["content"]
            )
            closing = self._literals.first_in(behind)
            found |= {*self._literals.spelled_in(before), *([closing] if closing else ())}
        return frozenset(found)

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
        """Refuses a text without tokens, or with one that the model does not have."""
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
        """Where a network is read in a text; nothing for the last token alone.

        Args:
            ids: The text's ids, as the network gets them.
            number: What messages call the text.
        """
        return ()

    def _most_tokens(self) -> int | None:
        """The number of tokens to keep; all if None."""
        return self.max_length

    def _cut(self, ids: list[int], most: int) -> list[int]:
        """This many of a text's last tokens, after its BOS."""
        if len(ids) <= most:
            return ids
        prefix = self._opening(ids)
        return prefix + ids[len(ids) - most + len(prefix) :]

    def _opening(self, ids: list[int]) -> list[int]:
        """The tokens of `opening` that a text begins with, if it does."""
        size = len(self.opening)
        return ids[:size] if ids[:size] == list(self.opening) else []

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


def _what_is_missing(completion: str, text: str) -> tuple[str, ...]:
    """What a template did to a completion, if it is not in the text as it is."""
    if completion in text:
        return ()
    return (TRIMMED_BY_TEMPLATE if completion.strip() in text else CUT_BY_TEMPLATE,)
