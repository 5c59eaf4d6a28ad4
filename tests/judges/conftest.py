"""Tiny real checkpoints of other judges, with random weights, and what writes them."""

from __future__ import annotations

import shutil
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


#: Folders of what `write_model` copies, by what was asked for.
_WRITTEN: dict[str, Path] = {}


def _write_model(folder: Path, auto: str, model_type: str, seed: int, **values: Any) -> None:
    import torch
    import transformers

    config = transformers.AutoConfig.for_model(model_type, **{**SIZES, **values})
    torch.manual_seed(seed)
    model = getattr(transformers, auto).from_config(config).eval()
    with torch.no_grad():
        for key, weight in model.named_parameters():
            # Norms stay near 1, and all else is large enough for texts to differ.
            weight.uniform_(0.5, 1.5) if weight.dim() == 1 and "norm" in key else weight.mul_(4)
    model.save_pretrained(folder)


@pytest.fixture
def write_model(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, chat_tokenizer: Any
) -> Callable[..., Path]:
    """Writes a model of a family with random weights that tell texts apart, and a tokenizer."""

    def copy(key: str, folder: Path, make: Callable[[Path], object]) -> None:
        if key not in _WRITTEN:
            made = tmp_path_factory.mktemp("written")
            make(made)
            _WRITTEN[key] = made
        shutil.copytree(_WRITTEN[key], folder, dirs_exist_ok=True)

    def write(
        auto: str, model_type: str, *, tokenizer: Any = None, name: str = "", **values: Any
    ) -> Path:
        folder, seed = tmp_path / (name or model_type), len(name)
        copy(
            repr((auto, model_type, seed, sorted(values.items()))),
            folder,
            lambda made: _write_model(made, auto, model_type, seed, **values),
        )
        if tokenizer is None:
            copy("the chat tokenizer", folder, chat_tokenizer.save_pretrained)
        else:
            tokenizer.save_pretrained(folder)
        return folder

    return write
