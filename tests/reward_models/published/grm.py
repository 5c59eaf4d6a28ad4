"""GRM *-sftreg: a value head of one layer, or of two with a ReLU between, at the last token.

From allenai/reward-bench@05a9005, rewardbench/models/grm.py: `v_head.summary` a biased linear
layer where `vhead_layer_type` is linear, otherwise an MLP (`v_head.summary.0`, ReLU,
`v_head.summary.2`, both biased, 1,024 wide where config.json does not say), on the body's last
hidden states at the last attended token. From copies of the authors' rm_eval/grm_utils.py: the
text is the template's, the head is saved beside a causal model, whose own head stays in the file.
architectures says ForCausalLM, with an auto_map to a class of the checkpoint's own.

The authors let the tokenizer add BOS to a text in which the template has written one; here there
is one. Not verified: the file and class that auto_map names, and whether the published files keep
lm_head.

reward-bench's class and this reference agree to 2e-6 on these checkpoints (run by hand).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import gelu, relu

from tests.reward_models.published.reference import Reference
from tests.reward_models.tiny import gemma2, llama3
from tests.reward_models.tiny.heads import Wrong, after, dense, random_dense, with_ids, wrong
from tests.reward_models.tiny.tokenizer import Turns, template_ids
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

WIDTH = 24
VARIANTS: dict[str, dict[str, Any]] = {
    "linear": {"head": "linear"},
    "gemma2": {"body": "gemma2"},
    "gemma2-linear": {"body": "gemma2", "head": "linear"},
    "sharded": {"shards": 2},
}
#: A linear head has nothing between layers, and no first bias.
WITHOUT_EFFECT = {
    variant: {"no ReLU", "GELU", "first bias left out"} for variant in ("linear", "gemma2-linear")
}


def build(
    folder: Path, *, seed: int = 0, head: str = "mlp", body: str = "llama", shards: int = 1
) -> Path:
    """Writes the checkpoint.

    Args:
        folder: Where.
        seed: Of the weights.
        head: `mlp` or `linear`.
        body: `llama` or `gemma2`.
        shards: How many files of weights.
    """
    gemma = body == "gemma2"
    config = {
        "architectures": ["Gemma2ForCausalLM" if gemma else "LlamaForCausalLM"],
        "auto_map": {"AutoModelForSequenceClassification": "modeling_grm.GRewardModel"},
        **(gemma2.body_config() if gemma else llama3.body_config(vocab_size=128257)),
        **({} if gemma else {"pad_token_id": 128256}),
        "vhead_layer_type": head,
        "vhead_num_layers": 1,
        "vhead_num_neurons": WIDTH,
    }
    write_config(folder, config)
    if gemma:
        gemma2.write_gemma2_tokenizer(folder)
    else:
        llama3.write_llama3_tokenizer(folder, pad="[PAD]")
    generator = torch.Generator().manual_seed(seed)
    hidden = config["hidden_size"]
    tensors = with_prefix("model.", random_body(config, generator))
    if not gemma:  # Gemma's is tied to the embeddings, and not in the file.
        tensors["lm_head.weight"] = torch.randn(config["vocab_size"], hidden, generator=generator)
    if head == "linear":
        tensors |= random_dense(generator, "v_head.summary", hidden, 1, scale=6)
    else:
        tensors |= random_dense(generator, "v_head.summary.0", hidden, WIDTH, scale=2)
        tensors |= random_dense(generator, "v_head.summary.2", WIDTH, 1, scale=6)
    write_weights(folder, tensors, shards=shards)
    return folder


def text_ids(folder: Path, prompt: str | Turns, completion: str) -> list[int]:
    """The conversation in the template, nothing added."""
    return template_ids(folder, prompt, completion)


def reference(folder: Path, ids: list[int]) -> Reference:
    """The value head at the last token."""
    return _read(folder, ids)


def _read(
    folder: Path,
    ids: list[int],
    *,
    at: int = -1,
    between: Any = relu,
    without: tuple[str, ...] = (),
) -> Reference:
    config = read_config(folder)
    tensors = {n: t for n, t in read_weights(folder).items() if n not in without}
    state = hidden_states(config, below("model.", tensors), ids)[at]
    if config["vhead_layer_type"] == "linear":
        reward = dense(tensors, "v_head.summary", state)
    else:
        inner = between(dense(tensors, "v_head.summary.0", state))
        reward = dense(tensors, "v_head.summary.2", inner)
    return Reference(reward=float(reward))


MUTATIONS: dict[str, Wrong] = {
    "one token early": wrong(_read, at=-2),
    "no ReLU": wrong(_read, between=lambda states: states),
    "GELU": wrong(_read, between=gelu),
    "first bias left out": wrong(_read, without=("v_head.summary.0.bias",)),
    "last bias left out": wrong(_read, without=("v_head.summary.2.bias", "v_head.summary.bias")),
    "two BOS": with_ids(_read, lambda ids: [ids[0], *ids]),
    "sigmoid": after(_read, torch.sigmoid),
}
