"""`parity=rewardbench`: settings that reproduce the texts of RewardBench's official runs.

From the package rewardbench 0.1.4 (run_rm.py, models/pipeline.py, chattemplates.py): at most 2,048
tokens, truncated on the left; the tokenizer's chat template, or else RewardBench's own followed by
an EOS token; special-token text is parsed as control tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ultrarm_eval.errors import ConfigurationError, unknown_choice
from ultrarm_eval.settings import REWARDBENCH
from ultrarm_eval.text_format.jinja_template import CHAT_TEMPLATE
from ultrarm_eval.text_format.plain_templates import RAW_TEMPLATE
from ultrarm_eval.text_format.template import Template

_MAX_LENGTH = 2048
#: Differences of a model's official run that no setting here reproduces.
KNOWN_DIFFERENCES = (
    "official runs load most models, including UltraRM, in 8 bit (here: quantization=int8) and "
    "compute in float16; here the final norm and the head are float32",
    "official runs pad batches, so their rewards vary in the last bits; rewards here do not",
    "some official runs have BOS twice if a chat template writes it; here texts have it once",
    "RewardBench 2's official run truncates long texts on the side that the tokenizer names",
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
        parity: The user's setting.
        given: The settings `special_tokens` and `max_length`, if set.
        has_chat_template: Whether the tokenizer has a chat template; it takes precedence over
            RewardBench's.
        template: The template that the user named. Official runs name one too, for a model whose
            tokenizer has no chat template and whose turns are not UltraRM's.

    Returns:
        The settings by name, with the name of the parity and the remaining differences.

    Raises:
        ConfigurationError: There is no such parity, or a setting contradicts it.
    """
    if parity != REWARDBENCH:
        raise unknown_choice("parity", parity, (REWARDBENCH,))
    if template is not None and has_chat_template and template != CHAT_TEMPLATE:
        raise ConfigurationError(
            f"parity={REWARDBENCH}: the tokenizer has a chat template, which official runs always "
            f"use, but template={template!r} was given. Remove template."
        )
    if template == RAW_TEMPLATE:
        raise ConfigurationError(
            f"parity={REWARDBENCH}: template={RAW_TEMPLATE} is only the completion, while "
            "RewardBench's template of that name writes the prompt before it. Use a Jinja file: "
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
                f"parity={REWARDBENCH} sets {name}={settings[name]}, but {name}={value!r} was "
                "given. Remove one of the two."
            )
    return {"name": REWARDBENCH, **settings, "known_differences": list(KNOWN_DIFFERENCES)}


def closed_by_eos(template: Template, *, has_chat_template: bool) -> Template:
    """The template as official runs use it: EOS follows if there is no chat template."""
    return template if has_chat_template else replace(template, append_eos=True)
