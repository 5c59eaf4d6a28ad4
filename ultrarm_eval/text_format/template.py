"""Prompt templates: how a prompt and a completion become the text that a reward model reads.

The reward depends on the template, so it is a named setting and is recorded with every result.
Sources: the model card of openbmb/UltraRM-13b (`ultrarm`, `ultrarm-one-newline`), RewardBench's
run of UltraRM (`rewardbench`), the published tutorial, which scores bare texts (`raw`), that
of openbmb/Eurus-RM-7b (`mistral` by its words, `eurus-card` by its printed example), Safe RLHF's
safe_rlhf/configs/constants.py (`beaver`), and the cards of berkeley-nest/Starling-RM-7B-alpha
(`starling`) and Nexusflow/Starling-RM-34B (`starling-34b`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jinja2 import TemplateError

from ultrarm_eval.errors import (
    ConfigurationError,
    MissingTemplateError,
    PluginError,
    UltrarmEvalError,
    first_line,
    unknown_choice,
)
from ultrarm_eval.messages import Message
from ultrarm_eval.plugins import registry
from ultrarm_eval.text_format.jinja_sandbox import (
    BoundedEnvironment,
    chat_environment,
    file_environment,
)
from ultrarm_eval.text_format.template_budget import TemplateLimitError

__all__ = ["Template"]

logger = logging.getLogger(__name__)

DEFAULT_TEMPLATE = "ultrarm"
RAW_TEMPLATE = "raw"
CHAT_TEMPLATE = "chat"
BEAVER_TEMPLATE = "beaver"
STARLING_TEMPLATE, STARLING_34B_TEMPLATE = "starling", "starling-34b"

Renderer = Callable[[Sequence[Message], str], str]
#: Writes a conversation as one text.
Converse = Callable[[Sequence[Message]], str]


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


@dataclass(frozen=True)
class _Labels:
    """Role labels and separators of a plain-text template."""

    user: str
    assistant: str
    separator: str
    closing: str = ""

    def __call__(self, messages: Sequence[Message], completion: str) -> str:
        turns: list[str] = []
        for message in messages:
            match message["role"]:
                case "system":
                    turns.append(message["content"])
                case "user":
                    turns.append(f"{self.user}: {message['content']}")
                case "assistant":
                    turns.append(f"{self.assistant}: {message['content']}")
                case role:
                    raise ConfigurationError(
                        f"A message has the role {role!r}; this template supports system, user "
                        "and assistant. Use template=chat or a Jinja file for other roles."
                    )
        turns.append(f"{self.assistant}: {completion}")
        # RewardBench's templates close no empty turn.
        return self.separator.join(turns) + (self.closing if completion else "")


@dataclass(frozen=True)
class _Instruction:
    """Mistral-Instruct's form of a single turn, without special tokens."""

    closing: str

    def __call__(self, messages: Sequence[Message], completion: str) -> str:
        match [message["role"] for message in messages]:
            case ["user"] | ["system", "user"]:
                instruction = "\n\n".join(message["content"] for message in messages)
                return f"[INST] {instruction} {self.closing} {completion}"
            case roles:
                raise ConfigurationError(
                    f"A conversation has the turns {', '.join(roles)}; this template supports one "
                    "user turn, with or without a system message before it. Use template=chat or "
                    "a Jinja file for others."
                )


@dataclass(frozen=True)
class _Turns:
    """A text of turns with special tokens in them, each written by its role.

    Attributes:
        forms: What is written of a turn, by its role; `{}` stands for its content.
        begin: What stands before the first.
        separator: What stands between turns.
        last: What is written of the completion, where it is another form than the assistant's.
    """

    forms: Mapping[str, str]
    begin: str = ""
    separator: str = ""
    last: str | None = None

    def __call__(self, messages: Sequence[Message], completion: str) -> str:
        turns = []
        for message in messages:
            if message["role"] not in self.forms:
                raise ConfigurationError(
                    f"A message has the role {message['role']!r}; this template supports "
                    f"{', '.join(self.forms)}. Use template=chat or a Jinja file for other roles; "
                    "system=fold puts a system turn in front of the user's."
                )
            turns.append(self.forms[message["role"]].replace("{}", message["content"]))
        last = self.forms["assistant"] if self.last is None else self.last
        turns.append(last.replace("{}", completion))
        return self.begin + self.separator.join(turns)


_CHATML = "<|im_start|>{role}\n{{}}<|im_end|>"


def _raw(messages: Sequence[Message], completion: str) -> str:
    return completion


def _card(repository: str) -> str:
    """A link to a model card of the hub."""
    return f"model card of [{repository}](https://huggingface.co/{repository})"


RAW = Template(
    RAW_TEMPLATE,
    _raw,
    ignores_prompt=True,
    about="The completion only, without the prompt, as in UltraRM's published tutorial.",
    origin="UltraRM's published tutorial",
)

PLAIN_TEMPLATES = {
    template.name: template
    for template in (
        Template(
            DEFAULT_TEMPLATE,
            _Labels("Human", "Assistant", "\n\n"),
            about="UltraRM's format, as its model card describes it.",
            origin=_card("openbmb/UltraRM-13b"),
        ),
        Template(
            "ultrarm-one-newline",
            _Labels("Human", "Assistant", "\n"),
            about="UltraRM's format, as the two examples of its model card are written.",
            origin=_card("openbmb/UltraRM-13b"),
        ),
        Template(
            "rewardbench",
            _Labels("User", "Assistant", "\n\n", closing="\n\n"),
            append_eos=True,
            about="The format in which RewardBench's official runs score UltraRM.",
            origin="package `rewardbench` 0.1.4",
        ),
        Template(
            "mistral",
            _Instruction("[/INST]"),
            about="Eurus-RM's format, as the text of its model card describes it.",
            origin=_card("openbmb/Eurus-RM-7b"),
        ),
        Template(
            "eurus-card",
            _Instruction("[\\INST]"),
            about="Eurus-RM's format, as the example of its model card prints it.",
            origin=_card("openbmb/Eurus-RM-7b"),
        ),
        Template(
            BEAVER_TEMPLATE,
            _Turns(
                {"user": "USER: {} ASSISTANT:", "assistant": "{}</s>"},
                begin="BEGINNING OF CONVERSATION: ",
                last="{}",
            ),
            writes_special_tokens=True,
            about="The format of Safe-RLHF's Beaver reward and cost models.",
            origin="`safe_rlhf/configs/constants.py` of "
            "[Safe-RLHF](https://github.com/PKU-Alignment/safe-rlhf)",
        ),
        Template(
            STARLING_TEMPLATE,
            _Turns({"user": "<s>[INST] {} </s> [/INST]", "assistant": " {}</s>"}),
            writes_special_tokens=True,
            about="The format of Starling-RM-7B.",
            origin=_card("berkeley-nest/Starling-RM-7B-alpha"),
        ),
        Template(
            STARLING_34B_TEMPLATE,
            _Turns(
                {role: _CHATML.format(role=role) for role in ("system", "user", "assistant")},
                separator="\n",
            ),
            writes_special_tokens=True,
            about="The format of Starling-RM-34B (ChatML).",
            origin=_card("Nexusflow/Starling-RM-34B"),
        ),
        RAW,
    )
}
TEMPLATE_NAMES = (*PLAIN_TEMPLATES, CHAT_TEMPLATE)


def asking_template(name: str, tokenizer: Any) -> Template:
    """A template that ends where the model would begin to answer.

    Args:
        name: `chat`, for the conversation with its completion, behind which a further turn of the
            assistant begins; or the path of a Jinja file, whose text is the question, a user's
            turn. It sees what files of `get_template` see.
        tokenizer: Has the chat template and the tokens.

    Raises:
        ConfigurationError: It is another template, or the tokenizer has no chat template.
    """
    source, converse = _conversations(tokenizer, asks=True)
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


def get_template(name: str, tokenizer: Any = None) -> Template:
    """Finds a template by name, or reads it from a Jinja file.

    Args:
        name: One of `TEMPLATE_NAMES`, or the path of a Jinja file. A file sees ``messages`` (all
            turns, the completion last), ``prompt`` (the turns before it), ``completion``,
            ``bos_token`` and ``eos_token``.
        tokenizer: Needed for `chat` and for files: it has the chat template and the tokens.

    Raises:
        ConfigurationError: No such template, or the tokenizer has no chat template.
    """
    plain = registry().templates
    if name in plain:
        return plain[name].item
    if name == CHAT_TEMPLATE:
        return _chat_template(tokenizer)
    path = Path(name)
    if path.is_file():
        return _jinja_template(path, tokenizer)
    if path.suffix in {".jinja", ".jinja2", ".j2"} or len(path.parts) > 1:
        raise ConfigurationError(
            f"The template file {name!r} does not exist. Name a Jinja file, or one of: "
            f"{', '.join((*plain, CHAT_TEMPLATE))}."
        )
    raise unknown_choice(
        "template", name, (*plain, CHAT_TEMPLATE), otherwise="or give a Jinja file"
    )


def of_plugin(template: object, plugin: str) -> Template:
    """A template of another package, with errors that name it.

    Args:
        template: What the package registered.
        plugin: The plugin, for messages.

    Raises:
        PluginError: It is no template, or has the name of the tokenizer's own.
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
            # Whatever another package's function does.
            raise ConfigurationError(f"{what} failed: {first_line(error)}") from error
        if not isinstance(text, str):
            raise ConfigurationError(
                f"{what} returned a value of type {type(text).__name__}, but must return a text."
            )
        return text

    return replace(template, render=render_or_say)


def template_for(template: Template, messages: Sequence[Message]) -> Template:
    """The template that writes a conversation: without a prompt, the completion stands alone."""
    return template if messages else RAW


def _chat_template(tokenizer: Any) -> Template:
    source, converse = _conversations(tokenizer, asks=False)

    def render(messages: Sequence[Message], completion: str) -> str:
        return converse([*messages, Message(role="assistant", content=completion)])

    return Template(CHAT_TEMPLATE, render, writes_special_tokens=True, source=source)


def _conversations(tokenizer: Any, *, asks: bool) -> tuple[str, Converse]:
    """The tokenizer's chat template, and what writes conversations with it.

    Args:
        tokenizer: The tokenizer.
        asks: Whether a turn of the assistant begins behind them.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise MissingTemplateError(
            "template=chat needs a tokenizer with a chat template; this one has none. "
            f"Set template to one of {', '.join(PLAIN_TEMPLATES)}, or to a Jinja file."
        )
    what = "The tokenizer's chat template"
    try:
        # A tokenizer may have several by name; this is the one that it takes itself.
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
    """What writes conversations, if it writes what transformers writes; else transformers'."""

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
        # It is said where the template is checked, with what can be done.
        return converse
    # What ended here ends there, too.
    if ours == converse_theirs(probe):
        return converse
    logger.warning(
        "This version of transformers renders the tokenizer's chat template differently, so "
        "transformers renders it, without a limit on the template's work."
    )
    return converse_theirs


def _jinja_template(path: Path, tokenizer: Any) -> Template:
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


def _compiled(
    environment: BoundedEnvironment, source: str, what: str
) -> Callable[[Mapping[str, Any]], str]:
    """What renders a Jinja template, with errors of ours alone."""
    try:
        render = environment.template(source)
    except TemplateLimitError as error:
        raise ConfigurationError(f"{what} cannot be used: {error}") from error
    except Exception as error:
        # Besides its own, jinja2 raises what Python's parser does with what it wrote.
        said = str(error) if isinstance(error, TemplateError) else first_line(error)
        raise ConfigurationError(f"{what} cannot be read: {said}") from error

    def render_or_say(names: Mapping[str, Any]) -> str:
        try:
            return render(names)
        except TemplateLimitError as error:
            raise ConfigurationError(f"{what} cannot be used: {error}") from error
        except Exception as error:
            # A template is a program; besides jinja2's errors it raises Python's.
            said = str(error) if isinstance(error, TemplateError) else first_line(error)
            raise ConfigurationError(f"{what} failed: {said}") from error

    return render_or_say
