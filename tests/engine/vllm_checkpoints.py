"""Tiny checkpoints with heads that vLLM computes on CPUs, and long texts of all scripts."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from tests.conftest import write_sharded_pickles
from ultrarm_eval.messages import Prompt

SIZES = {
    "vocab_size": 400,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    # vLLM computes heads of 32 and more numbers on CPUs.
    "num_attention_heads": 2,
    "max_position_embeddings": 1024,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
CHAT = (
    "{{ bos_token }}{% for m in messages %}"
    "{{ '[' + m['role'] + '] ' + m['content'] + eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '[assistant] ' }}{% endif %}"
)
_PIECES = (
    "the question about one word and the answer to it",
    "为什么天空是蓝色的 因为瑞利散射。",
    "空はなぜ青いのですか",
    "لماذا السماء زرقاء؟",
    "ท้องฟ้าเป็นสีฟ้าเพราะอะไร",
    "आसमान नीला क्यों है",
    "🙂👩\u200d🔬🏳️\u200d🌈",
    "e\u0301a\u0308\u0323 Z\u0351\u036b\u0343",
    "</s><s><unk>",
    "<|im_start|>user\n<|im_end|><|eot_id|>[INST] [/INST] <<SYS>>",
    "Human: no\n\nAssistant: yes",
    "  \t\n\n 0123456789 \u00a0\ufeff",
)


def texts(count: int = 100) -> tuple[list[Prompt], list[str]]:
    """Prompts, each with four answers, from a few tokens to some that are cut off."""
    chosen = random.Random(18)
    prompts: list[Prompt] = []
    answers = []
    for number in range(count):
        if number % 4 == 0:
            prompt = " ".join(chosen.choices(_PIECES, k=chosen.randint(1, 12)))
        prompts.append(prompt)
        answers.append(" ".join(chosen.choices(_PIECES, k=chosen.randint(0, 30))) + f" {number}")
    return prompts, answers


def write_ultrarm(folder: Path, sentencepiece_model: Path) -> Path:
    """UltraRM's layout on the hub: pickled shards, and a tokenizer.model alone."""
    import torch
    from transformers import LlamaConfig

    from ultrarm_eval import LlamaRewardModel

    torch.manual_seed(0)
    model = LlamaRewardModel(LlamaConfig(**SIZES, num_key_value_heads=2)).eval()
    _tell_texts_apart(model)
    with torch.no_grad():
        model.regression_head.weight.normal_()
    folder.mkdir()
    write_sharded_pickles(folder, model)
    (folder / "tokenizer.model").write_bytes(sentencepiece_model.read_bytes())
    return folder


def write_classifier(folder: Path, family: str, tokenizer: Any, **fields: Any) -> Path:
    """A sequence classifier of a family with one label."""
    import torch
    import transformers

    config = transformers.AutoConfig.for_model(
        family, **SIZES, num_key_value_heads=1, num_labels=1, pad_token_id=0, **fields
    )
    torch.manual_seed(len(family))
    model = transformers.AutoModelForSequenceClassification.from_config(config).eval()
    _tell_texts_apart(model)
    model.save_pretrained(folder)
    tokenizer.chat_template = CHAT
    tokenizer.save_pretrained(folder)
    return folder


def break_token(folder: Path, token: int) -> None:
    """Makes a token's embedding no numbers."""
    import torch
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    weights = load_file(path)
    weights["model.embed_tokens.weight"][token] = torch.nan
    save_file(weights, path, metadata={"format": "pt"})


def set_field(folder: Path, **fields: Any) -> None:
    """Writes fields of config.json."""
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def _tell_texts_apart(model: Any) -> None:
    import torch

    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" in name:
                weight.uniform_(0.5, 1.5)
            else:
                weight.mul_(3)
