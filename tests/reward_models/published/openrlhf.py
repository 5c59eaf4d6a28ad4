"""OpenRLHF's RewardModel: one linear layer without bias at the last attended token.

From OpenRLHF/OpenRLHF@3c3be62: openrlhf/models/model.py (the head's name is config.json's
`value_head_prefix`, else `score`; no bias; the rightmost attended token; positions counted from
the mask; mean and std are config.json's and no tensors, applied where the CALLER asks for it,
whatever `normalize_reward` of config.json says) and openrlhf/datasets/reward_dataset.py (line ends
are cut off the end of the text, " " and EOS put there where it does not end in EOS already, no
special tokens added, and the last id made EOS). Checkpoints from before `value_head_prefix` have
their head at `value_head` and say so nowhere.

That class, padded on the left, and this reference agree to 1e-6, with and without normalising (run
by hand). Not verified: which of these keys OpenRLHF/Llama-3-8b-rm-mixture has, and its EOS token.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from tests.reward_models.published.reference import Reference
from tests.reward_models.tiny import llama3
from tests.reward_models.tiny.heads import Wrong, after, dense, random_dense, with_ids, wrong
from tests.reward_models.tiny.tokenizer import Turns, read_tokenizer, turns
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
    "value_head": {"prefix": "value_head"},
    "older": {"prefix": "value_head", "names_prefix": False},
    "eot": {"eos": "<|eot_id|>"},
    "pickled": {"pickled": True, "shards": 2},
}


def build(
    folder: Path,
    *,
    seed: int = 0,
    prefix: str = "score",
    names_prefix: bool | None = None,
    eos: str = "<|end_of_text|>",
    pickled: bool = False,
    shards: int = 1,
) -> Path:
    """Writes the checkpoint.

    Args:
        folder: Where.
        seed: Of the weights.
        prefix: The head's name.
        names_prefix: Whether config.json names it; by default where it is not `score`.
        eos: The EOS token, with which turns of the template end or do not.
        pickled: pytorch_model.bin rather than safetensors.
        shards: How many files of weights.
    """
    config = {
        "architectures": ["RewardModel"],
        **llama3.body_config(),
        "eos_token_id": llama3.SPECIAL[eos],
        "mean": 1.75,
        "normalize_reward": True,
        "std": 2.5,
    }
    if prefix != "score" if names_prefix is None else names_prefix:
        config["value_head_prefix"] = prefix
    write_config(folder, config)
    llama3.write_llama3_tokenizer(folder, pad=eos, eos_token=eos)
    generator = torch.Generator().manual_seed(seed)
    tensors = with_prefix("model.", random_body(config, generator))
    tensors |= random_dense(generator, prefix, config["hidden_size"], 1, bias=False, scale=3)
    write_weights(folder, tensors, pickled=pickled, shards=shards)
    return folder


def text_ids(folder: Path, prompt: str | Turns, completion: str) -> list[int]:
    """The conversation in the template, closed by EOS."""
    tokenizer = read_tokenizer(folder)
    text = tokenizer.apply_chat_template(turns(prompt, completion), tokenize=False).rstrip("\n")
    if not text.endswith(tokenizer.eos_token):
        text += " " + tokenizer.eos_token
    ids = list(tokenizer(text, add_special_tokens=False)["input_ids"])
    return [*ids[:-1], tokenizer.eos_token_id]


def reference(folder: Path, ids: list[int], *, normalize: bool = False) -> Reference:
    """The head at the last token, less the mean and by the standard deviation where asked."""
    return _read(folder, ids, normalize=normalize)


def _read(folder: Path, ids: list[int], *, at: int = -1, normalize: bool = False) -> Reference:
    config, tensors = read_config(folder), read_weights(folder)
    prefix = "score" if "score.weight" in tensors else "value_head"
    states = hidden_states(config, below("model.", tensors), ids)
    reward = float(dense(tensors, prefix, states[at]))
    if normalize:
        reward = (reward - config["mean"]) / config["std"]
    return Reference(reward=reward)


MUTATIONS: dict[str, Wrong] = {
    "one token early": wrong(_read, at=-2),
    "first token": wrong(_read, at=0),
    "normalised though nobody asked": wrong(_read, normalize=True),
    "without EOS": with_ids(_read, lambda ids: ids[:-1]),
    "two BOS": with_ids(_read, lambda ids: [ids[0], *ids]),
    "sigmoid": after(_read, torch.sigmoid),
}
