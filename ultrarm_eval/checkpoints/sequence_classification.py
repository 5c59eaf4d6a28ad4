"""Sequence classification models of transformers with one label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from ultrarm_eval.checkpoints.architecture import CLASS_ENDING, Architecture, class_names
from ultrarm_eval.checkpoints.decoder_reward_model import DECODER_FAMILIES, decoder_class
from ultrarm_eval.checkpoints.own_code import refuse_own_code
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.errors import CheckpointError, OtherKindError

#: The head's name in the families of `DECODER_FAMILIES`, and in most others.
HEAD = "score"


class SequenceClassification(Architecture):
    """A sequence classification model of a family that transformers knows, with one label."""

    known_as = "a sequence classification model of transformers"
    reading = (
        "its logit; a decoder's at the last token that is not its padding token, as transformers "
        "reads it"
    )
    is_general = True

    def recognises(self, survey: Survey) -> bool:
        """See `Architecture.recognises`."""
        if survey.classes:
            return any(one.endswith(CLASS_ENDING) for one in survey.classes)
        return f"{HEAD}.weight" in survey.keys and labels(survey.values) == 1

    def read_config(self, survey: Survey) -> Any:
        """See `Architecture.read_config`."""
        name, values = survey.name, survey.values
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

    def require_weights(self, survey: Survey, network: nn.Module) -> None:
        """See `Architecture.require_weights`."""
        lacking = sorted(_head_weights(network) - survey.keys)
        if lacking and survey.adapter is not None:
            raise OtherKindError(
                f"{survey.adapter.name}: neither this adapter nor its base {survey.name} has "
                f"{lacking[-1]!r}, so the head would be random. Train the adapter anew with the "
                f'head trained whole: LoraConfig(modules_to_save=["{lacking[-1].split(".")[0]}"]).'
            )
        if lacking:
            raise OtherKindError(
                f"{survey.name}: the weights lack {lacking[-1]!r}, so its rewards would be random."
            )

    def network(self, config: Any, survey: Survey) -> nn.Module:
        """See `Architecture.network`."""
        if config.model_type in DECODER_FAMILIES:
            return decoder_class(config.model_type, HEAD)(config)
        from transformers import AutoModelForSequenceClassification

        model: nn.Module = AutoModelForSequenceClassification.from_config(config)
        return model


def _head_weights(model: Any) -> set[str]:
    """Names of the weights that are not the backbone's."""
    backbone = f"{model.base_model_prefix}."
    return {name for name, _ in model.named_parameters() if not name.startswith(backbone)}


def labels(values: Mapping[str, Any]) -> int | None:
    """How many labels a config.json names; None if it names none."""
    named = values.get("num_labels", len(values.get("id2label") or ()))
    return int(named) if named else None
