"""What checkpoints made from Gemma 2 share: its special tokens, its template, a small body."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.reward_models.tiny.tokenizer import write_tokenizer

SPECIAL = {
    "<pad>": 0,
    "<eos>": 1,
    "<bos>": 2,
    "<unk>": 3,
    "<start_of_turn>": 106,
    "<end_of_turn>": 107,
}
#: Words of which published code holds the ids.
WORDS = {"\n": 108, "model": 2516}
#: The end of a turn and the head of the model's, as published code writes it.
MODEL_HEADER = [107, 108, 106, 2516, 108]
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
    "{{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"
)


def body_config(*, hidden_size: int = 16, window: int = 4096) -> dict[str, Any]:
    """The keys of config.json that Gemma 2 has, with small sizes and its published ids.

    Args:
        hidden_size: Of the body.
        window: How far every other layer looks back.
    """
    return {
        "attention_bias": False,
        "attention_dropout": 0.0,
        "attn_logit_softcapping": 50.0,
        "bos_token_id": 2,
        "cache_implementation": "hybrid",
        "eos_token_id": 1,
        "final_logit_softcapping": 30.0,
        "head_dim": 8,
        "hidden_act": "gelu_pytorch_tanh",
        "hidden_activation": "gelu_pytorch_tanh",
        "hidden_size": hidden_size,
        "initializer_range": 0.02,
        "intermediate_size": 2 * hidden_size,
        "max_position_embeddings": 8192,
        "model_type": "gemma2",
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "num_key_value_heads": 2,
        "pad_token_id": 0,
        "query_pre_attn_scalar": 8,
        "rms_norm_eps": 1e-06,
        "rope_theta": 10000.0,
        "sliding_window": window,
        "sliding_window_size": window,
        "torch_dtype": "float32",
        "use_cache": True,
        "vocab_size": 2560,
    }


def write_gemma2_tokenizer(folder: Path, **settings: Any) -> None:
    """Writes Gemma 2's tokenizer, which adds BOS itself; the template writes one too."""
    write_tokenizer(
        folder,
        special=SPECIAL,
        words=WORDS,
        bos="<bos>",
        adds_bos=True,
        template=TEMPLATE,
        **{"eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>", **settings},
    )
