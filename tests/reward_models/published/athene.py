"""Athene-RM-8B and 70B: a linear layer at the last CLS token, which is appended to the text.

From public copies of the model card's class and pipeline (AtheneForSequenceClassification,
AtheneRewardPipeline): `v_head.weight` [1, hidden] without bias, CLS id 128003 written into the
code, read at its LAST occurrence, the text being the template's with the tokenizer's `cls_token`
behind it, cut to 4,096 tokens. config.json names a class that exists nowhere, and no auto_map.

The card's pipeline lets the tokenizer add special tokens to a text in which the template has
written BOS already; here there is one BOS. Not verified: whether the published tokenizer adds one
at all, and its pad token.
"""

from __future__ import annotations

from pathlib import Path

import torch

from tests.reward_models.published.reference import Reference
from tests.reward_models.tiny import llama3
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

CLS, CLS_ID = "<|reserved_special_token_1|>", 128003
TEXTS = (
    ("What is 7 times 8?", "It is 56."),
    ("What is 7 times 8?", "It is 54, I think."),
    # A text that holds the token itself: only its last occurrence is read.
    (f"Repeat after me: {CLS}", "I would rather not."),
)


def build(folder: Path, *, seed: int = 0, shards: int = 1) -> Path:
    """Writes the checkpoint; `shards` files of weights."""
    config = {
        "architectures": ["CustomAutoModelForSequenceClassification"],
        **llama3.body_config(),
    }
    write_config(folder, config)
    llama3.write_llama3_tokenizer(folder, cls_token=CLS, pad_token="<|eot_id|>")
    generator = torch.Generator().manual_seed(seed)
    tensors = with_prefix("model.", random_body(config, generator))
    tensors |= random_dense(generator, "v_head", config["hidden_size"], 1, bias=False, scale=3)
    write_weights(folder, tensors, shards=shards)
    return folder


def text_ids(folder: Path, prompt: str | Turns, completion: str) -> list[int]:
    """The conversation in the template, with CLS behind it."""
    return [*template_ids(folder, prompt, completion), CLS_ID]


def reference(folder: Path, ids: list[int]) -> Reference:
    """The head at the last CLS token."""
    return _read(folder, ids)


def _read(folder: Path, ids: list[int], *, occurrence: int = -1, offset: int = 0) -> Reference:
    tensors = read_weights(folder)
    states = hidden_states(read_config(folder), below("model.", tensors), ids)
    at = [place for place, token in enumerate(ids) if token == CLS_ID][occurrence]
    return Reference(reward=float(dense(tensors, "v_head", states[at + offset])))


MUTATIONS: dict[str, Wrong] = {
    "before the CLS token": wrong(_read, offset=-1),
    "first CLS token": wrong(_read, occurrence=0),
    "text without the end of its turn": with_ids(_read, lambda ids: [*ids[:-2], CLS_ID]),
    "two BOS": with_ids(_read, lambda ids: [ids[0], *ids]),
    "sigmoid": after(_read, torch.sigmoid),
}
