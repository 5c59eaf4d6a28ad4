"""Finds a template by name: a registered one, the tokenizer's chat template, or a Jinja file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ultrarm_eval.errors import (
    ConfigurationError,
    PluginError,
    UltrarmEvalError,
    first_line,
    unknown_choice,
)
from ultrarm_eval.messages import Message
from ultrarm_eval.plugins import registry
from ultrarm_eval.text_format.jinja_template import (
    CHAT_TEMPLATE,
    chat_conversations,
    chat_template,
    file_template,
)
from ultrarm_eval.text_format.plain_templates import PLAIN_TEMPLATES
from ultrarm_eval.text_format.template import Template

TEMPLATE_NAMES = (*PLAIN_TEMPLATES, CHAT_TEMPLATE)


def get_template(name: str, tokenizer: Any = None) -> Template:
    """Finds a template by name, or reads it from a Jinja file.

    Args:
        name: One of `TEMPLATE_NAMES`, or the path of a Jinja file. The variables of a file are
            ``messages`` (all turns, the completion last), ``prompt`` (the turns before it),
            ``completion``, ``bos_token`` and ``eos_token``.
        tokenizer: Needed for `chat` and for files: it has the chat template and the tokens.

    Raises:
        ConfigurationError: No such template, or the tokenizer has no chat template.
    """
    plain = registry().templates
    if name in plain:
        return plain[name].item
    if name == CHAT_TEMPLATE:
        return chat_template(tokenizer)
    path = Path(name)
    if path.is_file():
        return file_template(path, tokenizer)
    if path.suffix in {".jinja", ".jinja2", ".j2"} or len(path.parts) > 1:
        raise ConfigurationError(
            f"The template file {name!r} does not exist. Name a Jinja file, or one of: "
            f"{', '.join((*plain, CHAT_TEMPLATE))}."
        )
    raise unknown_choice(
        "template", name, (*plain, CHAT_TEMPLATE), otherwise="or give a Jinja file"
    )


def asking_template(name: str, tokenizer: Any) -> Template:
    """A template whose text ends where the model would begin to answer.

    Args:
        name: `chat` writes the conversation with its completion, and the beginning of another
            assistant turn. The path of a Jinja file writes a question about the completion as a
            user turn, and the beginning of an assistant turn; `get_template` lists its variables.
        tokenizer: Has the chat template and the special tokens.

    Raises:
        ConfigurationError: The name is of another template, or the tokenizer has no chat template.
    """
    source, converse = chat_conversations(tokenizer, asks=True)
    if name == CHAT_TEMPLATE:

        def render_chat(messages: Sequence[Message], completion: str) -> str:
            return converse([*messages, Message(role="assistant", content=completion)])

        return Template(name, render_chat, writes_special_tokens=True, source=f"{source}\nasks")
    if name in registry().templates:
        raise ConfigurationError(
            f"template={name} writes no question about an answer. With position=answer, use "
            f"template={CHAT_TEMPLATE}, or a Jinja file that writes the question."
        )
    question = get_template(name, tokenizer)

    def render(messages: Sequence[Message], completion: str) -> str:
        return converse([Message(role="user", content=question.render(messages, completion))])

    return Template(
        question.name, render, writes_special_tokens=True, source=f"{question.source}\n{source}"
    )


def of_plugin(template: object, plugin: str) -> Template:
    """A template of another package, whose errors name it and its plugin.

    Args:
        template: What the package registered.
        plugin: The plugin, for messages.

    Raises:
        PluginError: It is not a template, or its name is reserved for the chat template.
    """
    if not isinstance(template, Template):
        raise PluginError(
            f"{plugin}: a template must be an ultrarm_eval.text_format.template.Template, not a "
            f"value of type {type(template).__name__}."
        )
    if template.name == CHAT_TEMPLATE:
        raise PluginError(
            f"{plugin}: the name template={CHAT_TEMPLATE} is reserved for the tokenizer's chat "
            "template. Use another name."
        )
    what, write = f"The template {template.name!r} ({plugin})", template.render

    def render_or_say(messages: Sequence[Message], completion: str) -> str:
        try:
            text: object = write(messages, completion)
        except UltrarmEvalError:
            raise
        except Exception as error:
            # Another package's function may raise anything.
            raise ConfigurationError(f"{what} failed: {first_line(error)}") from error
        if not isinstance(text, str):
            raise ConfigurationError(
                f"{what} returned a value of type {type(text).__name__}, but must return a text."
            )
        return text

    return replace(template, render=render_or_say)
