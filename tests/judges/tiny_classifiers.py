"""Tiny configurations of all families with a sequence classification model in transformers."""

from __future__ import annotations

from typing import Any

_TEXT: dict[str, Any] = {
    "vocab_size": 400,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 256,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
_EXPERTS = {
    "moe_intermediate_size": 16,
    "n_routed_experts": 4,
    "num_experts": 4,
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
}
#: Stands for a field that the family does not take.
_LEFT_OUT = object()
_LATENT = {
    "q_lora_rank": 16,
    "kv_lora_rank": 16,
    "v_head_dim": 8,
    "head_dim": _LEFT_OUT,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "num_key_value_heads": 4,
    "n_group": 1,
    "topk_group": 1,
    "first_k_dense_replace": 1,
    "n_shared_experts": 1,
}
_LINEAR = {
    "linear_num_value_heads": 2,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "layer_types": ["linear_attention", "full_attention"],
}
_IMAGES = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}
_IMAGES_OF_QWEN = {
    "depth": 1,
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_heads": 2,
    "patch_size": 14,
    "out_hidden_size": 32,
    "num_position_embeddings": 16,
}
_ROPE = {"rope_type": "default", "rope_theta": 1e4}
_MAMBA = ["mamba", "hybrid", "mamba", "hybrid"]
_SEVERAL = {"num_hidden_layers": 4, "layers_block_type": _MAMBA, "layer_types": _MAMBA}
_OLD = {"n_layers": 2, "n_heads": 4}
#: What a family calls otherwise, or needs besides.
_OWN: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("axk1", "axk2", "deepseek_v2", "deepseek_v3"), _LATENT),
    **dict.fromkeys(("mistral4", "minicpm3"), _LATENT),
    "big_bird": {"attention_type": "original_full"},
    "cohere_compass_text": {
        "layer_types": ["sliding_attention", "full_attention"],
        "sliding_window": 12,
        "rope_parameters": {"full_attention": _ROPE, "sliding_attention": _ROPE},
    },
    "convbert": {"embedding_size": 32},
    "ctrl": {"dff": 64},
    "distilbert": {"dim": 32, "hidden_dim": 64, **_OLD},
    "esmc": {"num_key_value_heads": 4},
    "falcon": {"head_dim": _LEFT_OUT},
    "flaubert": {"emb_dim": 32, **_OLD},
    "funnel": {
        "num_hidden_layers": _LEFT_OUT,
        "hidden_size": _LEFT_OUT,
        "block_sizes": [1, 1],
        "d_model": 32,
        "d_head": 8,
        "d_inner": 64,
        "n_head": 4,
    },
    "gemma2": {"sliding_window": 12, "query_pre_attn_scalar": 8},
    "gemma3": {
        "text_config": {**_TEXT, "sliding_window": 12},
        "vision_config": _IMAGES,
        "mm_tokens_per_image": 4,
    },
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "num_layers": 2, "window_size": 12},
    "gptj": {"rotary_dim": 8},
    "jamba": {
        "attn_layer_period": 2,
        "attn_layer_offset": 1,
        "mamba_d_state": 8,
        "use_mamba_kernels": False,
    },
    "layoutlmv3": {"coordinate_size": 5, "shape_size": 6, "visual_embed": False},
    "lilt": {"channel_shrink_ratio": 2, "hidden_size": 48, "head_dim": 12},
    "longformer": {"attention_window": [16, 16]},
    "luke": {"entity_vocab_size": 10, "entity_emb_size": 16},
    "markuplm": {"xpath_unit_hidden_size": 4, "max_depth": 4},
    "minimax": {"layer_types": _LINEAR["layer_types"], "block_size": 16},
    "mobilebert": {
        "true_hidden_size": 32,
        "intra_bottleneck_size": 32,
        "embedding_size": 32,
    },
    "mpt": {"d_model": 32, "max_seq_len": 256, **_OLD},
    "openai-gpt": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256},
    "opt": {"word_embed_proj_dim": 32, "ffn_dim": 64},
    "perceiver": {
        "d_model": 32,
        "d_latents": 32,
        "num_latents": 8,
        "num_self_attends_per_block": 1,
        "num_self_attention_heads": 2,
        "num_cross_attention_heads": 2,
    },
    "plbart": {"encoder_attention_heads": 4, "decoder_attention_heads": 4},
    "qwen2_moe": {"shared_expert_intermediate_size": 16},
    "qwen3_5": {"text_config": {**_TEXT, **_LINEAR}, "vision_config": _IMAGES_OF_QWEN},
    "qwen3_5_text": _LINEAR,
    "qwen3_next": {**_LINEAR, "shared_expert_intermediate_size": 16},
    "rembert": {"input_embedding_size": 32, "output_embedding_size": 32},
    "roc_bert": {
        "pronunciation_vocab_size": 10,
        "shape_vocab_size": 10,
        "pronunciation_embed_dim": 8,
        "shape_embed_dim": 8,
    },
    "squeezebert": {
        "embedding_size": 32,
        "q_groups": 1,
        "k_groups": 1,
        "v_groups": 1,
        "post_attention_groups": 1,
        "intermediate_groups": 1,
        "output_groups": 1,
    },
    "xlm": {"emb_dim": 32, **_OLD},
    "xlnet": {
        **dict.fromkeys(("max_position_embeddings", "hidden_size"), _LEFT_OUT),
        **dict.fromkeys(("num_hidden_layers", "num_attention_heads"), _LEFT_OUT),
        "d_model": 32,
        "n_layer": 2,
        "n_head": 4,
        "d_inner": 64,
    },
    "xmod": {"languages": ["en_XX"], "default_language": "en_XX"},
    "zamba": {
        **_SEVERAL,
        "n_mamba_heads": 2,
        "mamba_d_state": 8,
        "attention_hidden_size": 64,
        "attention_head_dim": 16,
    },
    "zamba2": {
        **_SEVERAL,
        "mamba_d_state": 8,
        "n_mamba_heads": 8,
        "mamba_headdim": 8,
        "mamba_ngroups": 1,
        "chunk_size": 16,
    },
}
_REFUSED_AS_SEQUENCE_TO_SEQUENCE = (
    *("bart", "bigbird_pegasus", "led", "mbart", "mt5", "mvp", "plbart", "t5", "t5gemma"),
    *("t5gemma2", "umt5"),
)
#: Families that are refused, and what is said of them.
REFUSED = {
    **dict.fromkeys(_REFUSED_AS_SEQUENCE_TO_SEQUENCE, "this is an encoder-decoder model"),
    **dict.fromkeys(("modernvbert", "ultravbert"), "supports the text part of gemma3, qwen3_5"),
    "canine": "it reads characters",
    "layoutlmv2": "it reads images of pages",
    "reformer": "its rewards are not deterministic",
}


def values_of(model_type: str, **changed: Any) -> dict[str, Any]:
    """The values of a family's tiny configuration with one label."""
    own = _OWN.get(model_type, {})
    # In a model of texts and images these are the text part's.
    common = {} if "text_config" in own else _TEXT
    values = {"num_labels": 1, **common, **_EXPERTS, **own, **changed}
    return {name: value for name, value in values.items() if value is not _LEFT_OUT}


def make_classifier(model_type: str, **changed: Any) -> Any:
    """A family's tiny model with random weights that tell texts apart."""
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(model_type, **values_of(model_type, **changed))
    model = transformers.AutoModelForSequenceClassification.from_config(config).eval()
    with torch.no_grad():
        for key, weight in model.named_parameters():
            if weight.dim() > 1:
                weight.normal_(0, 0.25)
            elif "norm" in key.lower():
                weight.uniform_(0.5, 1.5)
    return model


def stock_rewards(folder: Any, pairs: Any) -> list[float]:
    """Transformers alone: tokenizer, chat template, the family's own class, one text each."""
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    auto = transformers.AutoModelForSequenceClassification
    model = auto.from_pretrained(folder, attn_implementation="eager").eval()
    rewards = []
    for prompt, completion in pairs:
        turns = [
            {"role": "user", "content": prompt},
            {"role": "assistant", "content": completion},
        ]
        text = tokenizer.apply_chat_template(turns, tokenize=False)
        ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]])
        with torch.no_grad():
            rewards.append(model(input_ids=ids).logits.item())
    return rewards
