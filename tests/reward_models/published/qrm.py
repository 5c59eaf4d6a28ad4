"""QRM: quantiles of each objective at the last token, weighted by a gate with batch norms.

Llama form (QRM-Llama3-8B, QRM-Llama3.1-8B), from allenai/reward-bench@05a9005,
rewardbench/models/qrm.py: `regression_layer.weight` [objectives x quantiles, hidden] without bias,
an objective's quantiles side by side, their mean its reward; times `reward_transform_matrix`,
which gives the objectives that are reported; the gate reads the START of the last end of turn and
assistant's header, and is linear without bias, ReLU, batch norm (running statistics, eps 1e-5)
three times, then linear with bias, softmax(. / temperature) x `logit_scale`; the objectives are
read before the first pad.

Gemma-2 form (QRM-Gemma-2-27B), from a public reader made after the checkpoint's own code, and the
names in its tests after model.safetensors.index.json: 5 objectives x 19 quantiles, no transform, a
dropout behind the first two batch norms (so that layers count 0, 4, 8, 11 and 2, 6, 10),
temperature 1 where config.json does not say, the pattern 107, 108, 106, 2516, 108; architectures
names Gemma2ForQuantileSequenceClassification.

The Llama form has 19 quantiles too: reward-bench's code multiplies [objectives, objectives] by
[objectives, quantiles] element by element.

Not verified: the Llama form's `architectures`; the names of its objectives (ArmoRM's, from whose
gate it descends); auto_map; pad_token_id.

reward-bench's classes and this reference agree to 2e-6 on the Llama forms (run by hand).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import relu

from tests.reward_models.published.armorm import OBJECTIVES as LLAMA_OBJECTIVES
from tests.reward_models.published.reference import Reference
from tests.reward_models.tiny import gemma2, llama3
from tests.reward_models.tiny.heads import Wrong, after, dense, random_dense, with_ids, wrong
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

GEMMA_OBJECTIVES = LLAMA_OBJECTIVES[:5]
WIDTH = 24
#: Numbers of the gate's linear layers and batch norms, by the body's model_type.
LAYERS = {"llama": ((0, 3, 6, 9), (2, 5, 8)), "gemma2": ((0, 4, 8, 11), (2, 6, 10))}
PATTERNS = {"llama": llama3.ASSISTANT_HEADER, "gemma2": gemma2.MODEL_HEADER}
VARIANTS: dict[str, dict[str, Any]] = {
    "llama31": {"llama31": True},
    "gemma2": {"body": "gemma2"},
    "gemma2-window": {"body": "gemma2", "window": 16},
    "sharded": {"shards": 2},
}
#: Gemma's form has no transform.
WITHOUT_EFFECT = {v: {"transform transposed", "no transform"} for v in ("gemma2", "gemma2-window")}


def build(
    folder: Path,
    *,
    seed: int = 0,
    body: str = "llama",
    llama31: bool = False,
    window: int = 4096,
    shards: int = 1,
) -> Path:
    """Writes the checkpoint.

    Args:
        folder: Where.
        seed: Of the weights.
        body: `llama` or `gemma2`.
        llama31: Whether a Llama body scales its positions as Llama 3.1 does.
        window: How far every other layer of a Gemma body looks back.
        shards: How many files of weights.
    """
    gemma = body == "gemma2"
    config = _gemma_config(window) if gemma else _llama_config(llama31)
    write_config(folder, config)
    if gemma:
        gemma2.write_gemma2_tokenizer(folder)
    else:
        llama3.write_llama3_tokenizer(folder, pad="[PAD]")
    generator = torch.Generator().manual_seed(seed)
    hidden, count = config["hidden_size"], config["num_objectives"]
    tensors = with_prefix("model.", random_body(config, generator))
    tensors["regression_layer.weight"] = random_linear(
        generator, count * config["num_quantiles"], hidden, scale=10
    )
    if not gemma:
        tensors["reward_transform_matrix"] = torch.eye(count) + random_linear(
            generator, count, count
        )
    tensors |= with_prefix("gating.", _random_gate(generator, config))
    write_weights(folder, tensors, shards=shards)
    return folder


def _llama_config(llama31: bool) -> dict[str, Any]:
    name = "LlamaForRewardModelWithGating31" if llama31 else "LlamaForRewardModelWithGating3"
    return {
        "architectures": [name],
        "auto_map": {"AutoModelForSequenceClassification": f"modeling_custom.{name}"},
        **llama3.body_config(vocab_size=128257, llama31=llama31),
        "gating_hidden_dim": WIDTH,
        "gating_n_hidden": 3,
        "gating_temperature": 10,
        "id2label": {"0": "LABEL_0"},
        "label2id": {"LABEL_0": 0},
        "num_objectives": len(LLAMA_OBJECTIVES),
        "num_quantiles": 19,
        "pad_token_id": 128256,
    }


def _gemma_config(window: int) -> dict[str, Any]:
    name = "Gemma2ForQuantileSequenceClassification"
    return {
        "architectures": [name],
        "auto_map": {"AutoModelForSequenceClassification": f"modeling_custom.{name}"},
        **gemma2.body_config(window=window),
        "gating_hidden_dim": WIDTH,
        "gating_n_hidden": 3,
        "gating_temperature": 1,
        "id2label": {"0": "LABEL_0"},
        "label2id": {"LABEL_0": 0},
        "num_objectives": len(GEMMA_OBJECTIVES),
        "num_quantiles": 19,
    }


def _random_gate(generator: torch.Generator, config: dict[str, Any]) -> Tensors:
    """The gate's tensors; a temperature of 10 leaves it far from uniform, one of 1 from one-hot."""
    linears, norms = LAYERS[config["model_type"]]
    tensors: Tensors = {"logit_scale": torch.tensor([1.5])}
    inputs = config["hidden_size"]
    for linear, norm in zip(linears[:-1], norms, strict=True):
        tensors |= random_dense(generator, f"layers.{linear}", inputs, WIDTH, bias=False, scale=2)
        tensors |= {
            f"layers.{norm}.weight": 1 + random_bias(generator, WIDTH, scale=0.3),
            f"layers.{norm}.bias": random_bias(generator, WIDTH),
            f"layers.{norm}.running_mean": random_bias(generator, WIDTH),
            f"layers.{norm}.running_var": 0.5 + torch.rand(WIDTH, generator=generator),
            f"layers.{norm}.num_batches_tracked": torch.tensor(1000),
        }
        inputs = WIDTH
    scale = 0.4 * config["gating_temperature"]
    tensors |= random_dense(
        generator, f"layers.{linears[-1]}", inputs, config["num_objectives"], scale=scale
    )
    return tensors


def text_ids(folder: Path, prompt: str | Turns, completion: str) -> list[int]:
    """The conversation in the template, one BOS."""
    return template_ids(folder, prompt, completion)


def reference(folder: Path, ids: list[int]) -> Reference:
    """Gate at the header of the last answer, mean quantiles at the last token."""
    return _read(folder, ids)


def _norm(tensors: Tensors, name: str, states: torch.Tensor, *, norms: str) -> torch.Tensor:
    mean, var = tensors[f"{name}.running_mean"], tensors[f"{name}.running_var"]
    if norms == "weights only":
        return states * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]
    epsilon = 1e-5
    scaled = (states - mean) / (var + epsilon).sqrt()
    return scaled * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]


def _gate(
    tensors: Tensors, state: torch.Tensor, model_type: str, *, norms: str, relu_last: bool
) -> torch.Tensor:
    """Logits of the gate; `norms` before softmax and temperature."""
    linears, batch_norms = LAYERS[model_type]
    for linear, norm in zip(linears[:-1], batch_norms, strict=True):
        state = dense(tensors, f"gating.layers.{linear}", state)
        if relu_last:
            state = relu(_norm(tensors, f"gating.layers.{norm}", state, norms=norms))
        elif norms == "none":
            state = relu(state)
        else:
            state = _norm(tensors, f"gating.layers.{norm}", relu(state), norms=norms)
    return dense(tensors, f"gating.layers.{linears[-1]}", state)


def _read(
    folder: Path,
    ids: list[int],
    *,
    occurrence: int = -1,
    offset: int = 0,
    at: int = -1,
    norms: str = "running",
    relu_last: bool = False,
    quantiles_first: bool = False,
    reduce: Callable[[torch.Tensor], torch.Tensor] = lambda quantiles: quantiles.mean(-1),
    transform: Callable[[torch.Tensor], torch.Tensor] = lambda matrix: matrix,
    temperature: float | None = None,
    scaled: bool = True,
) -> Reference:
    config, tensors = read_config(folder), read_weights(folder)
    kind, count = config["model_type"], config["num_objectives"]
    states = hidden_states(config, below("model.", tensors), ids)
    flat = dense(tensors, "regression_layer", states[at])
    quantiles = flat.view(-1, count).T if quantiles_first else flat.view(count, -1)
    rewards = reduce(quantiles)
    if "reward_transform_matrix" in tensors:
        rewards = rewards @ transform(tensors["reward_transform_matrix"])
    place = occurrences(ids, PATTERNS[kind])[occurrence] + offset
    logits = _gate(tensors, states[place], kind, norms=norms, relu_last=relu_last)
    gate = torch.softmax(logits / (temperature or config["gating_temperature"]), dim=-1)
    if scaled:
        gate = gate * tensors["gating.logit_scale"]
    names = GEMMA_OBJECTIVES if kind == "gemma2" else LLAMA_OBJECTIVES
    return Reference(
        reward=float((gate * rewards).sum()),
        objectives=dict(zip(names, rewards.tolist(), strict=True)),
    )


MUTATIONS: dict[str, Wrong] = {
    "gate at the end of the header": wrong(_read, offset=4),
    "gate before the end of the turn": wrong(_read, offset=-1),
    "gate at the first header": wrong(_read, occurrence=0),
    "quantiles one token early": wrong(_read, at=-2),
    "objectives of a quantile side by side": wrong(_read, quantiles_first=True),
    "sum of the quantiles": wrong(_read, reduce=lambda quantiles: quantiles.sum(-1)),
    "median of the quantiles": wrong(_read, reduce=lambda quantiles: quantiles.median(-1).values),
    "batch norms left out": wrong(_read, norms="none"),
    "batch norms without statistics": wrong(_read, norms="weights only"),
    "ReLU behind the batch norm": wrong(_read, relu_last=True),
    "transform transposed": wrong(_read, transform=lambda matrix: matrix.T),
    "no transform": wrong(_read, transform=lambda matrix: torch.eye(len(matrix))),
    "another temperature": wrong(_read, temperature=3.0),
    "no logit scale": wrong(_read, scaled=False),
    "two BOS": with_ids(_read, lambda ids: [ids[0], *ids]),
    "sigmoid": after(_read, torch.sigmoid),
}
