"""What checkpoints made from Llama 3 share: its special tokens, its template, a small body."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.reward_models.tiny.tokenizer import occurrences, write_tokenizer

SPECIAL = {
    "<|begin_of_text|>": 128000,
    "<|end_of_text|>": 128001,
    "<|reserved_special_token_0|>": 128002,
    "<|reserved_special_token_1|>": 128003,
    "<|start_header_id|>": 128006,
    "<|end_header_id|>": 128007,
    "<|eot_id|>": 128009,
}
PAD = {"[PAD]": 128256}
#: Words of which published code holds the ids.
WORDS = {"assistant": 78191, "\n\n": 271}
#: The end of a turn and the head of the assistant's, as published code writes it.
ASSISTANT_HEADER = [128009, 128006, 78191, 128007, 271]
SCALING = {
    "factor": 8.0,
    "high_freq_factor": 4.0,
    "low_freq_factor": 1.0,
    "original_max_position_embeddings": 8192,
    "rope_type": "llama3",
}
TEMPLATE = (
    "{% for message in messages %}"
    "{% if loop.first %}{{ bos_token }}{% endif %}"
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'"
    " + message['content'] | trim + '<|eot_id|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)


def body_config(
    *, vocab_size: int = 128256, hidden_size: int = 16, llama31: bool = False
) -> dict[str, Any]:
    """The keys of config.json that Llama 3 has, with small sizes and its published ids.

    Args:
        vocab_size: Of the body.
        hidden_size: Of the body.
        llama31: Whether positions are scaled as Llama 3.1 scales them.
    """
    return {
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": 128000,
        "eos_token_id": 128009,
        "hidden_act": "silu",
        "hidden_size": hidden_size,
        "initializer_range": 0.02,
        "intermediate_size": 2 * hidden_size,
        "max_position_embeddings": 131072 if llama31 else 8192,
        "mlp_bias": False,
        "model_type": "llama",
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "num_key_value_heads": 2,
        "pretraining_tp": 1,
        "rms_norm_eps": 1e-05,
        "rope_scaling": dict(SCALING) if llama31 else None,
        "rope_theta": 500000.0,
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
        "use_cache": True,
        "vocab_size": vocab_size,
    }


def write_llama3_tokenizer(folder: Path, *, pad: str | None = None, **settings: Any) -> None:
    """Writes Llama 3's tokenizer, which adds BOS itself; the template writes one too."""
    special = {**SPECIAL, **(PAD if pad in PAD else {})}
    settings = {"eos_token": "<|eot_id|>", "template": TEMPLATE, **settings}
    if pad is not None:
        settings["pad_token"] = pad
    write_tokenizer(
        folder, special=special, words=WORDS, bos="<|begin_of_text|>", adds_bos=True, **settings
    )


def last_assistant_header(ids: list[int]) -> int:
    """Where the last header of an assistant's turn starts, the end of the turn before included."""
    return occurrences(ids, ASSISTANT_HEADER)[-1]
