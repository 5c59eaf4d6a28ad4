"""INF-ORM-Llama3.1-70B: two biased layers with a ReLU between, at the last token before a pad.

From allenai/reward-bench@05a9005, rewardbench/models/inform.py
(`INFORMForSequenceClassification`): `score.0` hidden to hidden, ReLU, `score.2` hidden to 1, both
biased; read before the FIRST pad id, at the last token where the text has none. The class is on
the model card, and config.json has no auto_map.

Not verified: the published pad_token_id, and that there are both head and stock keys only.

That class and this reference agree to 2e-6 on these checkpoints (run by hand).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import relu, silu

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

VARIANTS: dict[str, dict[str, Any]] = {"sharded": {"shards": 2}}


def build(folder: Path, *, seed: int = 0, shards: int = 1) -> Path:
    """Writes the checkpoint; `shards` files of weights."""
    config = {
        "architectures": ["INFORMForSequenceClassification"],
        **llama3.body_config(vocab_size=128257, llama31=True),
        "id2label": {"0": "LABEL_0"},
        "label2id": {"LABEL_0": 0},
        "pad_token_id": 128256,
    }
    write_config(folder, config)
    llama3.write_llama3_tokenizer(folder, pad="[PAD]")
    generator = torch.Generator().manual_seed(seed)
    hidden = config["hidden_size"]
    tensors = with_prefix("model.", random_body(config, generator))
    tensors |= random_dense(generator, "score.0", hidden, hidden, scale=2)
    tensors |= random_dense(generator, "score.2", hidden, 1, scale=3)
    write_weights(folder, tensors, shards=shards)
    return folder


def text_ids(folder: Path, prompt: str | Turns, completion: str) -> list[int]:
    """The conversation in the template, nothing added."""
    return template_ids(folder, prompt, completion)


def reference(folder: Path, ids: list[int]) -> Reference:
    """Both layers of the head at the last token."""
    return _read(folder, ids)


def _read(
    folder: Path,
    ids: list[int],
    *,
    at: int = -1,
    between: Any = relu,
    without: tuple[str, ...] = (),
    scaled: bool = True,
) -> Reference:
    config = read_config(folder)
    if not scaled:
        config["rope_scaling"] = None
    tensors = {n: t for n, t in read_weights(folder).items() if n not in without}
    state = hidden_states(config, below("model.", tensors), ids)[at]
    return Reference(
        reward=float(dense(tensors, "score.2", between(dense(tensors, "score.0", state))))
    )


MUTATIONS: dict[str, Wrong] = {
    "one token early": wrong(_read, at=-2),
    "no ReLU": wrong(_read, between=lambda states: states),
    "SiLU": wrong(_read, between=silu),
    "first bias left out": wrong(_read, without=("score.0.bias",)),
    "last bias left out": wrong(_read, without=("score.2.bias",)),
    "positions not scaled": wrong(_read, scaled=False),
    "two BOS": with_ids(_read, lambda ids: [ids[0], *ids]),
    "sigmoid": after(_read, torch.sigmoid),
}
