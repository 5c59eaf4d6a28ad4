"""URM-LLaMa-3.1-8B: five attributes as mean and spread, weighted by a second network.

From two public readers, SGLang's llama_classification.py and one that packs texts
(`LlamaForSequenceClassificationWithNormal_Weights`): `score.weight` [10, hidden] without bias,
read as five pairs, the first of a pair being the mean; `weights.fc.0`, SELU, `.2`, SELU, `.4` to
5, biased, nothing behind them; both at the last token; the score is the sum of mean x weight.
Those readers compute `weights` in float16; here it is float32.

Not verified: the names of the five attributes (HelpSteer2's, by the paper), the auto_map, the pad
id.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import relu, selu

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

OBJECTIVES = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")


def build(folder: Path, *, seed: int = 0, shards: int = 1) -> Path:
    """Writes the checkpoint; `shards` files of weights."""
    labels = [f"LABEL_{label}" for label in range(2 * len(OBJECTIVES))]
    config = {
        "architectures": ["LlamaForSequenceClassificationWithNormal_Weights"],
        "auto_map": {
            "AutoModelForSequenceClassification": (
                "modeling.LlamaForSequenceClassificationWithNormal_Weights"
            )
        },
        **llama3.body_config(vocab_size=128257, llama31=True),
        "id2label": {str(number): label for number, label in enumerate(labels)},
        "label2id": {label: number for number, label in enumerate(labels)},
        "pad_token_id": 128256,
    }
    write_config(folder, config)
    llama3.write_llama3_tokenizer(folder, pad="[PAD]")
    generator = torch.Generator().manual_seed(seed)
    hidden = config["hidden_size"]
    tensors = with_prefix("model.", random_body(config, generator))
    tensors |= random_dense(generator, "score", hidden, len(labels), bias=False, scale=2)
    tensors |= random_dense(generator, "weights.fc.0", hidden, hidden, scale=2)
    tensors |= random_dense(generator, "weights.fc.2", hidden, hidden, scale=2)
    tensors |= random_dense(generator, "weights.fc.4", hidden, len(OBJECTIVES), scale=1)
    write_weights(folder, tensors, shards=shards)
    return folder


def text_ids(folder: Path, prompt: str | Turns, completion: str) -> list[int]:
    """The conversation in the template, nothing added."""
    return template_ids(folder, prompt, completion)


def reference(folder: Path, ids: list[int]) -> Reference:
    """Means and weights at the last token."""
    return _read(folder, ids)


def _read(
    folder: Path,
    ids: list[int],
    *,
    at: int = -1,
    column: int = 0,
    halves: bool = False,
    between: Any = selu,
    behind: Any = lambda weights: weights,
    without: tuple[str, ...] = (),
) -> Reference:
    tensors = {n: t for n, t in read_weights(folder).items() if n not in without}
    state = hidden_states(read_config(folder), below("model.", tensors), ids)[at]
    both = dense(tensors, "score", state)
    # A pair an attribute; in halves it would be all means and then all spreads.
    means = (both.view(2, -1).T if halves else both.view(-1, 2))[:, column]
    inner = between(dense(tensors, "weights.fc.0", state))
    inner = between(dense(tensors, "weights.fc.2", inner))
    weights = behind(dense(tensors, "weights.fc.4", inner))
    return Reference(
        reward=float((means * weights).sum()),
        objectives=dict(zip(OBJECTIVES, means.tolist(), strict=True)),
    )


MUTATIONS: dict[str, Wrong] = {
    "one token early": wrong(_read, at=-2),
    "spread for mean": wrong(_read, column=1),
    "all means before all spreads": wrong(_read, halves=True),
    "weights through softmax": wrong(_read, behind=lambda weights: weights.softmax(-1)),
    "ReLU for SELU": wrong(_read, between=relu),
    "last bias left out": wrong(_read, without=("weights.fc.4.bias",)),
    "plain sum of the means": lambda folder, ids: sum(_read(folder, ids).objectives.values()),
    "two BOS": with_ids(_read, lambda ids: [ids[0], *ids]),
    "sigmoid": after(_read, torch.sigmoid),
}
