"""What a config.json says of a body, and the names and shapes of its weights, by family.

Vocabularies and ids are the published models'; everything else is small. The weights are those
that transformers writes (of InternLM2, those of the published files).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

Shapes: TypeAlias = dict[str, tuple[int, ...]]

HIDDEN, INNER, HEADS, KEY_HEADS, HEAD = 16, 32, 2, 1, 8
QUERIES, KEYS = HEADS * HEAD, KEY_HEADS * HEAD


@dataclass(frozen=True)
class Body:
    """A body: the part of config.json that describes it, and its weights."""

    config: dict[str, Any]
    weights: Shapes

    def renamed(self, old: str, new: str) -> Body:
        """The same with another beginning of its weights' names."""
        weights = {
            new + key.removeprefix(old) if key.startswith(old) else key: shape
            for key, shape in self.weights.items()
        }
        return replace(self, weights=weights)


def decoder(
    vocab: int,
    *,
    prefix: str = "model.",
    query_key_bias: bool = False,
    query_key_norm: bool = False,
    norms_around_mlp: bool = False,
) -> Shapes:
    """The weights of a decoder of the Llama kind, with one layer."""
    layer = {
        "input_layernorm.weight": (HIDDEN,),
        "post_attention_layernorm.weight": (HIDDEN,),
        "self_attn.q_proj.weight": (QUERIES, HIDDEN),
        "self_attn.k_proj.weight": (KEYS, HIDDEN),
        "self_attn.v_proj.weight": (KEYS, HIDDEN),
        "self_attn.o_proj.weight": (HIDDEN, QUERIES),
        "mlp.gate_proj.weight": (INNER, HIDDEN),
        "mlp.up_proj.weight": (INNER, HIDDEN),
        "mlp.down_proj.weight": (HIDDEN, INNER),
    }
    if query_key_bias:
        layer |= {
            "self_attn.q_proj.bias": (QUERIES,),
            "self_attn.k_proj.bias": (KEYS,),
            "self_attn.v_proj.bias": (KEYS,),
        }
    if query_key_norm:
        layer |= {"self_attn.q_norm.weight": (HEAD,), "self_attn.k_norm.weight": (HEAD,)}
    if norms_around_mlp:
        layer |= {
            "pre_feedforward_layernorm.weight": (HIDDEN,),
            "post_feedforward_layernorm.weight": (HIDDEN,),
        }
    return {
        f"{prefix}embed_tokens.weight": (vocab, HIDDEN),
        **{f"{prefix}layers.0.{key}": shape for key, shape in layer.items()},
        f"{prefix}norm.weight": (HIDDEN,),
    }


def sizes(model_type: str, vocab: int, **fields: Any) -> dict[str, Any]:
    """What a config.json says of a decoder's sizes, and other fields."""
    return {
        "model_type": model_type,
        "vocab_size": vocab,
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_hidden_layers": 1,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KEY_HEADS,
        "torch_dtype": "bfloat16",
        **fields,
    }


def llama2(vocab: int = 32000) -> Body:
    config = sizes(
        "llama",
        vocab,
        hidden_act="silu",
        max_position_embeddings=4096,
        rms_norm_eps=1e-05,
        bos_token_id=1,
        eos_token_id=2,
        tie_word_embeddings=False,
    )
    return Body(config, decoder(vocab))


def llama3(vocab: int = 128256, *, end: int | list[int] = 128009) -> Body:
    config = sizes(
        "llama",
        vocab,
        hidden_act="silu",
        max_position_embeddings=8192,
        rms_norm_eps=1e-05,
        rope_theta=500000.0,
        bos_token_id=128000,
        eos_token_id=end,
        tie_word_embeddings=False,
    )
    return Body(config, decoder(vocab))


def llama31(vocab: int = 128256) -> Body:
    body = llama3(vocab, end=[128001, 128008, 128009])
    scaling = {
        "factor": 8.0,
        "high_freq_factor": 4.0,
        "low_freq_factor": 1.0,
        "original_max_position_embeddings": 8192,
        "rope_type": "llama3",
    }
    config = {**body.config, "max_position_embeddings": 131072, "rope_scaling": scaling}
    return replace(body, config=config)


def mistral(vocab: int = 32000) -> Body:
    config = sizes(
        "mistral",
        vocab,
        hidden_act="silu",
        max_position_embeddings=32768,
        rms_norm_eps=1e-05,
        sliding_window=4096,
        bos_token_id=1,
        eos_token_id=2,
        tie_word_embeddings=False,
    )
    return Body(config, decoder(vocab))


def qwen2(vocab: int = 152064, *, end: int = 151645) -> Body:
    config = sizes(
        "qwen2",
        vocab,
        hidden_act="silu",
        max_position_embeddings=32768,
        rms_norm_eps=1e-06,
        rope_theta=1000000.0,
        use_sliding_window=False,
        bos_token_id=151643,
        eos_token_id=end,
        tie_word_embeddings=False,
    )
    return Body(config, decoder(vocab, query_key_bias=True))


def qwen3(vocab: int = 151936) -> Body:
    config = sizes(
        "qwen3",
        vocab,
        head_dim=HEAD,
        hidden_act="silu",
        attention_bias=False,
        max_position_embeddings=40960,
        rms_norm_eps=1e-06,
        rope_theta=1000000,
        bos_token_id=151643,
        eos_token_id=151645,
        tie_word_embeddings=True,
    )
    return Body(config, decoder(vocab, query_key_norm=True))


def gemma_fields() -> dict[str, Any]:
    """What every Gemma's config.json says."""
    return {
        "head_dim": HEAD,
        "hidden_activation": "gelu_pytorch_tanh",
        "max_position_embeddings": 8192,
        "rms_norm_eps": 1e-06,
        "bos_token_id": 2,
        "eos_token_id": 1,
        "pad_token_id": 0,
        "tie_word_embeddings": True,
    }


def gemma() -> Body:
    config = sizes("gemma", 256000, hidden_act="gelu", **gemma_fields())
    return Body(config, decoder(256000))


def gemma2() -> Body:
    config = sizes(
        "gemma2",
        256000,
        attn_logit_softcapping=50.0,
        final_logit_softcapping=30.0,
        query_pre_attn_scalar=HEAD,
        sliding_window=4096,
        **gemma_fields(),
    )
    return Body(config, decoder(256000, norms_around_mlp=True))


def internlm2() -> Body:
    """InternLM2, whose queries, keys and values are fused; transformers has no such family."""
    vocab = 92544
    config = sizes(
        "internlm2",
        vocab,
        bias=False,
        hidden_act="silu",
        max_position_embeddings=32768,
        rms_norm_eps=1e-05,
        rope_theta=1000000,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
        torch_dtype="float16",
    )
    layer = {
        "attention.wqkv.weight": (QUERIES + 2 * KEYS, HIDDEN),
        "attention.wo.weight": (HIDDEN, QUERIES),
        "attention_norm.weight": (HIDDEN,),
        "feed_forward.w1.weight": (INNER, HIDDEN),
        "feed_forward.w2.weight": (HIDDEN, INNER),
        "feed_forward.w3.weight": (INNER, HIDDEN),
        "ffn_norm.weight": (HIDDEN,),
    }
    weights = {
        "model.tok_embeddings.weight": (vocab, HIDDEN),
        "model.norm.weight": (HIDDEN,),
        **{f"model.layers.0.{key}": shape for key, shape in layer.items()},
    }
    return Body(config, weights)
