"""Checkpoints of causal language models, and judges that score with their likelihoods."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from ultrarm_eval.checkpoints.architecture import class_names
from ultrarm_eval.checkpoints.checkpoint import Checkpoint
from ultrarm_eval.checkpoints.own_code import refuse_own_code
from ultrarm_eval.checkpoints.own_forward import load_own_forward
from ultrarm_eval.checkpoints.tokenizer import LoadedTokenizer
from ultrarm_eval.engine.batching import AUTO, resolve_batching
from ultrarm_eval.engine.engine import Capabilities
from ultrarm_eval.engine.kernels.choice import AUTO as ANY_ATTENTION
from ultrarm_eval.engine.kernels.choice import PADDED_KERNELS
from ultrarm_eval.engine.plan import PADDED
from ultrarm_eval.errors import CheckpointError, ConfigurationError, OtherKindError
from ultrarm_eval.judges.checkpoint_judge import CheckpointJudge
from ultrarm_eval.text_format.completion_encoder import CompletionEncoder
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.template import CHAT_TEMPLATE

_REWARD_CLASS = re.compile("Reward|ForSequenceClassification")
_REWARD_HEADS = ("score.weight", "regression_head.weight")


@dataclass(frozen=True)
class CausalLanguageModel:
    """A causal language model of a family that transformers knows."""

    def read_config(self, name: str, values: Mapping[str, Any]) -> Any:
        """See `ultrarm_eval.checkpoints.architecture.Architecture.read_config`."""
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
        """See `ultrarm_eval.checkpoints.architecture.Architecture.require_weights`."""
        if any(head in keys for head in _REWARD_HEADS):
            raise OtherKindError(f"{name}: this is a reward model and no language model.")

    def network(self, config: Any) -> nn.Module:
        """See `ultrarm_eval.checkpoints.architecture.Architecture.network`."""
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


class LanguageModelJudge(CheckpointJudge):
    """A judge that runs a language model, padded, through its own forward pass."""

    architecture = CausalLanguageModel()
    default_template = CHAT_TEMPLATE

    def _make_encoder(self, loaded: LoadedTokenizer, **options: Any) -> TextEncoder:
        return CompletionEncoder(loaded.tokenizer, self._template, **options)

    def _outputs_per_token(self) -> int:
        return int(self._checkpoint.config.vocab_size)

    def _resolve_batching(self, requested: str) -> tuple[str, bool]:
        served = self._attention in (ANY_ATTENTION, *PADDED_KERNELS)
        if requested not in (AUTO, PADDED) or not served or self._compiled:
            raise ConfigurationError(
                f"judge={self.name} runs texts padded: batching={PADDED}, attn_implementation "
                f"{ANY_ATTENTION} or one of {', '.join(PADDED_KERNELS)}, and no torch_compile. "
                f"It was given batching={requested}, attn_implementation={self._attention}, "
                f"torch_compile={self._compiled}."
            )
        return resolve_batching(PADDED, self._checkpoint.config)

    def _capabilities(self) -> Capabilities:
        return Capabilities(token_rewards=True, likelihoods=True)

    def _load_language_model(self, checkpoint: Checkpoint) -> Any:
        from transformers import AutoModelForCausalLM

        return load_own_forward(
            AutoModelForCausalLM,
            checkpoint,
            self._dtype,
            self._device,
            parallelize=self._parallelize,
            attention=None if self._attention == ANY_ATTENTION else self._attention,
            quantization=self._quantization,
        )
