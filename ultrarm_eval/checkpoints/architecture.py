"""A kind of reward model: what its checkpoints say and hold, and the network made of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import nn

from ultrarm_eval.checkpoints.own_code import refuse_own_code
from ultrarm_eval.errors import OtherKindError
from ultrarm_eval.judges.decoder_reward_model import DecoderRewardModel, wrong_family
from ultrarm_eval.judges.llama_reward_model import LlamaRewardModel

# What the published checkpoints, and those made like them, call a decoder with one linear head.
_REWARD_MODEL_CLASSES = frozenset(
    {"LlamaRewardModel", "LlamaRM", "UltraRM", "MistralRewardModel", "EurusRewardModel", "EurusRM"}
)


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
class ScalarHead:
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


ULTRARM = ScalarHead(LlamaRewardModel, "UltraRM")
