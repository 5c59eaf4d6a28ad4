"""Describes a checkpoint, and how a judge would compute its reward, without loading the weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch

from ultrarm_eval.checkpoints.checkpoint import Checkpoint
from ultrarm_eval.checkpoints.network_parts import weights_behind_body
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.weight_map import WeightSource
from ultrarm_eval.errors import CheckpointError, ConfigurationError
from ultrarm_eval.judges import AUTO_JUDGE
from ultrarm_eval.judges.auto import judge_for
from ultrarm_eval.judges.checkpoint_judge import CheckpointJudge
from ultrarm_eval.judges.recognition import adapter_in, survey_of
from ultrarm_eval.plugins import registry
from ultrarm_eval.setting import settings_in
from ultrarm_eval.settings import CheckpointSettings

_QUESTION, _ANSWER = "QUESTION", "ANSWER"


def inspect_checkpoint(
    pretrained: str, *, judge: str = AUTO_JUDGE, revision: str | None = None, **settings: Any
) -> dict[str, Any]:
    """Describes a checkpoint, and how its reward is computed.

    For a checkpoint on the hub, config.json, the tokenizer, and the headers or the index of the
    weights are downloaded; the weights are not, if they are safetensors.

    Args:
        pretrained: A folder, a hub id, or `demo`.
        judge: The judge's name; `auto` finds the one that supports it.
        revision: Branch, tag or commit on the hub.
        **settings: Settings of the judge.

    Returns:
        JSON values by name; under `refused` why no judge supports it, if none does.

    Raises:
        CheckpointError: It cannot be reached, or its config.json is not valid.
        ConfigurationError: There is no such judge, or a setting it does not have.
    """
    survey = survey_of(pretrained, revision, **adapter_in(settings))
    found = _of_survey(pretrained, survey)
    try:
        name = judge_for(pretrained, revision, settings) if judge == AUTO_JUDGE else judge
        found |= {"judge": name}
        made = judge_to_look_at(name, {"pretrained": pretrained, "revision": revision, **settings})
    except CheckpointError as error:
        return {**found, "refused": str(error)}
    return {**found, **_of_judge(made)}


def judge_to_look_at(name: str, settings: dict[str, Any]) -> CheckpointJudge:
    """A judge that is only inspected: its weights may need more memory than is available.

    Args:
        name: Its name.
        settings: Its settings.

    Raises:
        ConfigurationError: It loads no checkpoint, or a setting cannot be used.
        CheckpointError: It does not support the checkpoint.
    """
    factory: Any = registry().judge(name)
    if not (isinstance(factory, type) and issubclass(factory, CheckpointJudge)):
        raise ConfigurationError(
            f"judge={name} does not load a checkpoint, so there is nothing to inspect. Choose "
            "another judge."
        )
    # The settings class rejects unknown settings.
    looked_at = type(factory.__name__, (factory,), {"checks_memory": False})
    return cast(CheckpointJudge, looked_at(**settings))


def _of_survey(pretrained: str, survey: Survey) -> dict[str, Any]:
    """The content of the small files."""
    quantization = survey.values.get("quantization_config") or {}
    return {
        "checkpoint": pretrained,
        **_of_adapter(survey),
        "family": survey.model_type or None,
        "classes": list(survey.classes),
        "quantized": quantization.get("quant_method") if isinstance(quantization, dict) else None,
    }


def _of_adapter(survey: Survey) -> dict[str, Any]:
    adapter = survey.adapter
    return {} if adapter is None else {"base": survey.name, "adapter": adapter.name}


def _of_judge(judge: CheckpointJudge) -> dict[str, Any]:
    checkpoint, encoder = judge.checkpoint, judge.encoder
    config, kind = checkpoint.config, checkpoint.architecture
    tokenizer = judge.tokenizer
    text = judge.encoded(_QUESTION, _ANSWER)
    pieces = judge.token_texts(tuple(text))
    stored = checkpoint.stored_dtype
    return {
        # A judge that supports several types finds the type from the checkpoint.
        "kind": kind.known_as,
        "reward": judge.reads() if kind is judge.architecture else kind.reading,
        "parameters": checkpoint.parameter_count(),
        "layers": getattr(config, "num_hidden_layers", None),
        "hidden_size": judge.hidden_size,
        "head": _head(checkpoint),
        "template": judge.settings()["template"],
        "has_chat_template": bool(tokenizer.chat_template),
        "text": "".join(pieces),
        "read_at": [f"{pieces[at]!r}, token {at + 1} of {len(text)}" for at in judge.read_at(text)],
        "bos": _token(tokenizer, encoder.bos_id),
        "unread_padding": _token(tokenizer, judge.unread_id),
        "padding": _token(tokenizer, getattr(config, "pad_token_id", None)),
        "max_length": judge.max_length,
        "positions": checkpoint.positions,
        "dtype": str(stored).removeprefix("torch."),
        "weight_bytes": {
            str(dtype).removeprefix("torch."): checkpoint.weight_bytes(dtype)
            for dtype in dict.fromkeys((stored, torch.bfloat16, torch.float32))
        },
        "batching": judge.network.settings().get("batching"),
        "settings": _own_settings(judge),
    }


def _token(tokenizer: Any, token: int | None) -> str | None:
    if token is None:
        return None
    return f"{tokenizer.convert_ids_to_tokens(token)} ({token})"


def _own_settings(judge: CheckpointJudge) -> Mapping[str, Any]:
    """Settings that only this type has, with their values."""
    common, reported = settings_in(CheckpointSettings), judge.settings()
    return {
        name: reported.get(name, getattr(judge.given, name))
        for name in settings_in(type(judge.given))
        if name not in common
    }


def _head(checkpoint: Checkpoint) -> dict[str, list[int]]:
    """The weights after the body by their stored names, and their shapes."""
    network: Any = checkpoint.network
    sources: Mapping[str, WeightSource] = checkpoint.weight_map or {}
    found: dict[str, list[int]] = {}
    for key in weights_behind_body(network):
        source = sources.get(key)
        for stored in (key,) if source is None else source.keys:
            found[stored] = list(network.get_parameter(key).shape)
    return found
