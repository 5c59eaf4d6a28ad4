"""Gemma 3 and Qwen 3.5: models of texts and pictures, and Gemma 3's of texts alone."""

from __future__ import annotations

from typing import Any

from tests.reward_models.config_entries.bodies import (
    HEAD,
    HEADS,
    HIDDEN,
    INNER,
    KEYS,
    QUERIES,
    Body,
    decoder,
    gemma_fields,
    sizes,
)


def _text_config_of_gemma3(vocab: int) -> dict[str, Any]:
    return sizes(
        "gemma3_text",
        vocab,
        query_pre_attn_scalar=HEAD,
        sliding_window=512,
        rope_local_base_freq=10000,
        rope_theta=1000000,
        **{**gemma_fields(), "max_position_embeddings": 32768},
    )


def gemma3_text() -> Body:
    weights = decoder(262144, query_key_norm=True, norms_around_mlp=True)
    return Body(_text_config_of_gemma3(262144), weights)


def gemma3() -> Body:
    """Gemma 3 of texts and pictures, as transformers 4 names its weights."""
    vocab, patches, patch = 262208, 4, 14
    vision = {
        "model_type": "siglip_vision_model",
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_hidden_layers": 1,
        "num_attention_heads": HEADS,
        "image_size": 2 * patch,
        "patch_size": patch,
        "vision_use_head": False,
    }
    config = {
        "model_type": "gemma3",
        "text_config": _text_config_of_gemma3(vocab),
        "vision_config": vision,
        "mm_tokens_per_image": patches,
        "boi_token_index": 255999,
        "eoi_token_index": 256000,
        "image_token_index": 262144,
        "eos_token_id": [1, 106],
        "torch_dtype": "bfloat16",
    }
    layer = {
        **{f"layer_norm{i}.{part}": (HIDDEN,) for i in (1, 2) for part in ("weight", "bias")},
        **{
            f"self_attn.{name}.{part}": (HIDDEN, HIDDEN) if part == "weight" else (HIDDEN,)
            for name in ("q_proj", "k_proj", "v_proj", "out_proj")
            for part in ("weight", "bias")
        },
        "mlp.fc1.weight": (INNER, HIDDEN),
        "mlp.fc1.bias": (INNER,),
        "mlp.fc2.weight": (HIDDEN, INNER),
        "mlp.fc2.bias": (HIDDEN,),
    }
    tower = {
        "embeddings.patch_embedding.weight": (HIDDEN, 3, patch, patch),
        "embeddings.patch_embedding.bias": (HIDDEN,),
        "embeddings.position_embedding.weight": (patches, HIDDEN),
        "post_layernorm.weight": (HIDDEN,),
        "post_layernorm.bias": (HIDDEN,),
        **{f"encoder.layers.0.{key}": shape for key, shape in layer.items()},
    }
    weights = {
        **decoder(
            vocab, prefix="language_model.model.", query_key_norm=True, norms_around_mlp=True
        ),
        **{f"vision_tower.vision_model.{key}": shape for key, shape in tower.items()},
        "multi_modal_projector.mm_input_projection_weight": (HIDDEN, HIDDEN),
        "multi_modal_projector.mm_soft_emb_norm.weight": (HIDDEN,),
    }
    return Body(config, weights)


def qwen3_5() -> Body:
    """Qwen 3.5 of texts and pictures: a layer of linear attention and one of full attention."""
    vocab, patch, merged = 248320, 4, 4 * HIDDEN
    text = sizes(
        "qwen3_5_text",
        vocab,
        num_hidden_layers=2,
        layer_types=["linear_attention", "full_attention"],
        head_dim=HEAD,
        hidden_act="silu",
        linear_num_key_heads=1,
        linear_num_value_heads=2,
        linear_key_head_dim=HEAD,
        linear_value_head_dim=HEAD,
        linear_conv_kernel_dim=4,
        max_position_embeddings=262144,
        rms_norm_eps=1e-06,
        tie_word_embeddings=True,
    )
    text |= {"eos_token_id": 248044}
    config = {
        "model_type": "qwen3_5",
        "text_config": text,
        "vision_config": {
            "model_type": "qwen3_5",
            "hidden_size": HIDDEN,
            "intermediate_size": INNER,
            "depth": 1,
            "num_heads": HEADS,
            "out_hidden_size": HIDDEN,
            "patch_size": patch,
            "num_position_embeddings": 16,
        },
        "torch_dtype": "bfloat16",
    }
    mlp = {
        "input_layernorm.weight": (HIDDEN,),
        "post_attention_layernorm.weight": (HIDDEN,),
        "mlp.gate_proj.weight": (INNER, HIDDEN),
        "mlp.up_proj.weight": (INNER, HIDDEN),
        "mlp.down_proj.weight": (HIDDEN, INNER),
    }
    linear = {
        "A_log": (2,),
        "dt_bias": (2,),
        "conv1d.weight": (4 * HEAD, 1, 4),
        "in_proj_a.weight": (2, HIDDEN),
        "in_proj_b.weight": (2, HIDDEN),
        "in_proj_qkv.weight": (4 * HEAD, HIDDEN),
        "in_proj_z.weight": (2 * HEAD, HIDDEN),
        "norm.weight": (HEAD,),
        "out_proj.weight": (HIDDEN, 2 * HEAD),
    }
    full = {
        # With a gate beside each query.
        "q_proj.weight": (2 * QUERIES, HIDDEN),
        "k_proj.weight": (KEYS, HIDDEN),
        "v_proj.weight": (KEYS, HIDDEN),
        "o_proj.weight": (HIDDEN, QUERIES),
        "q_norm.weight": (HEAD,),
        "k_norm.weight": (HEAD,),
    }
    block = {
        **{f"norm{i}.{part}": (HIDDEN,) for i in (1, 2) for part in ("weight", "bias")},
        "attn.qkv.weight": (3 * HIDDEN, HIDDEN),
        "attn.qkv.bias": (3 * HIDDEN,),
        "attn.proj.weight": (HIDDEN, HIDDEN),
        "attn.proj.bias": (HIDDEN,),
        "mlp.linear_fc1.weight": (INNER, HIDDEN),
        "mlp.linear_fc1.bias": (INNER,),
        "mlp.linear_fc2.weight": (HIDDEN, INNER),
        "mlp.linear_fc2.bias": (HIDDEN,),
    }
    language = {
        "embed_tokens.weight": (vocab, HIDDEN),
        "norm.weight": (HIDDEN,),
        **{f"layers.{i}.{key}": shape for i in (0, 1) for key, shape in mlp.items()},
        **{f"layers.0.linear_attn.{key}": shape for key, shape in linear.items()},
        **{f"layers.1.self_attn.{key}": shape for key, shape in full.items()},
    }
    visual = {
        "patch_embed.proj.weight": (HIDDEN, 3, 2, patch, patch),
        "patch_embed.proj.bias": (HIDDEN,),
        "pos_embed.weight": (16, HIDDEN),
        "merger.norm.weight": (HIDDEN,),
        "merger.norm.bias": (HIDDEN,),
        "merger.linear_fc1.weight": (merged, merged),
        "merger.linear_fc1.bias": (merged,),
        "merger.linear_fc2.weight": (HIDDEN, merged),
        "merger.linear_fc2.bias": (HIDDEN,),
        **{f"blocks.0.{key}": shape for key, shape in block.items()},
    }
    weights = {
        **{f"model.language_model.{key}": shape for key, shape in language.items()},
        **{f"model.visual.{key}": shape for key, shape in visual.items()},
    }
    return Body(config, weights)
