"""The built-in templates, each as its source publishes it.

Sources: the model card of openbmb/UltraRM-13b (`ultrarm` by its text, `ultrarm-one-newline` by its
examples); RewardBench's run of UltraRM (`rewardbench`); UltraRM's published tutorial, which scores
bare texts (`raw`); the model card of openbmb/Eurus-RM-7b (`mistral` by its text, `eurus-card` by
its example); Safe RLHF's safe_rlhf/configs/constants.py (`beaver`); and the model cards of
berkeley-nest/Starling-RM-7B-alpha (`starling`) and Nexusflow/Starling-RM-34B (`starling-34b`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.messages import Message
from ultrarm_eval.text_format.template import Template

DEFAULT_TEMPLATE = "ultrarm"
RAW_TEMPLATE = "raw"
BEAVER_TEMPLATE = "beaver"
STARLING_TEMPLATE, STARLING_34B_TEMPLATE = "starling", "starling-34b"


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
        # RewardBench's templates write no closing text after an empty turn.
        return self.separator.join(turns) + (self.closing if completion else "")


@dataclass(frozen=True)
class _Instruction:
    """Mistral-Instruct's format of a single turn, without special tokens."""

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
    """A format with special tokens in which each role has its own form.

    Attributes:
        forms: The form of a turn by its role; `{}` stands for its content.
        begin: Text before the first turn.
        separator: Text between turns.
        last: The form of the completion, if it differs from that of other assistant turns.
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


def template_for(template: Template, messages: Sequence[Message]) -> Template:
    """The template for a conversation: `raw`, only the completion, if there is no prompt."""
    return template if messages else RAW
