"""`judge=auto`: which judge takes a checkpoint, by its config.json and the names of its weights."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Any

from ultrarm_eval.checkpoints.adapters import refuse_adapter_weights
from ultrarm_eval.checkpoints.checkpoint import read_config
from ultrarm_eval.checkpoints.classifier import CLASS_ENDING
from ultrarm_eval.checkpoints.files import fetcher
from ultrarm_eval.checkpoints.recognition import advice, what_is_not_read
from ultrarm_eval.checkpoints.weight_files import survey_weights
from ultrarm_eval.demo import DEMO_NAME, demo_judge_path
from ultrarm_eval.errors import CheckpointError, ConfigurationError
from ultrarm_eval.judges import AUTO_JUDGE, DEFAULT_CHECKPOINT, DEFAULT_JUDGE
from ultrarm_eval.judges.base import Judge
from ultrarm_eval.plugins import registry

logger = logging.getLogger(__name__)

_REGRESSION_HEAD = "regression_head.weight"
_BY_BACKBONE = {"llama": DEFAULT_JUDGE, "mistral": "eurus"}
_CLASSIFIER = "sequence-classification"
_OWN_JUDGES = ("ultrarm", "eurus", _CLASSIFIER, "likelihood", "dpo", "critique")
_HEADS = (_REGRESSION_HEAD, "score.weight", "classifier.weight", "lm_head.weight")


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
    from ultrarm_eval.judges.loading import make_judge

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
    others = sorted(set(registry().judges) - {AUTO_JUDGE, *_OWN_JUDGES})
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
