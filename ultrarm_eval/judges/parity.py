"""`parity=rewardbench`: settings under which texts are those of RewardBench's official runs.

From the package rewardbench 0.1.4 (run_rm.py, models/pipeline.py, chattemplates.py): at most
2,048 tokens, cut on the left; the tokenizer's chat template, or else RewardBench's own with an EOS
token behind it; spelled-out special tokens become control tokens, as that tokenizer reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ultrarm_eval.errors import ConfigurationError, unknown_choice
from ultrarm_eval.settings import REWARDBENCH
from ultrarm_eval.text_format.template import CHAT_TEMPLATE, RAW_TEMPLATE, Template

_MAX_LENGTH = 2048
#: What the official run of a model does otherwise, and no setting here undoes.
KNOWN_DIFFERENCES = (
    "official runs load most models, UltraRM among them, in 8 bit (quantization=int8 does so here) "
    "and compute in float16; final norm and head are float32 here",
    "official batches are padded, so that rewards move in their last bits; here they do not",
    "some official runs read BOS twice where a chat template writes it; here it is read once",
    "RewardBench 2's official run cuts long texts on the side that the tokenizer names",
)


def parity_settings(
    parity: object,
    given: Mapping[str, Any],
    *,
    has_chat_template: bool,
    template: str | None = None,
) -> dict[str, Any]:
    """The settings that `parity` stands for.

    Args:
        parity: What the user set.
        given: The settings `special_tokens` and `max_length`, as far as they were set.
        has_chat_template: Whether the tokenizer has one; it wins over RewardBench's own.
        template: The template that the user named: official runs name one, too, for a model whose
            tokenizer has none and whose turns are not UltraRM's.

    Returns:
        The settings by name, with the name of the parity and how official runs still differ.

    Raises:
        ConfigurationError: There is no such parity, or a setting contradicts it.
    """
    if parity != REWARDBENCH:
        raise unknown_choice("parity", parity, (REWARDBENCH,))
    if template is not None and has_chat_template and template != CHAT_TEMPLATE:
        raise ConfigurationError(
            f"parity={REWARDBENCH}: the tokenizer has a chat template, which official runs take "
            f"whatever template is named; template={template!r} was given. Leave it out."
        )
    if template == RAW_TEMPLATE:
        raise ConfigurationError(
            f"parity={REWARDBENCH}: template={RAW_TEMPLATE} is the completion alone; RewardBench's "
            "template of that name writes the prompt before it. Give a Jinja file: "
            "{{ prompt[-1].content }}{{ completion }}."
        )
    settings = {
        "template": template or (CHAT_TEMPLATE if has_chat_template else REWARDBENCH),
        "special_tokens": "parse",
        "max_length": _MAX_LENGTH,
    }
    for name, value in given.items():
        if value is not None and str(value) != str(settings[name]):
            raise ConfigurationError(
                f"parity={REWARDBENCH} stands for {name}={settings[name]}, and {name}={value!r} "
                "was given. Leave one of them out."
            )
    return {"name": REWARDBENCH, **settings, "known_differences": list(KNOWN_DIFFERENCES)}


def closed_by_eos(template: Template, *, has_chat_template: bool) -> Template:
    """The template as official runs read it: EOS follows where there is no chat template."""
    return template if has_chat_template else replace(template, append_eos=True)
