"""Checks what a template does with a prompt and a completion, and which turns it supports.

Runs before any text is scored, on test texts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from ultrarm_eval.errors import ConfigurationError, UnwritableTextError
from ultrarm_eval.messages import Message, as_messages
from ultrarm_eval.text_format.plain_templates import RAW_TEMPLATE
from ultrarm_eval.text_format.special_tokens import SpecialLiterals
from ultrarm_eval.text_format.system_turns import DROP, FOLD, without_system
from ultrarm_eval.text_format.template import Template

logger = logging.getLogger(__name__)

#: Count of texts in which the template leaves out a turn of the prompt.
TURNS_LEFT_OUT = "turns_left_out"

_FILLING = " and then the river goes on past the old mill to the sea" * 16
_PARTS = ("beginning", "middle", "end")


def _probe(first: str, middle: str, last: str) -> str:
    # Longer than a part of an answer that a template might quote. The completions have the same
    # length and differ only in a letter at the beginning, in the middle or at the end.
    return f"{first} water{_FILLING} with ten {middle}{_FILLING} until it is {last}"


_COMPLETION = _probe("Cold", "boats", "calm")
_OTHERS = (
    _probe("Bold", "boats", "calm"),
    _probe("Cold", "boots", "calm"),
    _probe("Cold", "boats", "call"),
)
_PROMPT, _OTHER_PROMPT = "Where does it flow", "Tell me how it ends"

Write = Callable[[Sequence[Message], str], str]


def check_template(template: Template, write: Write) -> None:
    """Rejects a template whose output does not depend on the complete completion.

    Args:
        template: The template.
        write: Renders it with the run's settings.

    Raises:
        ConfigurationError: It renders two different completions identically, or cannot be rendered.
    """
    asked = as_messages(_PROMPT)
    text = write(asked, _COMPLETION)
    same = [
        part for part, other in zip(_PARTS, _OTHERS, strict=True) if write(asked, other) == text
    ]
    if same:
        what = "" if len(same) == len(_PARTS) else f"the {' and the '.join(same)} of "
        raise ConfigurationError(
            f"template={template.name} does not write {what}the completion: completions that "
            "differ only there would all get the same reward. Write it as {{ completion }}, or as "
            "the last of messages."
        )
    if not template.ignores_prompt and write(as_messages(_OTHER_PROMPT), _COMPLETION) == text:
        logger.warning(
            "template=%s does not write the prompt: completions are scored without their prompts, "
            "as with template=%s.",
            template.name,
            RAW_TEMPLATE,
        )


def probe_turns(roles: Sequence[str]) -> tuple[list[Message], str]:
    """A conversation of these roles, with a different text in each turn, and a completion."""
    turns = [
        Message(role=role, content=f"This is what is said in turn {number:04d} of them.")
        for number, role in enumerate(roles)
    ]
    return turns, _PROMPT


class TurnCheck:
    """Renders every sequence of roles once."""

    def __init__(self, write: Write, literals: SpecialLiterals, *, name: str) -> None:
        """Takes the template.

        Args:
            write: Renders the template with the run's settings.
            literals: The special tokens, whose text no role may contain.
            name: The template, for messages.
        """
        self._write, self._literals, self._name = write, literals, name
        self._known: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._warned = False

    def check(self, messages: Sequence[Message], number: int) -> None:
        """Renders turns of these roles, unless this was done before.

        Args:
            messages: The turns before a completion.
            number: The number of their text in error messages.

        Raises:
            UnwritableTextError: The template rejects them, or a role contains special-token text.
        """
        roles = _roles(messages)
        if roles not in self._known:
            self._known[roles] = self._checked(roles, number)

    def remarks(self, messages: Sequence[Message]) -> tuple[str, ...]:
        """The counts for a text of these turns, which were checked before."""
        return self._known.get(_roles(messages), ())

    def _checked(self, roles: Sequence[str], number: int) -> tuple[str, ...]:
        for role in roles:
            # With either value of special_tokens: no role should become a control token.
            if self._literals.occur_in(role):
                raise UnwritableTextError(
                    number,
                    f"its prompt has the role {role!r}, which contains a special token's text. "
                    "Use a word such as 'user' as role.",
                )
        turns, completion = probe_turns(roles)
        try:
            text = self._write(turns, completion)
        except ConfigurationError as error:
            raise UnwritableTextError(
                number,
                f"its turns are {', '.join(roles)}, then the completion. "
                f"{str(error).rstrip('.')}.{self._way_out(turns, completion)}",
            ) from error
        left_out = [turn["role"] for turn in turns if turn["content"] not in text]
        if left_out and not self._warned:
            self._warned = True
            logger.warning(
                "template=%s drops turns of prompts, so rewards do not depend on them: of %s it "
                "does not write %s. Results contain the count.",
                self._name,
                ", ".join(roles),
                ", ".join(left_out),
            )
        return (TURNS_LEFT_OUT,) if left_out else ()

    def _way_out(self, turns: Sequence[Message], completion: str) -> str:
        """What to do about turns that a template rejects."""
        for system in (FOLD, DROP):
            other = without_system(tuple(turns), system)
            try:
                self._write(other, completion)
            except ConfigurationError:
                continue
            return (
                " Set system=fold, which puts the system turn in front of the user's, or "
                "system=drop, which removes and counts it."
            )
        return (
            f" template={self._name} needs other turns, usually alternating user and assistant, "
            "beginning with user. Use another template, or join such turns in the data."
        )


def _roles(messages: Sequence[Message]) -> tuple[str, ...]:
    return tuple(message["role"] for message in messages)
