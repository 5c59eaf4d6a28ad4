"""Checkpoints of transformers' sequence classification models with one label."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from ultrarm_eval.checkpoints.architecture import class_names
from ultrarm_eval.checkpoints.decoder_families import DECODER_FAMILIES, decoder_class
from ultrarm_eval.checkpoints.own_code import refuse_own_code
from ultrarm_eval.errors import CheckpointError, OtherKindError

CLASS_ENDING = "ForSequenceClassification"
#: The head's name in the families of `DECODER_FAMILIES`, and in most others.
HEAD = "score"


@dataclass(frozen=True)
class SequenceClassification:
    """A sequence classification model of a family that transformers knows, with one label."""

    def read_config(self, name: str, values: Mapping[str, Any]) -> Any:
        """See `ultrarm_eval.checkpoints.architecture.Architecture.read_config`."""
        from transformers import CONFIG_MAPPING
        from transformers.models.auto.modeling_auto import (
            MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES as CLASSES,
        )

        model_type = values.get("model_type")
        if model_type not in CLASSES or model_type not in CONFIG_MAPPING:
            raise OtherKindError(
                f"{name}: its config.json describes a {model_type!r} model, and transformers has "
                "no sequence classification model of that family; code that comes with a "
                "checkpoint is never executed."
            )
        classes = values.get("architectures") or []
        if classes and not any(str(one).endswith(CLASS_ENDING) for one in classes):
            raise OtherKindError(
                f"{name}: its config.json names the class {', '.join(map(str, classes))}; this "
                f"judge takes the classes of transformers that end in {CLASS_ENDING}."
            )
        refuse_own_code(
            name,
            values,
            own_classes=class_names(CLASSES[model_type]),
            auto_class="AutoModelForSequenceClassification",
        )
        config = CONFIG_MAPPING[model_type].from_dict(dict(values))
        if getattr(config, "is_encoder_decoder", False):
            raise CheckpointError(
                f"{name}: this is an encoder-decoder model ({model_type}); this judge takes "
                "decoders and encoders."
            )
        if config.get_text_config() is not config:
            raise CheckpointError(
                f"{name}: this is a model of texts and other things ({model_type}); this judge "
                "takes models of texts alone."
            )
        if config.num_labels != 1:
            raise CheckpointError(
                f"{name}: it has {config.num_labels} labels; a reward is the logit of a model with "
                "one label (num_labels 1 in its config.json)."
            )
        return config

    def require_weights(self, name: str, network: nn.Module, keys: Collection[str]) -> None:
        """See `ultrarm_eval.checkpoints.architecture.Architecture.require_weights`."""
        lacking = sorted(_head_weights(network) - set(keys))
        if lacking:
            raise OtherKindError(
                f"{name}: the weights lack {lacking[-1]!r}, so its rewards would be random."
            )

    def network(self, config: Any) -> nn.Module:
        """See `ultrarm_eval.checkpoints.architecture.Architecture.network`."""
        if config.model_type in DECODER_FAMILIES:
            return decoder_class(config.model_type, HEAD)(config)
        from transformers import AutoModelForSequenceClassification

        model: nn.Module = AutoModelForSequenceClassification.from_config(config)
        return model


def _head_weights(model: Any) -> set[str]:
    """Names of the weights that are not the backbone's."""
    backbone = f"{model.base_model_prefix}."
    return {name for name, _ in model.named_parameters() if not name.startswith(backbone)}
