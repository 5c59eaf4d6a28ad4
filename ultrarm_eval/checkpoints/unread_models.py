"""Published reward models that no judge supports: recognized, and rejected with the reason.

The config.json of some describes a model that a judge supports (a language model, InternLM2's
reward model), so they would get meaningless rewards.
"""

from __future__ import annotations

import re

from ultrarm_eval.checkpoints.files import read_json
from ultrarm_eval.checkpoints.survey import Survey

_TWO_ANSWERS = "a model that compares two answers at once and has no reward for a single answer"
_REFERENCE = "a model that needs a reference answer, which judges do not get"
#: By the class that config.json names. PairRM: huggingface.co/llm-blender/PairRM-hf.
_BY_CLASS = {"DebertaV2PairRM": _TWO_ANSWERS}
#: By the checkpoint's name, if config.json does not tell: RLHFlow's pair-preference-model (a
#: causal language model that writes A or B), SteamSHP (Flan-T5), POLAR (InternLM2's class).
_BY_NAME = {
    r"pair[-_]?rm|pair[-_]preference|steamshp": _TWO_ANSWERS,
    r"^polar\b": _REFERENCE,
}
#: By a token that separates two answers: POLAR has the class and the family of InternLM2-Reward.
_BY_TOKEN = {"internlm2": ("<|reward|>", _REFERENCE)}


def why_unread(survey: Survey) -> str | None:
    """Describes a checkpoint that is a reward model without a judge here; None for any other.

    Args:
        survey: Its small files.
    """
    for one in survey.classes:
        if one in _BY_CLASS:
            return f"{_BY_CLASS[one]}: its config.json names the class {one}"
    for name in survey.called:
        for pattern, what in _BY_NAME.items():
            if re.search(pattern, name):
                return f"{what}: its name is {name}"
    token, what = _BY_TOKEN.get(survey.model_type, ("", ""))
    if token and token in _added_tokens(survey):
        return f"{what}: its tokenizer has the token {token}"
    return None


def _added_tokens(survey: Survey) -> set[str]:
    path = survey.fetch("tokenizer_config.json")
    added = {} if path is None else read_json(path).get("added_tokens_decoder") or {}
    return {str(token.get("content")) for token in added.values()}
