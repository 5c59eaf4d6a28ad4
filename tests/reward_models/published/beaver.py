"""Beaver reward and cost models of Safe RLHF: a score head at the last attended token.

From allenai/reward-bench@05a9005, rewardbench/models/beaver.py, a copy of
PKU-Alignment/safe-rlhf's `LlamaForScore`: `score_head.weight` [1, hidden]; the last attended
token; where config.json's `do_normalize` says so, a reward is (score - mean) / (sqrt(var) + 1e-8)
and a cost score / (sqrt(var) + 1e-8), by `normalizer.mean` and `.var`; a cost is negated to make a
reward (BeaverCostPipeline). The text `BEGINNING OF CONVERSATION: USER: {prompt}
ASSISTANT:{answer}` has no space behind the last colon (safe_rlhf/configs/constants.py in
shuoli90/safe-rlhf: "should not have a space at the end"), and BOS before it; earlier answers of a
conversation end in EOS.

Found to differ: whether there is `score_head.bias`. reward-bench's copy takes config.json's
`bias`, false by default; another public reader of the checkpoints takes `score_bias`, true by
default, and says that they have one (variant `bias`). Not verified: whether the last answer ends
in EOS (as in training; on the card it does not), the published do_normalize, and whether the files
are pickles.

reward-bench's class and this reference agree to 2e-6 on these checkpoints, in every variant (run
by hand).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from tests.reward_models.published.reference import Reference
from tests.reward_models.tiny import llama2
from tests.reward_models.tiny.heads import Wrong, after, dense, random_dense, with_ids, wrong
from tests.reward_models.tiny.tokenizer import Turns, read_tokenizer, turns, write_tokenizer
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

VARIANTS: dict[str, dict[str, Any]] = {
    "bias": {"bias": True},
    "normalized": {"do_normalize": True},
    "cost": {"score_type": "cost"},
    "cost-normalized": {"score_type": "cost", "do_normalize": True},
    "safetensors": {"pickled": False, "shards": 1},
}
WITHOUT_EFFECT: dict[str, set[str]] = {
    variant: {"bias left out"} for variant in ("", *VARIANTS) if variant != "bias"
}


def build(
    folder: Path,
    *,
    seed: int = 0,
    score_type: str = "reward",
    bias: bool = False,
    do_normalize: bool = False,
    pickled: bool = True,
    shards: int = 2,
) -> Path:
    """Writes the checkpoint.

    Args:
        folder: Where.
        seed: Of the weights.
        score_type: `reward` or `cost`.
        bias: Whether the head has one.
        do_normalize: Whether config.json asks for normalisation; the statistics are there anyway.
        pickled: pytorch_model.bin rather than safetensors.
        shards: How many files of weights.
    """
    generator = torch.Generator().manual_seed(seed)
    mean, var = [1.25], [5.5]
    config = {
        "architectures": ["LlamaForScore"],
        **llama2.body_config(vocab_size=32001),
        "do_normalize": do_normalize,
        "mean": mean,
        "momentum": 0.9,
        "normalizer_type": "ExponentialMovingAverage",
        "pad_token_id": 32000,
        **({"bias": True, "score_bias": True} if bias else {}),
        "score_dim": 1,
        "score_type": score_type,
        "var": var,
    }
    write_config(folder, config)
    write_tokenizer(
        folder,
        special={**llama2.SPECIAL, "<pad>": 32000},
        bos="<s>",
        adds_bos=True,
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
    )
    tensors = with_prefix("model.", random_body(config, generator))
    tensors |= random_dense(generator, "score_head", config["hidden_size"], 1, bias=bias, scale=6)
    tensors |= {
        "normalizer.mean": torch.tensor(mean),
        "normalizer.var": torch.tensor(var),
        "normalizer.count": torch.tensor([4096]),
    }
    write_weights(folder, tensors, pickled=pickled, shards=shards)
    return folder


def text_ids(folder: Path, prompt: str | Turns, completion: str) -> list[int]:
    """BOS and the conversation in Safe RLHF's format."""
    *before, answer = turns(prompt, completion)
    text = "BEGINNING OF CONVERSATION: "
    for turn in before:
        asks = turn["role"] == "user"
        text += f"USER: {turn['content']} ASSISTANT:" if asks else f"{turn['content']}</s>"
    return list(read_tokenizer(folder)(text + answer["content"])["input_ids"])


def reference(folder: Path, ids: list[int]) -> Reference:
    """The score at the last token, normalised as config.json says, a cost negated."""
    return _read(folder, ids)


def _read(
    folder: Path,
    ids: list[int],
    *,
    at: int = -1,
    toggled: bool = False,
    negated: bool = False,
    bias: bool = True,
) -> Reference:
    config, tensors = read_config(folder), read_weights(folder)
    if not bias:
        tensors.pop("score_head.bias", None)
    states = hidden_states(config, below("model.", tensors), ids)
    score = dense(tensors, "score_head", states[at])
    cost = config["score_type"] == "cost"
    if config["do_normalize"] != toggled:
        if not cost:
            score = score - tensors["normalizer.mean"]
        score = score / (tensors["normalizer.var"].sqrt() + 1e-8)
    return Reference(reward=float(-score if cost != negated else score))


MUTATIONS: dict[str, Wrong] = {
    "one token early": wrong(_read, at=-2),
    "first token": wrong(_read, at=0),
    "normalised or not, against config.json": wrong(_read, toggled=True),
    "the signs of the head's weights are flipped": wrong(_read, negated=True),
    "bias left out": wrong(_read, bias=False),
    "no BOS": with_ids(_read, lambda ids: ids[1:]),
    "two BOS": with_ids(_read, lambda ids: [ids[0], *ids]),
    "sigmoid": after(_read, torch.sigmoid),
}
