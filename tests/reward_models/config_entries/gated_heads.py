"""Reward models with a gate over objectives, a distribution, or two layers behind the body.

Sources as in `classifiers`; SGL: sglang's llama_classification.py; QG: a published rewriting of
QRM-Gemma-2-27B that lists the names of its index.
"""

from __future__ import annotations

from typing import Any

from tests.reward_models.config_entries import bodies, tokenizers
from tests.reward_models.config_entries.bodies import HIDDEN, INNER, Body, Shapes
from tests.reward_models.config_entries.entry import (
    ONE_LABEL,
    PublishedConfig,
    linear_head,
    published,
)
from tests.reward_models.config_entries.other_bodies import linear

#: Width of a gate's layers, which is 1,024 in the published ones.
GATE = 24
_NO_BODY_PREFIX = ("model.", "")


def _batch_norm(name: str) -> Shapes:
    vectors = ("weight", "bias", "running_mean", "running_var")
    return {**{f"{name}.{part}": (GATE,) for part in vectors}, f"{name}.num_batches_tracked": ()}


def _quantile_gate(linears: tuple[int, ...], norms: tuple[int, ...], objectives: int) -> Shapes:
    *hidden, last = linears
    weights: Shapes = {"gating.logit_scale": (1,)}
    for i in hidden:
        weights[f"gating.layers.{i}.weight"] = (GATE, HIDDEN if i == 0 else GATE)
    for i in norms:
        weights |= _batch_norm(f"gating.layers.{i}")
    return weights | linear(f"gating.layers.{last}", objectives, GATE)


def _qrm_llama(hub_id: str, body: Body, objectives: int) -> PublishedConfig:
    """RB, qrm.py: class (but for the version), names, fields. Numbers of objectives: see below."""
    quantiles = 19
    return published(
        hub_id,
        "LlamaForRewardModelWithGating",
        body,
        {
            **linear_head("regression_layer", objectives * quantiles),
            "reward_transform_matrix": (objectives, objectives),
            **_quantile_gate((0, 3, 6, 9), (2, 5, 8), objectives),
        },
        "qrm",
        tokenizers.llama3("[PAD]"),
        config={
            "auto_map": {
                "AutoModelForSequenceClassification": "modeling_custom.LlamaForRewardModelWithGating"
            },
            "num_objectives": objectives,
            "num_quantiles": quantiles,
            "gating_temperature": 10,
            "gating_hidden_dim": GATE,
            "gating_n_hidden": 3,
            "pad_token_id": 128256,
        },
        full_precision=("regression_layer", "gating", "reward_transform"),
    )


def _inf_orm(hub_id: str, head: Shapes, **config: Any) -> PublishedConfig:
    return published(
        hub_id,
        "INFORMForSequenceClassification",
        bodies.llama31(128257),
        head,
        "inf-orm",
        tokenizers.llama3("[PAD]"),
        config={**ONE_LABEL, **config},
    )


GATED_HEADS: tuple[PublishedConfig, ...] = (
    # RL: class, all names and shapes, float32 of the heads, rows. The code's file: not verified.
    published(
        "RLHFlow/ArmoRM-Llama3-8B-v0.1",
        "LlamaForRewardModelWithGating",
        bodies.llama3(128257),
        {
            **linear_head("regression_layer", 19),
            "reward_transform_matrix": (19, 19),
            "gating.logit_scale": (1,),
            **linear("gating.layers.0", GATE, HIDDEN),
            **linear("gating.layers.1", GATE, GATE),
            **linear("gating.layers.2", GATE, GATE),
            **linear("gating.layers.3", 19, GATE),
        },
        "armorm",
        tokenizers.llama3("[PAD]"),
        config={
            "auto_map": {
                "AutoModelForSequenceClassification": "modeling_custom.LlamaForRewardModelWithGating"
            },
            "num_objectives": 19,
            "gating_temperature": 10,
            "gating_hidden_dim": GATE,
            "gating_n_hidden": 3,
            "pad_token_id": 128256,
        },
        full_precision=("regression_layer", "gating", "reward_transform"),
    ),
    # RB's default of 19 objectives.
    _qrm_llama("nicolinho/QRM-Llama3-8B", bodies.llama3(128257), 19),
    # Five attributes (a published wrapper of Llama3.1-8B); not verified in its config.json.
    _qrm_llama("nicolinho/QRM-Llama3.1-8B", bodies.llama31(128257), 5),
    # QG: class, all names, 5 objectives of 19 quantiles, temperature 1. No transform.
    published(
        "nicolinho/QRM-Gemma-2-27B",
        "Gemma2ForQuantileSequenceClassification",
        bodies.gemma2(),
        {
            **linear_head("regression_layer", 5 * 19),
            **_quantile_gate((0, 4, 8, 11), (2, 6, 10), 5),
        },
        "qrm",
        tokenizers.gemma(),
        config={
            "auto_map": {
                "AutoModelForSequenceClassification": "modeling_custom.Gemma2ForQuantileSequenceClassification"
            },
            "num_objectives": 5,
            "num_quantiles": 19,
            "gating_temperature": 1,
            "gating_hidden_dim": GATE,
            "gating_n_hidden": 3,
        },
    ),
    # SGL: class, names, half of the labels as weights, float16. The code's file: not verified.
    published(
        "LxzGordon/URM-LLaMa-3.1-8B",
        "LlamaForSequenceClassificationWithNormal_Weights",
        bodies.llama31(128257),
        {
            **linear_head("score", 10),
            **linear("weights.fc.0", HIDDEN, HIDDEN),
            **linear("weights.fc.2", HIDDEN, HIDDEN),
            **linear("weights.fc.4", 5, HIDDEN),
        },
        "urm",
        tokenizers.llama3("[PAD]"),
        config={
            "auto_map": {
                "AutoModelForSequenceClassification": "modeling_custom.LlamaForSequenceClassificationWithNormal_Weights"
            },
            "id2label": {str(i): f"LABEL_{i}" for i in range(10)},
            "label2id": {f"LABEL_{i}": i for i in range(10)},
            "pad_token_id": 128256,
            "torch_dtype": "float16",
        },
    ),
    # RB, inform.py: class, two biased layers of the body's width.
    _inf_orm(
        "infly/INF-ORM-Llama3.1-70B",
        {**linear("score.0", HIDDEN, HIDDEN), **linear("score.2", 1, HIDDEN)},
        pad_token_id=128256,
    ),
    # RB, ldlreward.py saves the bare body, whose names have no prefix, and two pickles beside it.
    # What the published config.json says is not verified.
    published(
        "ShikaiChen/LDL-Reward-Gemma-2-27B-v0.1",
        "Gemma2Model",
        bodies.gemma2().renamed(*_NO_BODY_PREFIX),
        {},
        "ldl",
        tokenizers.gemma(),
        config={"num_objectives": 220},
        more_weights={
            "regression_layer.pt": {
                **linear("network.0", INNER, HIDDEN),
                **linear("network.2", INNER, INNER),
                **linear("network.4", 220, INNER),
            },
            "gating_layer.pt": {
                **linear("network.0", INNER, HIDDEN),
                **linear("network.3", INNER, INNER),
                **linear("network.6", 22, INNER),
            },
        },
        full_precision=("network",),
    ),
)
