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
        source: What the template writes, where its name alone does not say it: rewards are kept
            apart by it, or else by the name.
        ignores_prompt: Whether the prompt is not written at all.
        about: Whose format it is, in a line of Markdown.
        origin: Where the format was read, in Markdown.
    """

    name: str
    render: Renderer
    append_eos: bool = False
    writes_special_tokens: bool = False
    source: str = ""
    ignores_prompt: bool = False
    about: str = ""
    origin: str = ""
