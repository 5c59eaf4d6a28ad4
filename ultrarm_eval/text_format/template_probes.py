"""Texts that show what a template does with a prompt and a completion, before any is scored."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.messages import Message, as_messages
from ultrarm_eval.text_format.template import RAW_TEMPLATE, Template

logger = logging.getLogger(__name__)

_FILLING = " and then the river goes on past the old mill to the sea" * 16
_PARTS = ("beginning", "middle", "end")


def _probe(first: str, middle: str, last: str) -> str:
    # Longer than what a template could be meant to quote of an answer, and of one length; what
    # differs is the first letter, one in the middle, or the last.
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
    """Refuses a template for which the completion, or a part of it, makes no difference.

    Args:
        template: The template.
        write: Renders it as it is in use.

    Raises:
        ConfigurationError: It writes two different completions alike, or cannot be rendered.
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
            "differ there would all have the same reward. A template file writes it as "
            "{{ completion }}, or as the last of messages."
        )
    if not template.ignores_prompt and write(as_messages(_OTHER_PROMPT), _COMPLETION) == text:
        logger.warning(
            "template=%s does not write the prompt: completions are scored as if they were answers "
            "to nothing, as template=%s does by name.",
            template.name,
            RAW_TEMPLATE,
        )


def probe_turns(roles: Sequence[str]) -> tuple[list[Message], str]:
    """A conversation of these roles, each turn with words of its own, and a completion."""
    turns = [
        Message(role=role, content=f"This is what is said in turn {number:04d} of them.")
        for number, role in enumerate(roles)
    ]
    return turns, _PROMPT
