"""The keys that published config.json files of three families have, at a tiny size."""

from __future__ import annotations

from typing import Any

HIDDEN = 32
_SIZES = {
    "hidden_act": "silu",
    "hidden_size": HIDDEN,
    "initializer_range": 0.02,
    "intermediate_size": 64,
    "max_position_embeddings": 4096,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "torch_dtype": "float32",
    "use_cache": True,
}


def llama_31(tokenizer: Any, **more: Any) -> dict[str, Any]:
    """Llama 3.1's, with its scaled rotary embeddings."""
    named = tokenizer.convert_tokens_to_ids
    return {
        "architectures": ["LlamaForCausalLM"],
        **_SIZES,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": named("<|begin_of_text|>"),
        "eos_token_id": [named("<|end_of_text|>"), named("<|eot_id|>")],
        "mlp_bias": False,
        "model_type": "llama",
        "pretraining_tp": 1,
        "rms_norm_eps": 1e-05,
        "rope_scaling": {
            "factor": 8.0,
            "high_freq_factor": 4.0,
            "low_freq_factor": 1.0,
            "original_max_position_embeddings": 1024,
            "rope_type": "llama3",
        },
        "rope_theta": 500000.0,
        "tie_word_embeddings": False,
        "transformers_version": "4.44.2",
        "vocab_size": len(tokenizer) + 10,
        **more,
    }


def qwen_25_math(tokenizer: Any, **more: Any) -> dict[str, Any]:
    """Qwen 2.5 Math's: biased attention projections, no pad id."""
    named = tokenizer.convert_tokens_to_ids
    return {
        "architectures": ["Qwen2ForCausalLM"],
        **_SIZES,
        "attention_dropout": 0.0,
        "bos_token_id": named("<|endoftext|>"),
        "eos_token_id": named("<|im_end|>"),
        "max_window_layers": 2,
        "model_type": "qwen2",
        "rms_norm_eps": 1e-06,
        "rope_theta": 10000.0,
        "sliding_window": None,
        "tie_word_embeddings": False,
        "transformers_version": "4.44.2",
        "use_sliding_window": False,
        "vocab_size": len(tokenizer) + 10,
        **more,
    }


def mistral(tokenizer: Any, **more: Any) -> dict[str, Any]:
    """Mistral 7B v0.1's, with its sliding window."""
    return {
        "architectures": ["MistralForCausalLM"],
        **_SIZES,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "model_type": "mistral",
        "rms_norm_eps": 1e-05,
        "rope_theta": 10000.0,
        "sliding_window": 4096,
        "tie_word_embeddings": False,
        "transformers_version": "4.35.2",
        "vocab_size": len(tokenizer),
        **more,
    }
