"""What a checkpoint is, and which judge takes it: for `judge=auto`, and for refusals to say.

A refusal names a judge only where that judge takes the checkpoint, so that no advice leads back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ultrarm_eval.checkpoints.architecture import Architecture
from ultrarm_eval.errors import CheckpointError

#: Reward models that no judge here reads, by the class that their config.json names.
_NOT_READ = {
    "RewardModel": "a reward model of OpenRLHF",
    "LlamaForRewardModelWithGating": "a reward model with gated objectives (ArmoRM, QRM)",
    "LlamaForSequenceClassificationWithNormal_Weights": "a model with weighted attributes (URM)",
    "CustomAutoModelForSequenceClassification": "a reward model with a head of its own (Athene-RM)",
    "LlamaForScore": "a reward or cost model of Safe-RLHF (Beaver)",
    "LlamaModelForScore": "a reward or cost model of Safe-RLHF (Beaver)",
    "InternLM2ForRewardModel": "InternLM2's reward model",
    "Qwen2ForRewardModel": "a reward model with two layers behind the body (Qwen2.5-Math-RM)",
    "Qwen2ForProcessRewardModel": "a process reward model, which scores steps (Qwen2.5-Math-PRM)",
    "Qwen2ForPrmModel": "a process reward model, which scores steps (Skywork-o1-PRM)",
}
#: The same by the beginning of a weight's name.
_NOT_READ_HEADS = {
    "v_head.": "a value head, as of TRL's policies, GRM or Athene-RM",
    "value_head.": "a value head, as of OpenRLHF's older reward models",
    "regression_layer.": "a head of several objectives, as of ArmoRM or QRM",
    "gating.": "a gate over several objectives, as of ArmoRM or QRM",
    "score_head.": "a head of Safe-RLHF",
    "score.0.": "two layers behind the body, as of Qwen2.5-Math-RM or INF-ORM",
}
_HEADS = ("regression_head.weight", "score.weight", "classifier.weight", "lm_head.weight")
_LANGUAGE_MODEL = "likelihood"


def _architectures() -> dict[str, Architecture]:
    from ultrarm_eval.checkpoints.classifier import SequenceClassification
    from ultrarm_eval.judges.eurus import EurusJudge
    from ultrarm_eval.judges.language_model import CausalLanguageModel
    from ultrarm_eval.judges.ultrarm import UltraRMJudge

    return {
        UltraRMJudge.name: UltraRMJudge.architecture,
        EurusJudge.name: EurusJudge.architecture,
        "sequence-classification": SequenceClassification(),
        _LANGUAGE_MODEL: CausalLanguageModel(),
    }


def takers(name: str, values: Mapping[str, Any], keys: Collection[str]) -> list[str]:
    """The judges of this package that take a checkpoint, `likelihood` for all of language models.

    Args:
        name: The checkpoint.
        values: What its config.json says.
        keys: The names of its weights.
    """
    from ultrarm_eval.checkpoints.checkpoint import built, described

    found = []
    for judge, architecture in _architectures().items():
        try:
            built(name, described(name, values, architecture), values, keys, architecture)
        except CheckpointError:
            continue
        found.append(judge)
    return found


def what_is_not_read(values: Mapping[str, Any], keys: Collection[str]) -> str | None:
    """What a reward model is that no judge here reads; None if it is none that is known."""
    for one in values.get("architectures") or ():
        if str(one) in _NOT_READ:
            return f"{_NOT_READ[str(one)]}: its config.json names the class {one}"
    for beginning, what in _NOT_READ_HEADS.items():
        key = next((key for key in sorted(keys) if key.startswith(beginning)), None)
        if key is not None:
            return f"a model with {what}: it has {key}"
    return None


def advice(name: str, values: Mapping[str, Any], keys: Collection[str]) -> str:
    """What a checkpoint is, and which judge takes it, in sentences.

    Args:
        name: The checkpoint.
        values: What its config.json says.
        keys: The names of its weights.
    """
    unread = what_is_not_read(values, keys)
    if unread is not None:
        return f"This is {unread}. No judge here reads it yet."
    judges = takers(name, values, keys)
    if judges and judges != [_LANGUAGE_MODEL]:
        return f"judge={judges[0]} takes this checkpoint."
    if not judges and "lm_head.weight" in keys and not any(head in keys for head in _HEADS[:-1]):
        return (
            "By its weights this is a language model, and no judge here takes it as its "
            "config.json describes it."
        )
    if not judges:
        heads = [head for head in _HEADS if head in keys]
        holds = f"has {' and '.join(heads)}" if heads else f"has {len(keys)} weights"
        return f"It {holds}, and no judge here takes it."
    if _is_called_reward_model(name, values):
        return (
            "By its weights this is a language model, and its name says that it is a reward model: "
            "one of which a single logit is the reward (as Nemotron's) is not read here yet, and "
            "its likelihoods would say nothing."
        )
    return (
        "By its weights this is a language model, not a reward model, which judge=auto does not "
        "choose by itself: name judge=likelihood, dpo (with reference=DIR) or critique."
    )


def _is_called_reward_model(name: str, values: Mapping[str, Any]) -> bool:
    called = (name, values.get("_name_or_path") or "")
    return any("reward" in str(one).lower().rstrip("/").rsplit("/", 1)[-1] for one in called)
