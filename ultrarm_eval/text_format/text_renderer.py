"""Renders prompt and completion with a template, and counts what the template changes.

With ``special_tokens="text"``, special-token text in a prompt or completion stays plain text.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ultrarm_eval.errors import ConfigurationError, UnwritableTextError
from ultrarm_eval.messages import Message, Prompt, as_messages, well_formed
from ultrarm_eval.text_format.plain_templates import template_for
from ultrarm_eval.text_format.special_tokens import ContentsAsText, SpecialLiterals
from ultrarm_eval.text_format.system_turns import DROP, FOLD, without_system
from ultrarm_eval.text_format.template import Template
from ultrarm_eval.text_format.template_check import TurnCheck, check_template, probe_turns

#: Names of counts; see `ultrarm_eval.engine.counts`.
CUT_BY_TEMPLATE, TRIMMED_BY_TEMPLATE = "cut_by_template", "trimmed_by_template"
SPELLED_ADDED = "spelled_added"
SYSTEM_COUNTS = {DROP: "system_dropped", FOLD: "system_folded"}


@dataclass(frozen=True)
class WrittenText:
    """A rendered text.

    Attributes:
        text: The text to tokenize.
        template: The template that wrote it.
        spells: Whether prompt or completion contain special-token text.
        remarks: The names of the counts that apply to it.
    """

    text: str
    template: Template
    spells: bool
    remarks: tuple[str, ...]


class TextRenderer:
    """Renders texts with one template and one set of settings.

    Attributes:
        template: How prompt and completion become one text.
        special_tokens: "text" or "parse".
        system: How system turns are handled.
    """

    def __init__(
        self,
        tokenizer: Any,
        template: Template,
        *,
        literals: SpecialLiterals,
        added: SpecialLiterals,
        special_tokens: str,
        system: str,
    ) -> None:
        """Checks that the template writes prompt and completion.

        Args:
            tokenizer: A Hugging Face tokenizer.
            template: How prompt and completion become one text.
            literals: The tokenizer's special tokens.
            added: Its added tokens that are not special, to count the texts that contain one.
            special_tokens: "text" or "parse".
            system: See `ultrarm_eval.text_format.system_turns`.

        Raises:
            ConfigurationError: The template cannot be rendered, or ignores the completion.
        """
        self.template, self.special_tokens, self.system = template, special_tokens, system
        self._literals, self._added = literals, added
        # Private use characters and random digits, which no text contains.
        self._mark = f"\ue000c-{secrets.token_hex(8)}\ue001"
        self._contents = ContentsAsText(literals, self._structural(tokenizer))
        self._turns = TurnCheck(self._rendered, literals, name=template.name)
        check_template(template, self._rendered)

    def check_turns(self, messages: Sequence[Message], number: int) -> None:
        """Rejects turns that the template cannot render; every sequence of roles is rendered once.

        Args:
            messages: The turns before a completion, as the template receives them.
            number: The number of their text in error messages.

        Raises:
            UnwritableTextError: The template rejects them.
        """
        if not self.template.ignores_prompt:
            self._turns.check(messages, number)

    def before(self, messages: Sequence[Message]) -> tuple[str, bool]:
        """The text before the completion, and whether the completion is written unchanged."""
        template = template_for(self.template, messages)
        before, mark, _ = self.write(template, messages, self._mark)[0].partition(self._mark)
        return well_formed(before), bool(mark)

    def text(
        self,
        given: tuple[Message, ...],
        completion: str,
        number: int,
        turns: tuple[Message, ...] | None = None,
    ) -> WrittenText:
        """Writes a text.

        Args:
            given: The original conversation.
            completion: The completion after the turns.
            number: The text's number in error messages.
            turns: The turns for the template; if None, the conversation with its system turns
                handled by the setting `system`.

        Raises:
            UnwritableTextError: The template rejects it.
        """
        kept = without_system(given, self.system)
        messages = kept if turns is None else turns
        template = template_for(self.template, messages)
        written = () if template.ignores_prompt else messages
        contents = [completion, *(message["content"] for message in written)]
        spells = any(map(self._literals.occur_in, contents))
        try:
            text, of_text = self.write(template, messages, completion, spells)
        except ConfigurationError as error:
            raise UnwritableTextError(number, str(error)) from error
        remarks = [*of_text, *self._turns.remarks(written)]
        if any(map(self._added.occur_in, contents)):
            remarks.append(SPELLED_ADDED)
        if kept is not given:
            remarks.append(SYSTEM_COUNTS[self.system])
        return WrittenText(well_formed(text), template, spells, tuple(remarks))

    def messages(self, prompt: Prompt) -> tuple[Message, ...]:
        """A prompt as the turns that the template receives."""
        return without_system(as_messages(prompt), self.system)

    def write(
        self,
        template: Template,
        messages: Sequence[Message],
        completion: str,
        spells: bool | None = None,
    ) -> tuple[str, tuple[str, ...]]:
        """Renders the text to tokenize.

        Args:
            template: The template.
            messages: The turns before the completion.
            completion: The completion.
            spells: Whether they contain special-token text; searched for if None.

        Returns:
            The text, and the names of the counts that apply to it.
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
        return self.write(template_for(self.template, messages), messages, completion)[0]

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


def _what_is_missing(completion: str, text: str) -> tuple[str, ...]:
    """The count for a completion that is not in the text unchanged; empty if it is."""
    if completion in text:
        return ()
    return (TRIMMED_BY_TEMPLATE if completion.strip() in text else CUT_BY_TEMPLATE,)
