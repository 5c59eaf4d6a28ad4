"""ArmoRM-Llama3-8B: 19 objectives at the last token, weighted by a gate that reads the prompt.

From RLHFlow/RLHF-Reward-Modeling@fc39179: the gate's network and the 19 names
(armo-rm/stage-2_train.py), the text and what the outputs mean (armo-rm/README.md: `rewards` are
those before the transform, the score is the sum of gate x (rewards x matrix)). From public copies
of the checkpoint's own modeling_custom.py: the keys of config.json and their defaults, the read
position (the token before the first pad, the last one of a text without pads), and the gate's, the
START of the LAST end of turn and assistant's header. allenai/reward-bench@05a9005,
rewardbench/models/qrm.py, says the same of the model that descends from it.

Not verified: the values of pad_token_id and vocab_size in the published config.json.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import linear, relu

from tests.reward_models.published.reference import Reference
from tests.reward_models.tiny import llama3
from tests.reward_models.tiny.tokenizer import Turns, occurrences, template_ids
from tests.reward_models.tiny.weights import (
    Tensors,
    below,
    hidden_states,
    random_bias,
    random_body,
    random_linear,
    read_config,
    read_weights,
    with_prefix,
    write_config,
    write_weights,
)

OBJECTIVES = (
    "helpsteer-helpfulness",
    "helpsteer-correctness",
    "helpsteer-coherence",
    "helpsteer-complexity",
    "helpsteer-verbosity",
    "ultrafeedback-overall_score",
    "ultrafeedback-instruction_following",
    "ultrafeedback-truthfulness",
    "ultrafeedback-honesty",
    "ultrafeedback-helpfulness",
    "beavertails-is_safe",
    "prometheus-score",
    "argilla-overall_quality",
    "argilla-judge_lm",
    "code-complexity",
    "code-style",
    "code-explanation",
    "code-instruction-following",
    "code-readability",
)
GATE_WIDTH = 24


def build(folder: Path, *, seed: int = 0, shards: int = 1) -> Path:
    """Writes the checkpoint; `shards` files of weights."""
    config = {
        "architectures": ["LlamaForRewardModelWithGating"],
        "auto_map": {
            "AutoModelForSequenceClassification": "modeling_custom.LlamaForRewardModelWithGating"
        },
        **llama3.body_config(vocab_size=128257),
        "gating_hidden_dim": GATE_WIDTH,
        "gating_n_hidden": 3,
        "gating_temperature": 10,
        "id2label": {"0": "LABEL_0"},
        "label2id": {"LABEL_0": 0},
        "num_objectives": len(OBJECTIVES),
        "pad_token_id": 128256,
    }
    write_config(folder, config)
    llama3.write_llama3_tokenizer(folder, pad="[PAD]")
    generator = torch.Generator().manual_seed(seed)
    hidden, count = config["hidden_size"], len(OBJECTIVES)
    tensors = with_prefix("model.", random_body(config, generator))
    tensors["regression_layer.weight"] = random_linear(generator, count, hidden, scale=2)
    # The real matrix is the identity with a row of penalties: this one has no zeros at all.
    tensors["reward_transform_matrix"] = torch.eye(count) + random_linear(generator, count, count)
    tensors["gating.logit_scale"] = torch.tensor([2.5])
    widths = [hidden, GATE_WIDTH, GATE_WIDTH, GATE_WIDTH, count]
    for layer in range(4):
        # Large enough for a temperature of 10 to leave the gate far from uniform.
        weight = random_linear(generator, widths[layer + 1], widths[layer], scale=4)
        tensors[f"gating.layers.{layer}.weight"] = weight
        tensors[f"gating.layers.{layer}.bias"] = random_bias(generator, widths[layer + 1], scale=3)
    write_weights(folder, tensors, shards=shards)
    return folder


def text_ids(folder: Path, prompt: str | Turns, completion: str) -> list[int]:
    """The conversation in the checkpoint's template, one BOS."""
    return template_ids(folder, prompt, completion)


def reference(folder: Path, ids: list[int]) -> Reference:
    """Gate at the assistant's header, objectives at the last token."""
    return _read(folder, ids)


def _gate(tensors: Tensors, state: torch.Tensor, temperature: float) -> torch.Tensor:
    for layer in range(4):
        weight, bias = (tensors[f"gating.layers.{layer}.{part}"] for part in ("weight", "bias"))
        state = linear(state, weight, bias)
        if layer < 3:
            state = relu(state)
    return torch.softmax(state / temperature, dim=-1) * tensors["gating.logit_scale"]


def _read(
    folder: Path,
    ids: list[int],
    *,
    gate_at: Callable[[list[int]], int] = llama3.last_assistant_header,
    read_at: int = -1,
    transposed: bool = False,
    **changed: Any,
) -> Reference:
    config, tensors = read_config(folder), read_weights(folder) | changed.get("tensors", {})
    states = hidden_states(config, below("model.", tensors), ids)
    rewards = linear(states[read_at], tensors["regression_layer.weight"])
    gate = _gate(
        tensors, states[gate_at(ids)], changed.get("temperature", config["gating_temperature"])
    )
    matrix = tensors["reward_transform_matrix"]
    reward = (gate * (rewards @ (matrix.T if transposed else matrix))).sum()
    return Reference(
        reward=float(reward),
        objectives=dict(zip(OBJECTIVES, rewards.tolist(), strict=True)),
    )


MUTATIONS: dict[str, Callable[[Path, list[int]], float]] = {
    "gate at the end of the header": lambda folder, ids: (
        _read(folder, ids, gate_at=lambda ids: llama3.last_assistant_header(ids) + 4).reward
    ),
    "gate before the end of the turn": lambda folder, ids: (
        _read(folder, ids, gate_at=lambda ids: llama3.last_assistant_header(ids) - 1).reward
    ),
    "gate at the first header": lambda folder, ids: (
        _read(folder, ids, gate_at=lambda ids: occurrences(ids, llama3.ASSISTANT_HEADER)[0]).reward
    ),
    "gate at the last token": lambda folder, ids: _read(folder, ids, gate_at=lambda _: -1).reward,
    "objectives one token early": lambda folder, ids: _read(folder, ids, read_at=-2).reward,
    "transform transposed": lambda folder, ids: _read(folder, ids, transposed=True).reward,
    "no transform": lambda folder, ids: (
        _read(folder, ids, tensors={"reward_transform_matrix": torch.eye(len(OBJECTIVES))}).reward
    ),
    "temperature 1": lambda folder, ids: _read(folder, ids, temperature=1.0).reward,
    "no logit scale": lambda folder, ids: (
        _read(folder, ids, tensors={"gating.logit_scale": torch.ones(1)}).reward
    ),
    "gate without its last bias": lambda folder, ids: (
        _read(folder, ids, tensors={"gating.layers.3.bias": torch.zeros(len(OBJECTIVES))}).reward
    ),
    "plain mean of the objectives": lambda folder, ids: (
        sum(_read(folder, ids).objectives.values()) / len(OBJECTIVES)
    ),
    "sigmoid": lambda folder, ids: float(torch.sigmoid(torch.tensor(_read(folder, ids).reward))),
}
