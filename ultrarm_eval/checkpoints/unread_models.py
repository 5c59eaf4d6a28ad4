"""Published reward models that no judge here reads: recognised, and refused for what they need.

Some of them say that they are what a judge reads (a language model, InternLM2's reward model), and
would get numbers that mean nothing.
"""

from __future__ import annotations

import re

from ultrarm_eval.checkpoints.survey import Survey

_TWO_ANSWERS = (
    "a model that compares two answers at once, so an answer has no reward of its own, and a judge "
    "here gives each answer one"
)
#: By the class that config.json names. PairRM: huggingface.co/llm-blender/PairRM-hf.
_BY_CLASS = {"DebertaV2PairRM": _TWO_ANSWERS}
#: By the checkpoint's name, where config.json says nothing: RLHFlow's pair-preference-model (a
#: causal language model that writes A or B), SteamSHP (Flan-T5), POLAR (InternLM2's class).
_BY_NAME = {
    r"pair[-_]?rm|pair[-_]preference|steamshp": _TWO_ANSWERS,
    r"^polar\b": "a model that scores an answer against a reference answer, which a judge here is "
    "not given",
}


def why_unread(survey: Survey) -> str | None:
    """What a checkpoint is, if it is a reward model that no judge here reads.

    Args:
        survey: Its small files.
    """
    for one in survey.classes:
        if one in _BY_CLASS:
            return f"{_BY_CLASS[one]}: its config.json names the class {one}"
    for name in names_of(survey):
        for pattern, what in _BY_NAME.items():
            if re.search(pattern, name, re.IGNORECASE):
                return f"{what}: it is called {name}"
    return None


def names_of(survey: Survey) -> tuple[str, ...]:
    """What a checkpoint is called: by its folder or hub id, and by its config.json."""
    called = (survey.name, survey.values.get("_name_or_path"))
    return tuple(str(one).rstrip("/").rsplit("/", 1)[-1] for one in called if one)
