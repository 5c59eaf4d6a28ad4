"""Reward models with a scalar head that transformers does not know by its class.

Sources as in `classifiers`; ORL: OpenRLHF/OpenRLHF@3c3be62; LMD: InternLM/lmdeploy.
"""

from __future__ import annotations

from typing import Any

from tests.reward_models.config_entries import bodies, tokenizers
from tests.reward_models.config_entries.bodies import HIDDEN, INNER, Body, Shapes
from tests.reward_models.config_entries.entry import (
    PublishedConfig,
    language_head,
    linear_head,
    published,
)
from tests.reward_models.config_entries.other_bodies import linear

REGRESSION = linear_head("regression_head")


def _mlp_head(name: str, middle: int) -> Shapes:
    return {**linear(f"{name}.0", middle, HIDDEN), **linear(f"{name}.2", 1, middle)}


def _openrlhf(hub_id: str, prefix: str, **config: Any) -> PublishedConfig:
    return published(
        hub_id,
        "RewardModel",
        bodies.llama3(end=128001),
        linear_head(prefix),
        "openrlhf",
        tokenizers.llama3("<|end_of_text|>"),
        config={"normalize_reward": False, "mean": 0.5, "std": 2.0, **config},
    )


def _nemotron(hub_id: str) -> PublishedConfig:
    """NVIDIA's own word, on the card's discussion: the head is row 0 of the language head."""
    body = bodies.llama31()
    return published(
        hub_id,
        "LlamaForCausalLM",
        body,
        language_head(body),
        "token-logit",
        tokenizers.llama3("<|finetune_right_pad_id|>"),
    )


def _athene(hub_id: str) -> PublishedConfig:
    """A published wrapper of Athene-RM-70B: class, head, no code, no pad id, cls token 128003."""
    return published(
        hub_id,
        "CustomAutoModelForSequenceClassification",
        bodies.llama3(),
        linear_head("v_head"),
        "athene",
        tokenizers.llama3(cls_token="<|reserved_special_token_1|>"),
    )


def _grm(
    hub_id: str, architecture: str, body: Body, head: Shapes, tokenizer: dict[str, Any], kind: str
) -> PublishedConfig:
    """RB, grm.py: the head and its fields. Class and auto_map: facts; file and class not verified."""
    return published(
        hub_id,
        architecture,
        body,
        head,
        "grm",
        tokenizer,
        config={
            "auto_map": {"AutoModelForSequenceClassification": "modeling_grm.GRewardModel"},
            "vhead_layer_type": kind,
            "vhead_num_layers": 1,
            "vhead_num_neurons": 1024,
            "torch_dtype": "float16",
        },
    )


def _beaver(
    hub_id: str,
    kind: str,
    *,
    architecture: str = "LlamaForScore",
    bias: bool = False,
    **config: Any,
) -> PublishedConfig:
    """RB, beaver.py: class, head, normaliser, fields of config.json; their values not verified."""
    return published(
        hub_id,
        architecture,
        bodies.llama2(32001),
        {
            **linear_head("score_head", bias=bias),
            "normalizer.mean": (1,),
            "normalizer.var": (1,),
            "normalizer.count": (1,),
        },
        "beaver",
        tokenizers.llama2("<pad>", model_max_length=512),
        config={
            "score_type": kind,
            "score_dim": 1,
            "bias": bias,
            "do_normalize": False,
            "normalizer_type": "ExponentialMovingAverage",
            "momentum": 0.9,
            "mean": [0.25],
            "var": [4.0],
            "pad_token_id": 32000,
            **config,
        },
    )


def internlm2_reward(hub_id: str, expected: str = "internlm2-reward") -> PublishedConfig:
    """RL: class, head, names, float16. LMD: fused names. reward_token_id: facts and xtuner."""
    return published(
        hub_id,
        "InternLM2ForRewardModel",
        bodies.internlm2(),
        linear_head("v_head"),
        expected,
        tokenizers.internlm2("InternLM2TokenizerFast"),
        config={
            "auto_map": {
                "AutoConfig": "configuration_internlm2.InternLM2Config",
                "AutoModel": "modeling_internlm2.InternLM2ForRewardModel",
            },
            "reward_token_id": 92527,
        },
    )


def _qwen2_reward(hub_id: str) -> PublishedConfig:
    """LMD, qwen2_reward.py: two biased layers. Code's names: vLLM's note of their source."""
    body = bodies.qwen2(end=151643)
    return published(
        hub_id,
        "Qwen2ForRewardModel",
        body,
        {**_mlp_head("score", HIDDEN), **language_head(body)},
        "qwen2-reward",
        tokenizers.qwen(),
        config={
            "auto_map": {
                "AutoConfig": "configuration_qwen2_rm.Qwen2RMConfig",
                "AutoModel": "modeling_qwen2_rm.Qwen2ForRewardModel",
            }
        },
    )


_GEMMA = bodies.gemma()
_STARLING_7B = bodies.llama2()
SCALAR_HEADS: tuple[PublishedConfig, ...] = (
    # RB, openbmb.py: class, head; pickles: facts. One row more than Llama 2: not verified.
    published(
        "openbmb/UltraRM-13b",
        "LlamaRewardModel",
        bodies.llama2(32001),
        REGRESSION,
        "ultrarm",
        tokenizers.llama2("<pad>"),
        config={"pad_token_id": 32000},
        weight_file="pytorch_model.bin",
    ),
    # RB loads it by AutoModel with code of its own; the code's names are not verified.
    published(
        "openbmb/Eurus-RM-7b",
        "EurusRewardModel",
        bodies.mistral(),
        REGRESSION,
        "eurus",
        tokenizers.mistral(),
        config={
            "auto_map": {
                "AutoConfig": "configuration_eurus_rm.EurusConfig",
                "AutoModel": "modeling_eurus_rm.EurusRewardModel",
            },
            "pad_token_id": 2,
        },
    ),
    # OpenRLHF issues 542 and 1039: the classes load; 128,256 rows; `score` of one row.
    _openrlhf("OpenRLHF/Llama-3-8b-rm-mixture", "score", value_head_prefix="score"),
    _openrlhf("OpenRLHF/Llama-3-8b-rm-700k", "score"),
    # Issue 494: the head was always `value_head` in older versions.
    _openrlhf("made-up/openrlhf-0.3-Llama-3-8b-rm", "value_head"),
    # ORL, model.py: any other prefix is possible where config.json says it.
    _openrlhf("made-up/openrlhf-Llama-3-8b-rm-head", "reward_out", value_head_prefix="reward_out"),
    _nemotron("nvidia/Llama-3.1-Nemotron-70B-Reward-HF"),
    _nemotron("nvidia/Llama-3.3-Nemotron-70B-Reward"),
    _athene("Nexusflow/Athene-RM-8B"),
    _athene("Nexusflow/Athene-RM-70B"),
    # RB, starling.py: the state of a class that has the body twice, as `model.model` and as
    # `transformer`; RB takes everything else from Llama 2's config.json. Not verified.
    published(
        "berkeley-nest/Starling-RM-7B-alpha",
        None,
        _STARLING_7B.renamed("model.", "transformer."),
        {
            **_STARLING_7B.renamed("model.", "model.model.").weights,
            **language_head(_STARLING_7B, "model.lm_head"),
            **linear_head("v_head"),
        },
        "starling",
        tokenizers.llama2(),
        weight_file="pytorch_model.bin",
    ),
    # RB, starling.py: the class has the name of transformers' own, and other weights.
    published(
        "Nexusflow/Starling-RM-34B",
        "LlamaForSequenceClassification",
        bodies.llama2(64000).renamed("model.", "transformer."),
        linear_head("v_head"),
        "starling",
        tokenizers.llama2(),
        config={"pad_token_id": 0},
    ),
    _grm(
        "Ray2333/GRM-llama3-8B-sftreg",
        "LlamaForCausalLM",
        bodies.llama3(end=128001),
        {**_mlp_head("v_head.summary", INNER), **language_head(bodies.llama3())},
        tokenizers.llama3("<|end_of_text|>"),
        "mlp",
    ),
    _grm(
        "Ray2333/GRM-llama3.2-3B-sftreg",
        "LlamaForCausalLM",
        bodies.llama31(),
        linear_head("v_head.summary", bias=True),
        tokenizers.llama3("<|eot_id|>"),
        "linear",
    ),
    _grm(
        "Ray2333/GRM-Gemma-2B-sftreg",
        "GemmaForCausalLM",
        _GEMMA,
        _mlp_head("v_head.summary", INNER),
        tokenizers.gemma(),
        "mlp",
    ),
    _grm(
        "Ray2333/GRM-Gemma2-2B-sftreg",
        "Gemma2ForCausalLM",
        bodies.gemma2(),
        linear_head("v_head.summary", bias=True),
        tokenizers.gemma(),
        "linear",
    ),
    _beaver("PKU-Alignment/beaver-7b-v1.0-reward", "reward"),
    _beaver("PKU-Alignment/beaver-7b-v1.0-cost", "cost"),
    # The class's later name: other projects' imports of safe-rlhf; which one has it, not verified.
    _beaver(
        "PKU-Alignment/beaver-7b-v3.0-reward",
        "reward",
        architecture="LlamaModelForScore",
        bias=True,
        do_normalize=True,
    ),
    internlm2_reward("internlm/internlm2-1_8b-reward"),
    internlm2_reward("internlm/internlm2-7b-reward"),
    internlm2_reward("internlm/internlm2-20b-reward"),
    _qwen2_reward("Qwen/Qwen2.5-Math-RM-72B"),
    _qwen2_reward("Qwen/WorldPM-72B"),
)
