"""Starling-RM-7B-alpha and Starling-RM-34B: a linear layer without bias, in pickles.

From allenai/reward-bench@05a9005, rewardbench/models/starling.py. 7B (`GPTRewardModel`): one
pickle of a module's state, so that the body is there twice over the same memory, below
`model.model.` (with `model.lm_head.weight`) and below `transformer.`; `v_head.weight` [1, hidden].
34B: `transformer.*` and `v_head.weight`, architectures `LlamaForSequenceClassification`, which is
the name of a stock class that reads otherwise. Both read the token before the first pad, id 0; the
last one of a text without pads. Texts as on the cards: 7B `<s>[INST] q </s> [/INST] a</s>`, 34B
Yi's ChatML without a line end at its end and without BOS.

The 7B's code takes for its pad the FIRST id of its tokenised `<unk>`, which is BOS where the
tokenizer adds one; every text then starts with a "pad", and the last place of the padded row is
read. The same for a text on its own. Not verified: that the 7B's file has both copies of the body;
that repository has neither config.json nor a tokenizer (those are
meta-llama/Llama-2-7b-chat-hf's), which are written here beside it.

reward-bench's class for the 34B and this reference agree to 2e-6 (run by hand).
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

VARIANTS: dict[str, dict[str, Any]] = {"34b": {"size": "34b", "shards": 2}}


def build(folder: Path, *, seed: int = 0, size: str = "7b", shards: int = 1) -> Path:
    """Writes the checkpoint of the `size` 7b or 34b, its pickle in `shards` files."""
    large = size == "34b"
    generator = torch.Generator().manual_seed(seed)
    config = {
        "architectures": ["LlamaForSequenceClassification" if large else "GPTRewardModel"],
        **llama2.body_config(),
        **({"pad_token_id": 0, "rope_theta": 5000000.0} if large else {}),
    }
    if large:
        config |= {"num_key_value_heads": 2, "vocab_size": 64000}
    write_config(folder, config)
    if large:
        special = {"<unk>": 0, "<|startoftext|>": 1, "<|endoftext|>": 2}
        special |= {"<|im_start|>": 6, "<|im_end|>": 7}
        write_tokenizer(
            folder,
            special=special,
            bos="<|startoftext|>",
            eos_token="<|im_end|>",
            pad_token="<unk>",
        )
    else:
        write_tokenizer(
            folder, special=llama2.SPECIAL, bos="<s>", adds_bos=True, eos_token="</s>",
            unk_token="<unk>",
        )  # fmt: skip
    body = random_body(config, generator)
    hidden = config["hidden_size"]
    tensors = with_prefix("transformer.", body)
    if not large:
        # The same tensors under both names, as one module that is kept in two attributes.
        head = torch.randn(config["vocab_size"], hidden, generator=generator)
        tensors = {**with_prefix("model.model.", body), "model.lm_head.weight": head, **tensors}
    tensors |= random_dense(generator, "v_head", hidden, 1, bias=False, scale=3)
    write_weights(folder, tensors, pickled=True, shards=shards)
    return folder


def text_ids(folder: Path, prompt: str | Turns, completion: str) -> list[int]:
    """The conversation as the card writes it."""
    large = read_config(folder)["architectures"] == ["LlamaForSequenceClassification"]
    conversation = turns(prompt, completion)
    if large:
        text = "\n".join(
            f"<|im_start|>{turn['role']}\n{turn['content']}<|im_end|>" for turn in conversation
        )
    else:
        text = "".join(
            f"<s>[INST] {turn['content']} </s> [/INST]"
            if turn["role"] == "user"
            else f" {turn['content']}</s>"
            for turn in conversation
        )
    return list(read_tokenizer(folder)(text, add_special_tokens=False)["input_ids"])


def reference(folder: Path, ids: list[int]) -> Reference:
    """The head at the last token."""
    return _read(folder, ids)


def _read(folder: Path, ids: list[int], *, at: int = -1) -> Reference:
    tensors = read_weights(folder)
    states = hidden_states(read_config(folder), below("transformer.", tensors), ids)
    return Reference(reward=float(dense(tensors, "v_head", states[at])))


MUTATIONS: dict[str, Wrong] = {
    "one token early": wrong(_read, at=-2),
    "two tokens early": wrong(_read, at=-3),
    "first token": wrong(_read, at=0),
    "last token cut off": with_ids(_read, lambda ids: ids[:-1]),
    "first token twice": with_ids(_read, lambda ids: [ids[0], *ids]),
    "sigmoid": after(_read, torch.sigmoid),
}
