"""Causal language models of transformers."""

from __future__ import annotations

import re
from typing import Any

from torch import nn

from ultrarm_eval.checkpoints.architecture import Architecture
from ultrarm_eval.checkpoints.own_code import refuse_own_code
from ultrarm_eval.checkpoints.stock_classes import stock_classes
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.errors import CheckpointError, OtherKindError

_REWARD_CLASS = re.compile("Reward|ForSequenceClassification")
_REWARD_HEADS = ("score.weight", "regression_head.weight")


class CausalLanguageModel(Architecture):
    """A causal language model of a family that transformers knows."""

    known_as = "a causal language model"
    reading = "its outputs at the completion's tokens"

    def read_config(self, survey: Survey) -> Any:
        """See `Architecture.read_config`."""
        name, values = survey.name, survey.values
        from transformers import CONFIG_MAPPING
        from transformers.models.auto.modeling_auto import (
            MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CLASSES,
        )

        model_type = survey.model_type
        if model_type not in CLASSES or model_type not in CONFIG_MAPPING:
            raise OtherKindError(
                f"{name}: its config.json describes a {model_type!r} model, but transformers has "
                "no causal language model of that family, and code in checkpoints is never "
                "executed."
            )
        of_rewards = [one for one in survey.classes if _REWARD_CLASS.search(one)]
        if of_rewards:
            raise OtherKindError(
                f"{name}: this is a reward model, not a language model: its config.json names the "
                f"class {of_rewards[0]}."
            )
        refuse_own_code(
            name,
            values,
            own_classes=stock_classes(model_type, CLASSES),
            auto_class="AutoModelForCausalLM",
        )
        config = CONFIG_MAPPING[model_type].from_dict(dict(values))
        if config.get_text_config() is not config:
            raise CheckpointError(
                f"{name}: this is a multimodal model ({model_type}); this judge supports only "
                "text models."
            )
        if _sees_what_follows(config):
            raise CheckpointError(
                f"{name}: this {model_type} model is bidirectional (its config.json: is_decoder, "
                "is_causal, use_bidirectional_attention), so its likelihoods would be "
                "meaningless. Use a causal language model."
            )
        return config

    def require_weights(self, survey: Survey, network: nn.Module) -> None:
        """See `Architecture.require_weights`."""
        if any(head in survey.keys for head in _REWARD_HEADS):
            raise OtherKindError(f"{survey.name}: this is a reward model, not a language model.")

    def network(self, config: Any, survey: Survey) -> nn.Module:
        """See `Architecture.network`."""
        from transformers import AutoModelForCausalLM

        model: nn.Module = AutoModelForCausalLM.from_config(config)
        return model


def _sees_what_follows(config: Any) -> bool:
    """Whether attention is bidirectional; transformers builds causal models of encoders, too."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES as ENCODERS

    if config.model_type in ENCODERS and not getattr(config, "is_encoder_decoder", False):
        # XLM's configuration calls it causal.
        return not (getattr(config, "is_decoder", False) or getattr(config, "causal", False))
    is_causal = getattr(config, "is_causal", True) is not False
    return not is_causal or bool(getattr(config, "use_bidirectional_attention", False))
