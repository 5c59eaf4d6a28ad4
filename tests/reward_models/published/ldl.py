"""LDL-Reward-Gemma-2-27B: distributions of 22 objectives over ten ratings, and a gate, in pickles.

From allenai/reward-bench@05a9005, rewardbench/models/ldlreward.py: `regression_layer.pt`
(network.0, LeakyReLU, network.2, LeakyReLU, network.4 to 220, as [22, 10], softmax over the ten)
and `gating_layer.pt` (network.0, LeakyReLU, dropout, network.3, LeakyReLU, dropout, network.6 to
22, raw unless config.json's `softmax`), both biased, in float32, both at the token before the
first pad; the score is the sum of (gate x distributions) x linspace(0, 1, 10). By its
save_pretrained the body is saved on its own: its keys have no `model.` before them, and
`architectures` names the body's class (variant `prefixed`: both as for a whole model).

Objectives have no names in the checkpoint; here they are counted, and are expected ratings between
0 and 1. Not verified: which of the two layouts was published, the hidden widths (4,096 by the
code's defaults), the keys `num_objectives`, `temperature` and `softmax` in config.json.

reward-bench's class, with narrower layers, and this reference agree to 2e-6 (run by hand).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import leaky_relu, relu

from tests.reward_models.published.reference import Reference
from tests.reward_models.tiny import gemma2
from tests.reward_models.tiny.heads import Wrong, after, dense, random_dense, with_ids, wrong
from tests.reward_models.tiny.tokenizer import Turns, template_ids
from tests.reward_models.tiny.weights import (
    Tensors,
    below,
    hidden_states,
    random_body,
    read_config,
    read_weights,
    with_prefix,
    write_config,
    write_weights,
)

COUNT, RATINGS, WIDTH = 22, 10, 24
VARIANTS: dict[str, dict[str, Any]] = {
    "prefixed": {"prefixed": True},
    "sharded": {"shards": 2},
}


def build(folder: Path, *, seed: int = 0, prefixed: bool = False, shards: int = 1) -> Path:
    """Writes the checkpoint; its body `prefixed` by `model.`, in `shards` files."""
    config = {
        "architectures": ["LDLRewardModel27B" if prefixed else "Gemma2Model"],
        **gemma2.body_config(),
        "id2label": {"0": "LABEL_0"},
        "label2id": {"LABEL_0": 0},
    }
    write_config(folder, config)
    gemma2.write_gemma2_tokenizer(folder)
    generator = torch.Generator().manual_seed(seed)
    body = random_body(config, generator)
    write_weights(folder, with_prefix("model.", body) if prefixed else body, shards=shards)
    hidden = config["hidden_size"]
    regression, gating = {}, {}
    for head, layers, outputs in (
        (regression, (0, 2, 4), COUNT * RATINGS),
        (gating, (0, 3, 6), COUNT),
    ):
        widths = (hidden, WIDTH, WIDTH, outputs)
        for number, layer in enumerate(layers):
            inputs, width = widths[number : number + 2]
            head |= random_dense(generator, f"network.{layer}", inputs, width, scale=1.5)
    torch.save(regression, folder / "regression_layer.pt")
    torch.save(gating, folder / "gating_layer.pt")
    return folder


def text_ids(folder: Path, prompt: str | Turns, completion: str) -> list[int]:
    """The conversation in the template, one BOS."""
    return template_ids(folder, prompt, completion)


def reference(folder: Path, ids: list[int]) -> Reference:
    """Distributions and gate at the last token."""
    return _read(folder, ids)


def _network(
    tensors: Tensors, layers: tuple[int, ...], state: torch.Tensor, act: Any
) -> torch.Tensor:
    *inner, last = layers
    for layer in inner:
        state = act(dense(tensors, f"network.{layer}", state))
    return dense(tensors, f"network.{last}", state)


def _read(
    folder: Path,
    ids: list[int],
    *,
    at: int = -1,
    act: Any = leaky_relu,
    ratings_first: bool = False,
    softmax: bool = True,
    gated: bool = False,
    start: float = 0.0,
    ends: float = 1.0,
) -> Reference:
    tensors = read_weights(folder)
    body = below("model.", tensors) or tensors
    state = hidden_states(read_config(folder), body, ids)[at]
    regression = torch.load(folder / "regression_layer.pt", weights_only=True)
    gating = torch.load(folder / "gating_layer.pt", weights_only=True)
    flat = _network(regression, (0, 2, 4), state, act)
    logits = flat.view(RATINGS, COUNT).T if ratings_first else flat.view(COUNT, RATINGS)
    shares = logits.softmax(-1) if softmax else logits
    gate = _network(gating, (0, 3, 6), state, act)
    expected = shares @ torch.linspace(start, ends, RATINGS)
    reward = (gate.softmax(-1) if gated else gate) @ expected
    return Reference(
        reward=float(reward),
        objectives={str(number): value for number, value in enumerate(expected.tolist())},
    )


MUTATIONS: dict[str, Wrong] = {
    "one token early": wrong(_read, at=-2),
    "ReLU for LeakyReLU": wrong(_read, act=relu),
    "objectives of a rating side by side": wrong(_read, ratings_first=True),
    "no softmax over the ratings": wrong(_read, softmax=False),
    "softmax over the gate": wrong(_read, gated=True),
    "ratings from 1 to 10": wrong(_read, start=1.0, ends=10.0),
    "ratings from 0.1": wrong(_read, start=0.1),
    "two BOS": with_ids(_read, lambda ids: [ids[0], *ids]),
    "sigmoid": after(_read, torch.sigmoid),
}
