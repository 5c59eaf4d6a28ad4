"""`judge=auto`: which judge takes a checkpoint, by its config.json and the names of its weights.

A refusal names a judge only where that judge takes the checkpoint, so that no advice leads back.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ultrarm_eval.checkpoints.adapters import refuse_adapter_weights
from ultrarm_eval.checkpoints.architecture import (
    CLASS_ENDING,
    EURUS,
    ULTRARM,
    Architecture,
    CausalLanguageModel,
    SequenceClassification,
)
from ultrarm_eval.checkpoints.checkpoint import Checkpoint, open_checkpoint, read_config
from ultrarm_eval.checkpoints.files import fetcher
from ultrarm_eval.checkpoints.network import built, described
from ultrarm_eval.checkpoints.unread_weights import what_is_not_read
from ultrarm_eval.checkpoints.weights import survey_weights
from ultrarm_eval.demo import DEMO_NAME, demo_judge_path
from ultrarm_eval.errors import CheckpointError, ConfigurationError, OtherKindError
from ultrarm_eval.judges import AUTO_JUDGE, DEFAULT_CHECKPOINT, DEFAULT_JUDGE
from ultrarm_eval.judges.base import Judge
from ultrarm_eval.judges.loading import make_judge
from ultrarm_eval.plugins import registry

logger = logging.getLogger(__name__)

_REGRESSION_HEAD = "regression_head.weight"
_HEADS = (_REGRESSION_HEAD, "score.weight", "classifier.weight", "lm_head.weight")
_EURUS, _CLASSIFIER, _LANGUAGE_MODEL = "eurus", "sequence-classification", "likelihood"
_BY_BACKBONE = {"llama": DEFAULT_JUDGE, "mistral": _EURUS}
_ARCHITECTURES: dict[str, Architecture] = {
    DEFAULT_JUDGE: ULTRARM,
    _EURUS: EURUS,
    _CLASSIFIER: SequenceClassification(),
    _LANGUAGE_MODEL: CausalLanguageModel(),
}


def auto_judge(
    pretrained: str = DEFAULT_CHECKPOINT, *, revision: str | None = None, **settings: Any
) -> Judge:
    """Makes the judge that takes a checkpoint.

    Args:
        pretrained: A folder, a hub id, or `demo`.
        revision: Hub revision of the checkpoint.
        **settings: Settings of the judge that is found.

    Raises:
        CheckpointError: No judge takes it, or it cannot be reached.
        ConfigurationError: A setting that the judge does not have.
    """
    judge = recognise(pretrained, revision)
    logger.info("judge=%s: %s is one for judge=%s.", AUTO_JUDGE, pretrained, judge)
    return make_judge(judge, {"pretrained": pretrained, "revision": revision, **settings})


def recognise(pretrained: str, revision: str | None = None) -> str:
    """The name of the judge that takes a checkpoint.

    Raises:
        CheckpointError: None does, or the checkpoint cannot be reached.
    """
    name = str(demo_judge_path()) if pretrained == DEMO_NAME else pretrained
    fetch = fetcher(name, revision)
    _, config = read_config(name, fetch)
    classes = [str(one) for one in config.get("architectures") or []]
    if any(one.endswith(CLASS_ENDING) for one in classes) and not what_is_not_read(config, ()):
        return _CLASSIFIER
    keys = survey_weights(name, fetch).keys
    refuse_adapter_weights(name, keys)
    judge = None if what_is_not_read(config, keys) else _by_weights(config, keys)
    if judge is None:
        raise CheckpointError(_unrecognised(name, config, keys))
    return judge


def _by_weights(config: Mapping[str, Any], keys: Collection[str]) -> str | None:
    if _REGRESSION_HEAD in keys:
        return _BY_BACKBONE.get(str(config.get("model_type")))
    if not config.get("architectures") and "score.weight" in keys and _labels(config) == 1:
        return _CLASSIFIER
    return None


def _labels(config: Mapping[str, Any]) -> int | None:
    labels = config.get("num_labels", len(config.get("id2label") or ()))
    return int(labels) if labels else None


def _unrecognised(name: str, config: Mapping[str, Any], keys: Collection[str]) -> str:
    heads = [head for head in _HEADS if head in keys]
    found = {
        "model_type": config.get("model_type"),
        "architectures": config.get("architectures"),
        "num_labels": _labels(config),
        "heads among its weights": heads or None,
    }
    plugins = registry()
    others = sorted(judge for judge in plugins.judges if not plugins.is_ours(judge))
    by_others = (
        f" Judges of other packages: {', '.join(others)}; name one by judge=NAME." if others else ""
    )
    return (
        f"{name}: judge={AUTO_JUDGE} does not recognise this checkpoint. Found: "
        f"{', '.join(f'{key} {value}' for key, value in found.items())}. "
        f"{advice(name, config, keys)}{by_others}"
    )


def auto_if_readable(pretrained: str, revision: str | None) -> str:
    """`auto` where the checkpoint's config.json can be read, else the default judge.

    The default judge says best what is wrong with a checkpoint that cannot be reached.
    """
    try:
        name = str(demo_judge_path()) if pretrained == DEMO_NAME else pretrained
        read_config(name, fetcher(name, revision))
    except (CheckpointError, ConfigurationError):
        return DEFAULT_JUDGE
    return AUTO_JUDGE


def open_for(
    name: str, revision: str | None = None, architecture: Architecture | None = None
) -> Checkpoint:
    """Opens a checkpoint of a kind; where it is of another, the refusal says which judge takes it.

    Args:
        name: A folder, or a hub id.
        revision: Branch, tag or commit on the hub.
        architecture: The kind; UltraRM's if None.

    Raises:
        CheckpointError: See `ultrarm_eval.checkpoints.checkpoint.open_checkpoint`.
    """
    try:
        return open_checkpoint(name, revision, *([] if architecture is None else [architecture]))
    except OtherKindError as error:
        name = str(Path(name).expanduser()) if Path(name).expanduser().is_dir() else name
        fetch = fetcher(name, revision)
        _, values = read_config(name, fetch)
        said = advice(name, values, survey_weights(name, fetch).keys)
        raise CheckpointError(f"{error} {said}") from error


def takers(name: str, values: Mapping[str, Any], keys: Collection[str]) -> list[str]:
    """The judges of this package that take a checkpoint, `likelihood` for all of language models.

    Args:
        name: The checkpoint.
        values: What its config.json says.
        keys: The names of its weights.
    """
    found = []
    for judge, architecture in _ARCHITECTURES.items():
        try:
            built(name, described(name, values, architecture), values, keys, architecture)
        except CheckpointError:
            continue
        found.append(judge)
    return found


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
