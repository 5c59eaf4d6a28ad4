"""Opens the checkpoint that vLLM serves, with the architecture of its type of reward model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ultrarm_eval.checkpoints.architecture import Architecture
from ultrarm_eval.checkpoints.checkpoint import Checkpoint, open_surveyed
from ultrarm_eval.checkpoints.decoder_reward_model import DecoderRewardModel
from ultrarm_eval.checkpoints.known_kinds import architectures, recognised
from ultrarm_eval.checkpoints.scalar_decoder import REWARD_MODEL_CLASSES, ScalarDecoder
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.errors import CheckpointError, ConfigurationError
from ultrarm_eval.plugins import registry
from ultrarm_eval.vllm_plugin.classes import KIND, REWARD_MODEL

_JUDGE = "judge"


def opened_checkpoint(model_config: Any) -> Checkpoint:
    """Opens the checkpoint that a configuration of vLLM names; its weights are not loaded.

    Args:
        model_config: vLLM's configuration of the model.

    Raises:
        ConfigurationError: The type in the configuration is not valid.
        CheckpointError: It is not of a type that can be served, or lacks its head.
    """
    survey = Survey(model_config.model, model_config.revision)
    said = getattr(model_config.hf_config, KIND, None)
    kind = _recognised_kind(survey) if said is None else _named_kind(said)
    checkpoint = open_surveyed(survey, kind)
    if checkpoint.adapter is not None:
        raise CheckpointError(
            f"{checkpoint.adapter.name} is an adapter, but vLLM serves only reward models with "
            "merged weights. Merge it into its base first."
        )
    if not isinstance(checkpoint.network, DecoderRewardModel):
        raise CheckpointError(
            f"{survey.name}: this is {kind.known_as}, not a decoder with a reward head. Use "
            "engine=torch."
        )
    kind.at_last_token(checkpoint.network.reward_head)
    require_family(checkpoint, model_config.hf_config.model_type)
    return checkpoint


def require_family(checkpoint: Checkpoint, model_type: str) -> None:
    """Rejects a checkpoint whose `model_type` is not that of its body in transformers.

    vLLM reads config.json itself, and would not find the body.

    Args:
        checkpoint: The checkpoint.
        model_type: The `model_type` in config.json.

    Raises:
        CheckpointError: The two differ.
    """
    family = checkpoint.config.model_type
    if model_type != family:
        raise CheckpointError(
            f"{checkpoint.name}: its config.json describes a {model_type!r} model, which this "
            f"package treats as {family!r}, but vLLM reads config.json itself. Convert it to a "
            "model of transformers first: ultrarm-eval convert."
        )


def _named_kind(said: object) -> Architecture:
    """The architecture that the configuration names by its judge."""
    if not isinstance(said, Mapping) or not isinstance(said.get(_JUDGE), str):
        raise ConfigurationError(
            f'hf_overrides: {KIND} must be an object such as {{"judge": "value-head", "head": '
            f'"v_head"}}, not {said!r}.'
        )
    name, arguments = said[_JUDGE], {key: said[key] for key in said if key != _JUDGE}
    kind = getattr(registry().judge(name), "architecture", None)
    if not isinstance(kind, Architecture):
        raise ConfigurationError(
            f"hf_overrides: judge={name} does not load a single type of checkpoint."
        )
    if not arguments:
        return kind
    try:
        return type(kind)(**arguments)
    except TypeError as error:
        raise ConfigurationError(
            f"hf_overrides: {KIND}: judge={name} does not accept {', '.join(arguments)}: {error}."
        ) from error


def _recognised_kind(survey: Survey) -> Architecture:
    kinds = recognised(survey) or _called(survey)
    if len(kinds) == 1:
        return next(iter(kinds.values()))
    found = f"several types: {', '.join(kinds)}" if kinds else "no supported type of reward model"
    raise CheckpointError(
        f"{survey.name}: it has {found}. Its config.json names {', '.join(survey.classes)}. Set "
        f'the type: --hf-overrides \'{{"architectures": ["{REWARD_MODEL}"], "{KIND}": '
        '{"judge": "NAME"}}\'.'
    )


def _called(survey: Survey) -> dict[str, Architecture]:
    """The architectures that match a checkpoint by its class, but whose head its weights lack.

    Opening the checkpoint with one of them reports the missing head.
    """
    return {
        judge: kind
        for judge, kind in architectures().items()
        if isinstance(kind, ScalarDecoder)
        and kind.model_class.config_class.model_type == survey.model_type
        and not REWARD_MODEL_CLASSES.isdisjoint(survey.classes)
    }
