"""Jinja templates: the tokenizer's chat template, and template files."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import TemplateError

from ultrarm_eval.errors import ConfigurationError, MissingTemplateError, first_line
from ultrarm_eval.messages import Message
from ultrarm_eval.text_format.jinja_sandbox import (
    BoundedEnvironment,
    chat_environment,
    file_environment,
)
from ultrarm_eval.text_format.plain_templates import PLAIN_TEMPLATES
from ultrarm_eval.text_format.template import Template
from ultrarm_eval.text_format.template_budget import TemplateLimitError

logger = logging.getLogger(__name__)

CHAT_TEMPLATE = "chat"

#: Renders a conversation as one text.
Converse = Callable[[Sequence[Message]], str]


def chat_template(tokenizer: Any) -> Template:
    """The tokenizer's chat template; the completion is the assistant's turn.

    Raises:
        ConfigurationError: The tokenizer has no chat template, or it cannot be used.
    """
    source, converse = chat_conversations(tokenizer, asks=False)

    def render(messages: Sequence[Message], completion: str) -> str:
        return converse([*messages, Message(role="assistant", content=completion)])

    return Template(CHAT_TEMPLATE, render, writes_special_tokens=True, source=source)


def file_template(path: Path, tokenizer: Any) -> Template:
    """The template of a Jinja file; `template_lookup.get_template` lists its variables.

    Raises:
        ConfigurationError: The file cannot be read.
    """
    what = f"The template file {path}"
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{what} cannot be read: {error}") from error
    compiled = _compiled(file_environment(), source, what)

    def render_file(messages: Sequence[Message], completion: str) -> str:
        return compiled(
            {
                "messages": [*messages, Message(role="assistant", content=completion)],
                "prompt": list(messages),
                "completion": completion,
                "bos_token": getattr(tokenizer, "bos_token", None) or "",
                "eos_token": getattr(tokenizer, "eos_token", None) or "",
            }
        )

    return Template(str(path), render_file, writes_special_tokens=True, source=source)


def chat_conversations(tokenizer: Any, *, asks: bool) -> tuple[str, Converse]:
    """The source of the tokenizer's chat template, and a function that renders conversations.

    Args:
        tokenizer: The tokenizer.
        asks: Whether the text ends with the beginning of an assistant turn
            (`add_generation_prompt`).
    """
    if not getattr(tokenizer, "chat_template", None):
        raise MissingTemplateError(
            "template=chat needs a tokenizer with a chat template; this one has none. "
            f"Set template to one of {', '.join(PLAIN_TEMPLATES)}, or to a Jinja file."
        )
    what = "The tokenizer's chat template"
    try:
        # A tokenizer may have several, by name; this is its default one.
        source = str(tokenizer.get_chat_template())
    except ValueError as error:
        raise ConfigurationError(f"{what} cannot be used: {first_line(error)}") from error
    compiled = _compiled(chat_environment(), source, what)
    tokens = dict(tokenizer.special_tokens_map)

    def converse(messages: Sequence[Message]) -> str:
        return compiled(
            {
                "messages": [*map(dict, messages)],
                "tools": None,
                "documents": None,
                "add_generation_prompt": asks,
                **tokens,
            }
        )

    if "strftime_now" in source:
        logger.warning("%s can write today's date, so rewards may differ from day to day.", what)
    return source, _as_transformers(converse, tokenizer, asks=asks)


def _as_transformers(converse: Converse, tokenizer: Any, *, asks: bool) -> Converse:
    """The renderer, if its output equals that of transformers; otherwise transformers' own."""

    def converse_theirs(messages: Sequence[Message]) -> str:
        try:
            return str(
                tokenizer.apply_chat_template(
                    list(messages), tokenize=False, add_generation_prompt=asks
                )
            )
        except Exception as error:
            raise ConfigurationError(
                f"The tokenizer's chat template failed: {first_line(error)}"
            ) from error

    probe = [
        Message(role="user", content="question"),
        Message(role="assistant", content="answer"),
    ]
    try:
        ours = converse(probe)
    except ConfigurationError:
        # The check of the template reports it, with a fix.
        return converse
    # Rendering ended within the budget here, so it also ends in transformers.
    if ours == converse_theirs(probe):
        return converse
    logger.warning(
        "This version of transformers renders the tokenizer's chat template differently, so "
        "transformers renders it, without a limit on the template's work."
    )
    return converse_theirs


def _compiled(
    environment: BoundedEnvironment, source: str, what: str
) -> Callable[[Mapping[str, Any]], str]:
    """A function that renders a Jinja template and raises only errors of this package."""
    try:
        render = environment.template(source)
    except TemplateLimitError as error:
        raise ConfigurationError(f"{what} cannot be used: {error}") from error
    except Exception as error:
        # jinja2 also raises errors of Python's parser on the code that it generates.
        said = str(error) if isinstance(error, TemplateError) else first_line(error)
        raise ConfigurationError(f"{what} cannot be read: {said}") from error

    def render_or_say(names: Mapping[str, Any]) -> str:
        try:
            return render(names)
        except TemplateLimitError as error:
            raise ConfigurationError(f"{what} cannot be used: {error}") from error
        except Exception as error:
            # A template can raise Python's errors as well as jinja2's.
            said = str(error) if isinstance(error, TemplateError) else first_line(error)
            raise ConfigurationError(f"{what} failed: {said}") from error

    return render_or_say
