"""Kinds of checkpoints: what they say and hold, and the networks made of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import nn

from ultrarm_eval.checkpoints.decoder_reward_model import (
    DECODER_FAMILIES,
    DecoderRewardModel,
    LlamaRewardModel,
    decoder_class,
    wrong_family,
)
from ultrarm_eval.checkpoints.own_code import refuse_own_code
from ultrarm_eval.errors import CheckpointError, OtherKindError

CLASS_ENDING = "ForSequenceClassification"
#: The head's name in the families of `DECODER_FAMILIES`, and in most others.
HEAD = "score"

# What the published checkpoints, and those made like them, call a decoder with one linear head.
_REWARD_MODEL_CLASSES = frozenset(
    {"LlamaRewardModel", "LlamaRM", "UltraRM", "MistralRewardModel", "EurusRewardModel", "EurusRM"}
)
_REWARD_CLASS = re.compile("Reward|ForSequenceClassification")
_REWARD_HEADS = ("score.weight", "regression_head.weight")


class Architecture(Protocol):
    """Knows a kind of checkpoint before its weights are loaded."""

    def read_config(self, name: str, values: Mapping[str, Any]) -> Any:
        """The configuration of a checkpoint.

        Args:
            name: The checkpoint, for messages.
            values: What its config.json says.

        Raises:
            CheckpointError: It describes another kind of model.
        """
        ...

    def require_weights(self, name: str, network: nn.Module, keys: Collection[str]) -> None:
        """Refuses weights that lack the head: transformers would fill it at random.

        Args:
            name: The checkpoint, for messages.
            network: The network, on any device.
            keys: The names of its weights.

        Raises:
            CheckpointError: The head is not among them.
        """
        ...

    def network(self, config: Any) -> nn.Module:
        """The network with any weights, to count them on the device `meta`."""
        ...


@dataclass(frozen=True)
class ScalarDecoder:
    """A decoder of one family with one head.

    Attributes:
        model_class: The network's class.
        known_as: The model that has this layout, for messages.
    """

    model_class: type[DecoderRewardModel]
    known_as: str

    def read_config(self, name: str, values: Mapping[str, Any]) -> Any:
        """See `Architecture.read_config`."""
        config_class = self.model_class.config_class
        if values.get("model_type") != config_class.model_type:
            raise OtherKindError(wrong_family(name, values, config_class.model_type))
        refuse_own_code(
            name,
            values,
            own_classes=_REWARD_MODEL_CLASSES | _own_classes(config_class.model_type),
            auto_class="AutoModel",
            is_known_code=True,
        )
        return config_class.from_dict(dict(values))

    def require_weights(self, name: str, network: nn.Module, keys: Collection[str]) -> None:
        """See `Architecture.require_weights`."""
        head = self.model_class.head_weight()
        if head not in keys:
            raise OtherKindError(
                f"{name}: the weights lack {head!r}, so its rewards would be random. "
                f"{self.known_as}'s checkpoint names its head {head!r}."
            )

    def network(self, config: Any) -> nn.Module:
        """See `Architecture.network`."""
        return self.model_class(config)


def _own_classes(model_type: str) -> set[str]:
    """Classes of transformers of a family: their body is the judge's, and its head is named."""
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
        MODEL_MAPPING_NAMES,
    )

    mappings = (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
        MODEL_MAPPING_NAMES,
    )
    return {name for mapping in mappings for name in class_names(mapping.get(model_type))}


def class_names(entry: object) -> tuple[str, ...]:
    """Names of classes in an entry of transformers' tables, which hold one or several."""
    return (entry,) if isinstance(entry, str) else tuple(map(str, entry or ()))  # type: ignore[call-overload]


@dataclass(frozen=True)
class SequenceClassification:
    """A sequence classification model of a family that transformers knows, with one label."""

    def read_config(self, name: str, values: Mapping[str, Any]) -> Any:
        """See `Architecture.read_config`."""
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
        """See `Architecture.require_weights`."""
        lacking = sorted(_head_weights(network) - set(keys))
        if lacking:
            raise OtherKindError(
                f"{name}: the weights lack {lacking[-1]!r}, so its rewards would be random."
            )

    def network(self, config: Any) -> nn.Module:
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


@dataclass(frozen=True)
class CausalLanguageModel:
    """A causal language model of a family that transformers knows."""

    def read_config(self, name: str, values: Mapping[str, Any]) -> Any:
        """See `Architecture.read_config`."""
        from transformers import CONFIG_MAPPING
        from transformers.models.auto.modeling_auto import (
            MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CLASSES,
        )

        model_type = values.get("model_type")
        if model_type not in CLASSES or model_type not in CONFIG_MAPPING:
            raise OtherKindError(
                f"{name}: its config.json describes a {model_type!r} model, and transformers has "
                "no causal language model of that family; code that comes with a checkpoint is "
                "never executed."
            )
        of_rewards = [str(one) for one in values.get("architectures") or ()]
        of_rewards = [one for one in of_rewards if _REWARD_CLASS.search(one)]
        if of_rewards:
            raise OtherKindError(
                f"{name}: this is a reward model and no language model: its config.json names the "
                f"class {of_rewards[0]}."
            )
        refuse_own_code(
            name,
            values,
            own_classes=class_names(CLASSES[model_type]),
            auto_class="AutoModelForCausalLM",
        )
        config = CONFIG_MAPPING[model_type].from_dict(dict(values))
        if config.get_text_config() is not config:
            raise CheckpointError(
                f"{name}: this is a model of texts and other things ({model_type}); this judge "
                "takes models of texts alone."
            )
        if _sees_what_follows(config):
            raise CheckpointError(
                f"{name}: this {model_type} model sees the whole text at each token (its "
                "config.json: is_decoder, is_causal, use_bidirectional_attention), the token that "
                "it would predict as well: its likelihoods would say nothing. Give a causal "
                "language model."
            )
        return config

    def require_weights(self, name: str, network: nn.Module, keys: Collection[str]) -> None:
        """See `Architecture.require_weights`."""
        if any(head in keys for head in _REWARD_HEADS):
            raise OtherKindError(f"{name}: this is a reward model and no language model.")

    def network(self, config: Any) -> nn.Module:
        """See `Architecture.network`."""
        from transformers import AutoModelForCausalLM

        model: nn.Module = AutoModelForCausalLM.from_config(config)
        return model


def _sees_what_follows(config: Any) -> bool:
    """Whether attention goes in both directions; transformers makes causal models of encoders."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES as ENCODERS

    if config.model_type in ENCODERS and not getattr(config, "is_encoder_decoder", False):
        # XLM's configuration calls it causal.
        return not (getattr(config, "is_decoder", False) or getattr(config, "causal", False))
    is_causal = getattr(config, "is_causal", True) is not False
    return not is_causal or bool(getattr(config, "use_bidirectional_attention", False))


ULTRARM = ScalarDecoder(LlamaRewardModel, "UltraRM")
EURUS = ScalarDecoder(decoder_class("mistral", LlamaRewardModel.head_name), "Eurus-RM")
