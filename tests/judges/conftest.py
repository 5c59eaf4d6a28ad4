"""Tiny real checkpoints of other judges, with random weights, and what writes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CHAT = (
    "{{ bos_token }}{% for m in messages %}"
    "{{ '[' + m['role'] + '] ' + m['content'] + eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '[assistant] ' }}{% endif %}"
)
SIZES = {
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
}


@pytest.fixture(scope="session")
def chat_tokenizer(checkpoint: Path, _write_checkpoint: None) -> Any:
    """The tests' Llama tokenizer with a chat template."""
    from ultrarm_eval.checkpoints.checkpoint import open_checkpoint
    from ultrarm_eval.checkpoints.tokenizer import load_tokenizer

    tokenizer = load_tokenizer(open_checkpoint(str(checkpoint))).tokenizer
    tokenizer.chat_template = CHAT
    return tokenizer


@pytest.fixture
def write_model(tmp_path: Path, chat_tokenizer: Any) -> Callable[..., Path]:
    """Writes a model of a family with random weights that tell texts apart, and a tokenizer."""

    def write(
        auto: str, model_type: str, *, tokenizer: Any = None, name: str = "", **values: Any
    ) -> Path:
        import torch
        import transformers

        folder = tmp_path / (name or model_type)
        config = transformers.AutoConfig.for_model(model_type, **{**SIZES, **values})
        torch.manual_seed(len(name))
        model = getattr(transformers, auto).from_config(config).eval()
        with torch.no_grad():
            for key, weight in model.named_parameters():
                # Norms stay near 1, and all else is large enough for texts to differ.
                weight.uniform_(0.5, 1.5) if weight.dim() == 1 and "norm" in key else weight.mul_(4)
        model.save_pretrained(folder)
        (chat_tokenizer if tokenizer is None else tokenizer).save_pretrained(folder)
        return folder

    return write
