"""A decoder of transformers with a head that transformers does not have."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from torch import nn

from ultrarm_eval.checkpoints.architecture import Architecture
from ultrarm_eval.checkpoints.decoder_reward_model import REWARD_HEAD, headed_class
from ultrarm_eval.checkpoints.own_code import refuse_own_code
from ultrarm_eval.checkpoints.stock_classes import stock_classes
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.unread_weights import plays_no_part
from ultrarm_eval.checkpoints.weight_map import WeightMap, WeightSource, renamed_keys
from ultrarm_eval.checkpoints.weights import refuse_missing
from ultrarm_eval.errors import CheckpointError, OtherKindError

__all__ = ["HeadedDecoder", "Shapes"]

#: Shapes of a head's weights, by their names in the head.
Shapes = Mapping[str, tuple[int, ...]]
_BODY = "model."


class HeadedDecoder(Architecture):
    """A type of checkpoint with a decoder of transformers and a head that transformers lacks.

    A subclass defines the type's name in config.json, the head's stored weights, and the head
    itself. The head gets the hidden states after the body's final norm in float32.

    Attributes:
        classes: The class names in config.json, its `auto_map` included, that belong to this type.
            They compute the same as here; the checkpoint's code is never executed.
        families: The model types of transformers that the body may have; any decoder if empty.
        body: The prefix of the body's weight names in the files.
        not_read: Patterns of the names of stored weights that play no part in rewards.
        is_known_code: Whether checkpoint code with those class names computes the same as here.
        head_fields: Fields of config.json that describe only the head.
    """

    only_recognised = True
    classes: ClassVar[frozenset[str]]
    families: ClassVar[frozenset[str]] = frozenset()
    body: ClassVar[str] = _BODY
    not_read: ClassVar[tuple[str, ...]] = ()
    is_known_code: ClassVar[bool] = True
    head_fields: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def head_weights(self, survey: Survey) -> Mapping[str, WeightSource]:
        """The sources of the head's weights, by their names in the head.

        Args:
            survey: The checkpoint's small files.
        """

    @abstractmethod
    def make_head(self, shapes: Shapes, config: Any) -> nn.Module:
        """The head, in float32: maps hidden states (..., hidden size) to (..., width).

        Args:
            shapes: The shapes of those of its weights that are stored unchanged.
            config: The configuration of the body.

        Raises:
            CheckpointError: The shapes do not fit such a head.
        """

    def recognises(self, survey: Survey) -> bool:
        """See `Architecture.recognises`; by the class that config.json names."""
        return any(one in self.classes for one in survey.classes)

    def read_config(self, survey: Survey) -> Any:
        """See `Architecture.read_config`."""
        from transformers import CONFIG_MAPPING
        from transformers.models.auto.modeling_auto import (
            MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
            MODEL_FOR_MASKED_LM_MAPPING_NAMES,
            MODEL_MAPPING_NAMES,
        )

        values = self.body_values(survey)
        model_type = str(values.get("model_type") or "")
        is_decoder = (
            model_type in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
            # An encoder attends to later tokens: its output would depend on padding.
            and model_type not in MODEL_FOR_MASKED_LM_MAPPING_NAMES
        )
        if not is_decoder or (self.families and model_type not in self.families):
            known = f" ({', '.join(sorted(self.families))})" if self.families else ""
            raise OtherKindError(
                f"{survey.name}: its config.json describes a {model_type!r} model, but the body "
                f"of {self.known_as} must be a decoder of transformers{known}."
            )
        stock = stock_classes(model_type, MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, MODEL_MAPPING_NAMES)
        refuse_own_code(
            survey.name,
            survey.values,
            own_classes=self.known_classes(survey) | stock,
            auto_class="AutoModel",
            is_known_code=self.is_known_code,
        )
        config = CONFIG_MAPPING[model_type].from_dict(dict(values))
        if config.get_text_config() is not config:
            raise CheckpointError(
                f"{survey.name}: this is a multimodal model ({model_type}); {self.known_as} is "
                "supported only for text models."
            )
        return config

    def known_classes(self, survey: Survey) -> frozenset[str]:
        """The classes that are known to compute the same as this type.

        Args:
            survey: The checkpoint's small files.
        """
        return self.classes

    def body_values(self, survey: Survey) -> Mapping[str, Any]:
        """The body's fields of config.json, by transformers' field names."""
        return survey.values

    def weight_map(self, config: Any, survey: Survey) -> WeightMap:
        """See `Architecture.weight_map`."""
        self._require_head(survey)
        head = {
            f"{REWARD_HEAD}.{name}": source for name, source in self.head_weights(survey).items()
        }
        return {**self.body_weights(config, survey), **head}

    def body_weights(self, config: Any, survey: Survey) -> WeightMap:
        """The sources of the body's weights, by the network's names.

        Args:
            config: The configuration of the body.
            survey: The checkpoint's small files.
        """
        beginning = self.body_of(survey)
        return {
            _BODY + key.removeprefix(beginning): WeightSource.of(key)
            for key in survey.keys
            if key.startswith(beginning) and not plays_no_part(key)
        }

    def body_of(self, survey: Survey) -> str:
        """The prefix of the body's weight names in the files.

        Args:
            survey: The checkpoint's small files.
        """
        return self.body

    def network(self, config: Any, survey: Survey) -> nn.Module:
        """See `Architecture.network`."""
        shapes = {
            name: shape
            for name, source in self.head_weights(survey).items()
            if source.make is None and (shape := survey.shape(source.keys[0])) is not None
        }
        network = headed_class(config.model_type, partial(self.make_head, shapes))
        network._keys_to_ignore_on_load_unexpected = [*self.not_read]
        try:
            return network(config)
        except CheckpointError as error:
            raise CheckpointError(f"{survey.name}: {error}") from error

    def require_weights(self, survey: Survey, network: nn.Module) -> None:
        """See `Architecture.require_weights`."""
        made = renamed_keys(self.weight_map(getattr(network, "config", None), survey), survey.keys)
        refuse_missing(survey.name, {name for name, _ in network.named_parameters()} - made)

    def _require_head(self, survey: Survey) -> None:
        sources = self.head_weights(survey).values()
        keys = sorted({key for source in sources for key in source.keys} - survey.keys)
        if keys or not sources:
            named = ", ".join(map(repr, keys)) or "all weights of the head"
            is_of_this_kind = any(one in self.classes for one in survey.classes)
            raise (CheckpointError if is_of_this_kind else OtherKindError)(
                f"{survey.name}: the weights lack {named}, so its rewards would be random. Use a "
                f"complete checkpoint of {self.known_as}."
            )
