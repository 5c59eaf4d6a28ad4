"""InternLM2-Reward (1.8B, 7B, 20B): a linear head at a token that is appended to the text.

transformers does not have this family. Its body is Llama's under other names, with the query, key
and value projections in one weight: for each key-value head its queries, its key, its value. The
checkpoint's own `get_score` renders the chat template, tokenizes it without adding special tokens,
and appends `reward_token_id`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch

from ultrarm_eval.checkpoints.foreign_errors import quoted
from ultrarm_eval.checkpoints.known_head import KnownHead
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.tokenizer import LoadedTokenizer
from ultrarm_eval.checkpoints.unread_models import why_unread
from ultrarm_eval.checkpoints.weight_map import WeightMap, WeightSource
from ultrarm_eval.errors import CheckpointError
from ultrarm_eval.judges.reward_head import DecoderHead
from ultrarm_eval.reward_models.headed_judge import HeadedJudge

_MODEL_TYPE, _REWARD_TOKEN = "internlm2", "reward_token_id"
#: Llama's names of a layer's weights, by InternLM2's.
_LAYER = {
    "attention.wo": "self_attn.o_proj",
    "feed_forward.w1": "mlp.gate_proj",
    "feed_forward.w3": "mlp.up_proj",
    "feed_forward.w2": "mlp.down_proj",
    "attention_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}
_WHOLE = {"tok_embeddings": "embed_tokens", "norm": "norm"}
_FUSED, _PROJECTIONS = "attention.wqkv", ("q_proj", "k_proj", "v_proj")
# Fields of config.json that the two families have in common.
_SHARED = (
    "attention_dropout",
    "bos_token_id",
    "dtype",
    "eos_token_id",
    "hidden_act",
    "hidden_size",
    "initializer_range",
    "intermediate_size",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "pad_token_id",
    "quantization_config",
    "rms_norm_eps",
    "rope_theta",
    "tie_word_embeddings",
    "torch_dtype",
    "vocab_size",
)


class InternLM2Reward(KnownHead):
    """The checkpoint of an InternLM2-Reward."""

    known_as = "InternLM2-Reward"
    reading = "a linear head at the reward token, which is appended to the text"
    classes = frozenset({"InternLM2ForRewardModel", "InternLM2Config"})
    families = frozenset({"llama"})
    head = "v_head"

    def read_config(self, survey: Survey) -> Any:
        """See `Architecture.read_config`."""
        unread = why_unread(survey)
        if unread is not None:
            raise CheckpointError(
                f"{survey.name}: this is {unread}. No judge of this package supports it."
            )
        return super().read_config(survey)

    def body_values(self, survey: Survey) -> Mapping[str, Any]:
        """See `HeadedDecoder.body_values`; unchanged for a family other than InternLM2."""
        values = survey.values
        if values.get("model_type") != _MODEL_TYPE:
            return values
        return {
            **{name: values[name] for name in _SHARED if name in values},
            "model_type": "llama",
            "attention_bias": bool(values.get("bias", False)),
            "mlp_bias": False,
            **_scaling(survey),
            _REWARD_TOKEN: _reward_token(survey),
        }

    def body_weights(self, config: Any, survey: Survey) -> WeightMap:
        """See `HeadedDecoder.body_weights`."""
        found = {
            f"model.{llama}.weight": WeightSource.of(f"model.{own}.weight")
            for own, llama in _WHOLE.items()
        }
        kinds = ("weight", "bias") if config.attention_bias else ("weight",)
        for layer in range(config.num_hidden_layers):
            at = f"model.layers.{layer}."
            for own, llama in _LAYER.items():
                of_layer = kinds if own == "attention.wo" else ("weight",)
                for kind in of_layer:
                    found[f"{at}{llama}.{kind}"] = WeightSource.of(f"{at}{own}.{kind}")
            for place, projection in enumerate(_PROJECTIONS):
                part = partial(_part, place=place, config=config)
                for kind in kinds:
                    source = WeightSource((f"{at}{_FUSED}.{kind}",), part)
                    found[f"{at}self_attn.{projection}.{kind}"] = source
        return found


def _part(fused: torch.Tensor, *, place: int, config: Any) -> torch.Tensor:
    """The queries' (place 0), the keys' (1) or the values' (2) part of a fused weight or bias."""
    shared = config.num_key_value_heads
    queries = config.num_attention_heads // shared
    size = config.hidden_size // config.num_attention_heads
    by_head = fused.view(shared, queries + 2, size, *fused.shape[1:])
    rows = by_head[:, :queries] if place == 0 else by_head[:, queries + place - 1]
    return rows.reshape(-1, *fused.shape[1:])


def _reward_token(survey: Survey) -> int:
    """The id of the token that is appended to the text."""
    token, tokens = survey.values.get(_REWARD_TOKEN), survey.values.get("vocab_size")
    if isinstance(token, int) and isinstance(tokens, int) and 0 <= token < tokens:
        return token
    raise CheckpointError(
        f"{survey.name}: config.json: {_REWARD_TOKEN} is {quoted(token)}; it must be the id, "
        f"below vocab_size ({quoted(tokens)}), of the token at which the reward is computed. "
        "Download config.json again."
    )


def _scaling(survey: Survey) -> dict[str, Any]:
    """The scaling of positions, by transformers' field names."""
    given = survey.values.get("rope_scaling")
    if given is None:
        return {}
    kind = given.get("type", given.get("rope_type")) if isinstance(given, dict) else None
    factor = given.get("factor") if isinstance(given, dict) else None
    # Dynamic scaling begins beyond max_position_embeddings, and no text is longer.
    if kind == "dynamic":
        return {}
    if kind == "linear" and isinstance(factor, int | float):
        return {"rope_scaling": {"rope_type": "linear", "factor": float(factor)}}
    raise CheckpointError(
        f"{survey.name}: config.json: rope_scaling is {quoted(given)}; InternLM2 supports the "
        "types dynamic and linear, with a factor."
    )


class InternLM2RewardJudge(HeadedJudge):
    """Scores texts with an InternLM2-Reward."""

    name = "internlm2-reward"
    architecture = InternLM2Reward()
    gives_token_rewards = False
    default_checkpoint = "internlm/internlm2-7b-reward"

    def make_head(self, loaded: LoadedTokenizer) -> DecoderHead:
        """See `CheckpointJudge.make_head`."""
        reward_token: int = self.checkpoint.config.reward_token_id
        return DecoderHead(self.checkpoint, final_id=reward_token)
