"""The table of templates: whose format each is, and what it writes."""

from __future__ import annotations

from docs_tables.markdown import code, table
from ultrarm_eval.messages import Message
from ultrarm_eval.plugins import OWN_PLUGIN, registry
from ultrarm_eval.text_format.jinja_template import CHAT_TEMPLATE
from ultrarm_eval.text_format.template import Template

QUESTION, ANSWER = "What is 2 + 2?", "4"
# Those that a checkpoint or the user brings.
_OTHERS = (
    (
        code(CHAT_TEMPLATE),
        "The chat template of the checkpoint's tokenizer.",
        "depends on the checkpoint",
        "the tokenizer",
    ),
    (
        code("FILE.jinja"),
        "Your own Jinja file. It sees `messages`, `prompt`, `completion`, `bos_token` and "
        "`eos_token`.",
        "depends on the file",
        "you",
    ),
)


def templates_table() -> str:
    """The registered templates, each with the text of one conversation.

    Raises:
        ValueError: A template of this package does not say what it is, or where it was read.
    """
    own = [one.item for one in registry().templates.values() if one.plugin == OWN_PLUGIN]
    for template in own:
        if not template.about or not template.origin:
            raise ValueError(f"The template {template.name!r} needs `about` and `origin`.")
    return table(
        (
            "template",
            "format",
            f"text for the prompt “{QUESTION}” and the answer “{ANSWER}”",
            "source",
        ),
        [*((code(one.name), one.about, _text(one), one.origin) for one in own), *_OTHERS],
    )


def _text(template: Template) -> str:
    text = code(template.render([Message(role="user", content=QUESTION)], ANSWER))
    return f"{text} and the EOS token" if template.append_eos else text
