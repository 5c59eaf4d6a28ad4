"""Qwen2.5-Math-RM-72B and WorldPM-72B: two biased layers with a ReLU between, at the last token.

From vLLM's and SGLang's readers of modeling_qwen2_rm.py (`Qwen2ForRewardModel`: score.0 hidden to
hidden, ReLU, score.2 hidden to 1, both biased, the last token) and allenai/reward-bench@05a9005,
rewardbench/models/worldpm.py (no special tokens added, the raw score). model_type is qwen2, so
that transformers' own classes build the body and drop the head.

The text ends in the line end that the template writes after the last turn; it is the one that is
read. Not verified: the position that modeling_qwen2_rm.py itself reads in a padded batch, and the
published pad_token_id (variant `pad`: Qwen's usual one).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import gelu, relu

from tests.reward_models.published.reference import Reference
from tests.reward_models.tiny.heads import Wrong, after, dense, random_dense, with_ids, wrong
from tests.reward_models.tiny.tokenizer import Turns, template_ids, write_tokenizer
from tests.reward_models.tiny.weights import (
    below,
    hidden_states,
    random_body,
    read_config,
    read_weights,
    with_prefix,
    write_config,
    write_weights,
)

SPECIAL = {"<|endoftext|>": 151643, "<|im_start|>": 151644, "<|im_end|>": 151645}
SYSTEM = "You are a helpful assistant."
TEMPLATE = (
    "{% if messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\\n" + SYSTEM + "<|im_end|>\\n' }}{% endif %}"
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
VARIANTS: dict[str, dict[str, Any]] = {"pad": {"pad": 151643}, "sharded": {"shards": 3}}


def build(
    folder: Path,
    *,
    seed: int = 0,
    pad: int | None = None,
    shards: int = 1,
    hidden_size: int = 16,
) -> Path:
    """Writes the checkpoint; with a `pad` id in config.json where given."""
    config = {
        "architectures": ["Qwen2ForRewardModel"],
        "attention_dropout": 0.0,
        "auto_map": {
            "AutoConfig": "configuration_qwen2_rm.Qwen2RMConfig",
            "AutoModel": "modeling_qwen2_rm.Qwen2ForRewardModel",
        },
        "bos_token_id": 151643,
        "eos_token_id": 151645,
        "hidden_act": "silu",
        "hidden_size": hidden_size,
        "initializer_range": 0.02,
        "intermediate_size": 32,
        "max_position_embeddings": 4096,
        "max_window_layers": 2,
        "model_type": "qwen2",
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "num_key_value_heads": 2,
        **({} if pad is None else {"pad_token_id": pad}),
        "rms_norm_eps": 1e-05,
        "rope_theta": 10000.0,
        "sliding_window": 4096,
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
        "use_cache": True,
        "use_sliding_window": False,
        "vocab_size": 152064,
    }
    write_config(folder, config)
    write_tokenizer(
        folder,
        special=SPECIAL,
        template=TEMPLATE,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
    )
    generator = torch.Generator().manual_seed(seed)
    hidden = config["hidden_size"]
    tensors = with_prefix("model.", random_body(config, generator))
    # A causal model's head that nobody reads, as the published shards have it.
    tensors["lm_head.weight"] = torch.randn(152064, hidden, generator=generator)
    tensors |= random_dense(generator, "score.0", hidden, hidden, scale=2)
    tensors |= random_dense(generator, "score.2", hidden, 1, scale=2)
    write_weights(folder, tensors, shards=shards)
    return folder


def text_ids(folder: Path, prompt: str | Turns, completion: str) -> list[int]:
    """The conversation in the template, nothing added."""
    return template_ids(folder, prompt, completion)


def reference(folder: Path, ids: list[int]) -> Reference:
    """Both layers of the head at the last token."""
    return _read(folder, ids)


def _read(
    folder: Path, ids: list[int], *, at: int = -1, between: Any = relu, bias: bool = True
) -> Reference:
    tensors = read_weights(folder)
    states = hidden_states(read_config(folder), below("model.", tensors), ids)
    if not bias:
        tensors = {name: tensor for name, tensor in tensors.items() if name != "score.0.bias"}
    reward = dense(tensors, "score.2", between(dense(tensors, "score.0", states[at])))
    return Reference(reward=float(reward))


MUTATIONS: dict[str, Wrong] = {
    "one token early": wrong(_read, at=-2),
    "line end cut off": with_ids(_read, lambda ids: ids[:-1]),
    "no ReLU": wrong(_read, between=lambda states: states),
    "GELU": wrong(_read, between=gelu),
    "first bias left out": wrong(_read, bias=False),
    "sigmoid": after(_read, torch.sigmoid),
}
