"""Decoders of Llama's architecture with one linear head, laid out like UltraRM and Eurus-RM."""

from __future__ import annotations

from typing import Any

from torch import nn

from ultrarm_eval.checkpoints.architecture import Architecture
from ultrarm_eval.checkpoints.decoder_reward_model import (
    DecoderRewardModel,
    LlamaRewardModel,
    decoder_class,
    wrong_family,
)
from ultrarm_eval.checkpoints.own_code import refuse_own_code
from ultrarm_eval.checkpoints.stock_classes import CLASS_ENDING, stock_classes
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.errors import OtherKindError

#: Class names that published checkpoints, and similar ones, give a decoder with one linear head.
REWARD_MODEL_CLASSES = frozenset(
    {"LlamaRewardModel", "LlamaRM", "UltraRM", "MistralRewardModel", "EurusRewardModel", "EurusRM"}
)
# Their configuration classes: the family's own under another name.
_CONFIG_CLASSES = frozenset({"EurusConfig"})


class ScalarDecoder(Architecture):
    """A decoder of one family with one head.

    Attributes:
        model_class: The network's class.
    """

    reading = "a linear head at the last token"

    def __init__(self, model_class: type[DecoderRewardModel], known_as: str) -> None:
        """Takes the network's class.

        Args:
            model_class: The network's class.
            known_as: The model that has this layout, for messages.
        """
        self.model_class, self.known_as = model_class, known_as

    def recognises(self, survey: Survey) -> bool:
        """See `Architecture.recognises`."""
        is_family = survey.model_type == self.model_class.config_class.model_type
        is_classifier = any(one.endswith(CLASS_ENDING) for one in survey.classes)
        return is_family and not is_classifier and self.model_class.head_weight() in survey.keys

    def read_config(self, survey: Survey) -> Any:
        """See `Architecture.read_config`."""
        name, values = survey.name, survey.values
        config_class = self.model_class.config_class
        if values.get("model_type") != config_class.model_type:
            raise OtherKindError(wrong_family(name, values, config_class.model_type))
        refuse_own_code(
            name,
            values,
            own_classes=REWARD_MODEL_CLASSES
            | _CONFIG_CLASSES
            | _own_classes(config_class.model_type),
            auto_class="AutoModel",
            is_known_code=True,
        )
        return config_class.from_dict(dict(values))

    def require_weights(self, survey: Survey, network: nn.Module) -> None:
        """See `Architecture.require_weights`."""
        head = self.model_class.head_weight()
        if head not in survey.keys:
            raise OtherKindError(
                f"{survey.name}: the weights lack {head!r}, so its rewards would be random. "
                f"{self.known_as}'s checkpoint names its head {head!r}."
            )

    def network(self, config: Any, survey: Survey) -> nn.Module:
        """See `Architecture.network`."""
        return self.model_class(config)


def _own_classes(model_type: str) -> frozenset[str]:
    """Transformers' classes of a family: they have the judge's body; the head is found by name."""
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
        MODEL_MAPPING_NAMES,
    )

    return stock_classes(
        model_type,
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
        MODEL_MAPPING_NAMES,
    )


ULTRARM = ScalarDecoder(LlamaRewardModel, "UltraRM")
EURUS = ScalarDecoder(decoder_class("mistral", LlamaRewardModel.head_name), "Eurus-RM")
