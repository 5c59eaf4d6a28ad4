"""Finds the checkpoints that vLLM computes like torch, and vLLM's classes for them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from ultrarm_eval.checkpoints.checkpoint import Checkpoint
from ultrarm_eval.checkpoints.converted_decoder import ConvertedDecoder
from ultrarm_eval.checkpoints.decoder_reward_model import DECODER_FAMILIES
from ultrarm_eval.checkpoints.sequence_classification import SequenceClassification
from ultrarm_eval.checkpoints.stock_classes import CLASS_ENDING
from ultrarm_eval.engine.served_model import ServedModel
from ultrarm_eval.engine.vllm_installation import require_plugin
from ultrarm_eval.engine_settings import TORCH, VLLM
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.vllm_plugin.overrides import overrides_for

logger = logging.getLogger(__name__)

#: Families of classifiers whose vLLM rewards were compared with torch's.
COMPARED = ("llama", "qwen2")
# Types with the layout of transformers' own classifiers, which vLLM supports.
_NATIVE = (SequenceClassification, ConvertedDecoder)
# Fields of config.json that make vLLM derive a classifier's head from a language model's.
_MADE_OF_LANGUAGE_HEAD = ("classifier_from_token", "method")


@dataclass(frozen=True)
class VllmModel:
    """How vLLM reads a checkpoint.

    Attributes:
        overrides: Values that replace fields of config.json, including its class.
        convert: How vLLM converts its language model class to a classifier; None for a class of
            our plugin.
    """

    overrides: dict[str, Any]
    convert: str | None = None


def vllm_model(model: ServedModel) -> VllmModel:
    """How vLLM reads a checkpoint.

    Args:
        model: The checkpoint.

    Raises:
        ConfigurationError: It does not compute the same rewards.
    """
    checkpoint = model.checkpoint
    why = _why_not(checkpoint)
    if why is not None:
        raise ConfigurationError(
            f"engine={VLLM}: {checkpoint.name} (judge={model.judge}): {why} Use engine={TORCH}, or "
            f"`ultrarm-eval convert {checkpoint.name} -o DIR` and pretrained=DIR."
        )
    if isinstance(checkpoint.architecture, _NATIVE):
        return _of_classifier(checkpoint)
    require_plugin()
    return VllmModel(overrides_for(checkpoint, model.judge))


def _why_not(checkpoint: Checkpoint) -> str | None:
    """Why vLLM would compute a checkpoint differently, as a sentence; None if it does not."""
    if checkpoint.adapter is not None:
        return (
            f"the adapter {checkpoint.adapter.name} is merged into the weights when torch loads "
            "them, and vLLM reads the files as they are."
        )
    if checkpoint.is_quantized:
        return (
            "its weights are stored quantized, and vLLM uses its own kernels for them, including "
            "the head."
        )
    if not isinstance(checkpoint.architecture, _NATIVE):
        return None
    if checkpoint.weight_map is not None and not isinstance(
        checkpoint.architecture, ConvertedDecoder
    ):
        return "its files name the weights differently than vLLM's class."
    made = [one for one in _MADE_OF_LANGUAGE_HEAD if getattr(checkpoint.config, one, None)]
    if made:
        return f"its config.json has {made[0]!r}, which makes vLLM use another head."
    return None


def _of_classifier(checkpoint: Checkpoint) -> VllmModel:
    """A sequence classifier, under transformers' name of its class."""
    family = checkpoint.config.model_type
    if family not in COMPARED:
        logger.warning(
            "%s: vLLM's rewards of %s models were not compared with torch's for this release. "
            "Compare them with `ultrarm-eval verify --pretrained %s --engine vllm`.",
            checkpoint.name,
            family,
            checkpoint.name,
        )
    # A configuration may have neither; the names of the weights decide then.
    return VllmModel({"architectures": [_class_of(family)], "num_labels": 1}, "classify")


def _class_of(family: str) -> str:
    if family in DECODER_FAMILIES:
        return DECODER_FAMILIES[family] + CLASS_ENDING
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES as CLASSES,
    )

    return str(CLASSES[family])
