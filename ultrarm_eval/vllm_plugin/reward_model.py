"""The model that vLLM runs: vLLM's body with our judge's head.

Imported by vLLM, where a reward model is served.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, ClassVar, cast

import torch
from torch import nn
from vllm.model_executor.layers.pooler import DispatchPooler
from vllm.model_executor.layers.pooler.activations import PoolerIdentity
from vllm.model_executor.layers.pooler.seqwise import pooler_for_classify
from vllm.model_executor.layers.pooler.tokwise import pooler_for_token_classify
from vllm.model_executor.models.adapters import as_seq_cls_model
from vllm.model_executor.models.interfaces import (
    has_inner_state,
    is_attention_free,
    supports_multimodal,
    supports_pp,
)
from vllm.model_executor.models.registry import ModelRegistry

from ultrarm_eval.checkpoints.checkpoint import Checkpoint
from ultrarm_eval.checkpoints.decoder_reward_model import DecoderRewardModel
from ultrarm_eval.checkpoints.weights import refuse_missing
from ultrarm_eval.errors import CheckpointError, ConfigurationError
from ultrarm_eval.vllm_plugin.served_checkpoint import opened_checkpoint
from ultrarm_eval.vllm_plugin.weight_stream import (
    HEAD,
    Named,
    head_in_further_files,
    renamed_stream,
    weight_sources,
)


class RewardModel(nn.Module):
    """The registered class; creating it returns a reward model with the body of the checkpoint.

    vLLM reads its class attributes before it opens the checkpoint.
    """

    is_pooling_model: ClassVar[bool] = True
    supports_pp: ClassVar[bool] = True
    make_empty_intermediate_tensors: ClassVar[Any] = None

    def __new__(cls, *, vllm_config: Any, prefix: str = "") -> Any:
        """Creates the reward model; this class itself has no instances.

        Args:
            vllm_config: vLLM's configuration.
            prefix: The prefix of its layers' names.

        Raises:
            UltrarmEvalError: The checkpoint, or a setting of vLLM, cannot be used.
        """
        checkpoint = opened_checkpoint(vllm_config.model_config)
        model_class = _on_body(_body_of(checkpoint))
        if vllm_config.parallel_config.pipeline_parallel_size > 1 and not supports_pp(model_class):
            raise ConfigurationError(
                f"{checkpoint.name}: vLLM does not support pipeline parallelism for "
                f"{checkpoint.config.model_type} models. Remove pipeline_parallel_size."
            )
        if vllm_config.quant_config is not None:
            from vllm.model_executor.model_loader.utils import configure_quant_config

            # vLLM did this for this class, which lacks the body's packed modules.
            configure_quant_config(vllm_config.quant_config, model_class)
        return model_class(vllm_config=vllm_config, prefix=prefix, checkpoint=checkpoint)

    def __init__(self, *, vllm_config: Any, prefix: str = "") -> None:
        raise NotImplementedError

    def embed_input_ids(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Required by vLLM's model interface; never called."""
        raise NotImplementedError

    def forward(
        self,
        input_ids: torch.Tensor | None,
        positions: torch.Tensor,
        intermediate_tensors: Any = None,
        inputs_embeds: torch.Tensor | None = None,
    ) -> Any:
        """Required by vLLM's model interface; never called."""
        raise NotImplementedError


def _body_of(checkpoint: Checkpoint) -> str:
    """The name in vLLM of the causal language model with a checkpoint's body.

    Raises:
        ConfigurationError: vLLM does not support the model family.
    """
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    family = checkpoint.config.model_type
    name = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(family)
    if name not in ModelRegistry.models:
        raise ConfigurationError(
            f"{checkpoint.name}: vLLM does not support the model family {family} ({name})."
        )
    return str(name)


@cache
def _on_body(name: str) -> Any:
    """The class of reward models with a body of vLLM.

    Args:
        name: vLLM's name of the causal language model with that body.

    Raises:
        ConfigurationError: The body is not a plain text decoder.
    """
    body = ModelRegistry.models[name].load_model_cls()
    if has_inner_state(body) or is_attention_free(body) or supports_multimodal(body):
        raise ConfigurationError(
            f"vLLM's {name} is not a plain text decoder, so it cannot serve reward models."
        )
    adapted: Any = as_seq_cls_model(body)

    class RewardModelOnBody(adapted):  # type: ignore[misc]
        """A body of vLLM and a reward head, read at the last token without an activation."""

        def __init__(self, *, vllm_config: Any, prefix: str = "", checkpoint: Checkpoint) -> None:
            self.__dict__["checkpoint"] = checkpoint
            super().__init__(vllm_config=vllm_config, prefix=prefix)
            if not isinstance(getattr(self, "reward_head", None), nn.Module):
                raise ConfigurationError(
                    "ultrarm-eval does not support the poolers of this version of vLLM. Install a "
                    "supported version of vLLM."
                )
            self._is_loaded, self._is_quantized = False, vllm_config.quant_config is not None

        def _init_pooler(self, vllm_config: Any, prefix: str = "") -> Any:
            _require_raw(vllm_config.model_config.pooler_config)
            checkpoint = self.checkpoint
            network = cast(DecoderRewardModel, checkpoint.network)
            # vLLM sets the model's device as torch's default while it creates the model.
            device = torch.empty(0).device
            head = network.reward_head.to(torch.float32).to_empty(device=device)
            self.reward_head = head.requires_grad_(False)
            given = {
                "classifier": checkpoint.architecture.at_last_token(self.reward_head),
                "act_fn": PoolerIdentity(),
            }
            config = vllm_config.model_config.pooler_config
            return DispatchPooler(
                {
                    "classify": pooler_for_classify(config, **given),
                    "token_classify": pooler_for_token_classify(config, **given),
                }
            )

        def load_weights(self, weights: Iterable[Named]) -> set[str]:
            """Loads the stored weights of body and head.

            Args:
                weights: The weights by their names in the files.

            Returns:
                The names of the loaded weights.

            Raises:
                CheckpointError: The head lacks a weight.
            """
            checkpoint, own = self.checkpoint, dict(self.reward_head.named_parameters())
            found: dict[str, torch.Tensor] = {}

            def of_body() -> Iterable[Named]:
                for name, weight in renamed_stream(weights, weight_sources(checkpoint)):
                    if name.startswith(HEAD):
                        found[name.removeprefix(HEAD)] = weight.clone()
                    else:
                        yield name, weight

            reported = super().load_weights(of_body())
            loaded = set(reported or ())
            found |= head_in_further_files(checkpoint)
            if not self._is_loaded:
                refuse_missing(checkpoint.name, {HEAD + name for name in own.keys() - found})
            for name, weight in found.items():
                if own[name].shape != weight.shape:
                    raise CheckpointError(
                        f"{checkpoint.name}: the weight {name} of its head has the shape "
                        f"{list(weight.shape)}, but must have {list(own[name].shape)}."
                    )
                own[name].data.copy_(weight)
            loaded |= {HEAD + name for name in found}
            if not self._is_loaded and not self._is_quantized and reported is not None:
                # vLLM does not report most missing weights, whose memory would be uninitialized.
                unset = {name for name, _ in self.named_parameters()} - loaded
                refuse_missing(checkpoint.name, unset)
            self._is_loaded = True
            return loaded

    RewardModelOnBody.__name__ = f"RewardModelOn{body.__name__}"
    return RewardModelOnBody


def _require_raw(pooler: Any) -> None:
    """Rejects settings of vLLM's pooler that would change rewards."""
    pooling = pooler.get_seq_pooling_type()
    if pooling != "LAST":
        raise ConfigurationError(
            f"The pooling type is {pooling} (set by --pooler-config or a file next to the "
            'weights), but rewards are computed at a text\'s last token. Use {"pooling_type": '
            '"LAST"}.'
        )
    if pooler.logit_mean is not None or pooler.logit_sigma is not None:
        raise ConfigurationError(
            "--pooler-config: logit_mean and logit_sigma would scale the rewards. Remove them."
        )
