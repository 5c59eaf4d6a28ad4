"""A prompt template: how a prompt and a completion become the text that a reward model reads.

The reward depends on the template, so it is a named setting and is recorded with every result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ultrarm_eval.messages import Message

__all__ = ["Template"]

Renderer = Callable[[Sequence[Message], str], str]


@dataclass(frozen=True)
class Template:
    """A prompt template: writes a conversation and its completion as one text.

    Attributes:
        name: Its name in results.
        render: Maps the messages before the completion, and the completion, to the text.
        append_eos: Whether the tokenizer's EOS follows the text.
        writes_special_tokens: Whether the template itself writes special tokens (such as
            ``<s>`` in a chat template) that must be parsed as such, unlike those in the contents.
        source: Identifies what the template writes; stored rewards are keyed by it. If empty, the
            name identifies it.
        ignores_prompt: Whether the prompt is not written at all.
        about: Whose format it is, in one line of Markdown for the documentation.
        origin: The source of the format, in Markdown for the documentation.
    """

    name: str
    render: Renderer
    append_eos: bool = False
    writes_special_tokens: bool = False
    source: str = ""
    ignores_prompt: bool = False
    about: str = ""
    origin: str = ""
