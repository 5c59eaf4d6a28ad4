"""What checkpoints made from Llama 2 and Yi share: special tokens and a small body."""

from __future__ import annotations

from typing import Any

SPECIAL = {"<unk>": 0, "<s>": 1, "</s>": 2}


def body_config(*, vocab_size: int = 32000, hidden_size: int = 16) -> dict[str, Any]:
    """The keys of config.json that Llama 2 has, with small sizes."""
    return {
        "attention_bias": False,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "hidden_act": "silu",
        "hidden_size": hidden_size,
        "initializer_range": 0.02,
        "intermediate_size": 2 * hidden_size,
        "max_position_embeddings": 4096,
        "model_type": "llama",
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "num_key_value_heads": 4,
        "pretraining_tp": 1,
        "rms_norm_eps": 1e-05,
        "rope_scaling": None,
        "rope_theta": 10000.0,
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
        "use_cache": True,
        "vocab_size": vocab_size,
    }
