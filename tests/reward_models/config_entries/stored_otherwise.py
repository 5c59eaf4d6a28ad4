"""Reward models stored otherwise: quantised, as GGUF, as adapters of PEFT.

The layouts are those that the formats write: gptqmodel and AutoAWQ (qweight, qzeros, scales),
bitsandbytes (absmax, quant_map, quant_state), compressed-tensors (weight_scale), PEFT@5d602fd
(base_model.model., modules_to_save without its name). No published file was looked up.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.reward_models.config_entries import bodies, tokenizers
from tests.reward_models.config_entries.bodies import HIDDEN, QUERIES, Shapes
from tests.reward_models.config_entries.classifiers import (
    CLASSIFIER,
    SKYWORK_LLAMA,
    TRL_QWEN2,
)
from tests.reward_models.config_entries.entry import (
    ONE_LABEL,
    REFUSED,
    PublishedConfig,
    language_head,
    published,
)

_GROUP = 16
_AWQ = {
    "quant_method": "awq",
    "bits": 4,
    "group_size": _GROUP,
    "version": "gemm",
    "zero_point": True,
    "modules_to_not_convert": None,
}
_GPTQ = {
    "quant_method": "gptq",
    "bits": 4,
    "group_size": _GROUP,
    "desc_act": True,
    "sym": True,
    "checkpoint_format": "gptq",
}
_NF4 = {
    "quant_method": "bitsandbytes",
    "load_in_4bit": True,
    "bnb_4bit_quant_type": "nf4",
    "bnb_4bit_compute_dtype": "bfloat16",
    "bnb_4bit_use_double_quant": False,
    "llm_int8_skip_modules": ["lm_head", "score"],
}
_FP8 = {
    "quant_method": "compressed-tensors",
    "format": "float-quantized",
    "config_groups": {
        "group_0": {
            "targets": ["Linear"],
            "weights": {"num_bits": 8, "type": "float", "strategy": "channel", "symmetric": True},
            "input_activations": {
                "num_bits": 8,
                "type": "float",
                "strategy": "token",
                "dynamic": True,
            },
        }
    },
    "ignore": ["score"],
    "quantization_status": "compressed",
}


def _awq(name: str, rows: int, columns: int) -> Shapes:
    return {
        f"{name}.qweight": (columns, rows // 8),
        f"{name}.qzeros": (columns // _GROUP, rows // 8),
        f"{name}.scales": (columns // _GROUP, rows),
    }


def _gptq(name: str, rows: int, columns: int) -> Shapes:
    return {
        f"{name}.qweight": (columns // 8, rows),
        f"{name}.qzeros": (columns // _GROUP, max(1, rows // 8)),
        f"{name}.scales": (columns // _GROUP, rows),
        f"{name}.g_idx": (columns,),
    }


def _nf4(name: str, rows: int, columns: int) -> Shapes:
    return {
        f"{name}.weight": (rows * columns // 2, 1),
        f"{name}.weight.absmax": (max(1, rows * columns // 64),),
        f"{name}.weight.quant_map": (16,),
        f"{name}.weight.quant_state.bitsandbytes__nf4": (80,),
    }


def _fp8(name: str, rows: int, columns: int) -> Shapes:
    return {f"{name}.weight": (rows, columns), f"{name}.weight_scale": (rows, 1)}


def _quantised(
    kind: str, how: Any, config: dict[str, Any], *, head_too: bool = False
) -> PublishedConfig:
    """Skywork's Llama with the layers of its body quantised, and its head on request."""
    weights: Shapes = {}
    for key, shape in SKYWORK_LLAMA.weights.items():
        if key.endswith("_proj.weight") or (head_too and key == "score.weight"):
            weights |= how(key.removesuffix(".weight"), *shape)
        else:
            weights[key] = shape
    return replace(
        SKYWORK_LLAMA,
        hub_id=f"made-up/Skywork-Reward-Llama-3.1-8B-{kind}",
        config={**(SKYWORK_LLAMA.config or {}), "quantization_config": config},
        weights=weights,
        expected=f"{REFUSED}its head is stored quantized" if head_too else CLASSIFIER,
    )


def _lora(module: str, rows: int, columns: int, *, rank: int = 4) -> Shapes:
    path = f"base_model.model.{module}"
    return {f"{path}.lora_A.weight": (rank, columns), f"{path}.lora_B.weight": (rows, rank)}


def _adapter(
    hub_id: str,
    base: PublishedConfig | None,
    weights: Shapes,
    expected: str,
    **config: Any,
) -> PublishedConfig:
    """What PEFT saves; the base's folder is put in where there is one."""
    stated = {
        "peft_type": "LORA",
        "base_model_name_or_path": "meta-llama/Llama-3.1-8B-Instruct",
        "task_type": "SEQ_CLS",
        "r": 4,
        "lora_alpha": 8,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "modules_to_save": None,
        "target_modules": ["q_proj"],
        **config,
    }
    return PublishedConfig(
        hub_id,
        None,
        weights,
        None if base is None else base.tokenizer_config,
        expected,
        weight_file="adapter_model.safetensors",
        files={"adapter_config.json": stated},
        base=base,
    )


_ON_QUERIES = _lora("model.layers.0.self_attn.q_proj", QUERIES, HIDDEN)
_SAVED_SCORE = {"base_model.model.score.weight": (1, HIDDEN)}
_QWEN = bodies.qwen2(151936)
_QWEN_INSTRUCT = published(
    "Qwen/Qwen2-0.5B-Instruct",
    "Qwen2ForCausalLM",
    _QWEN,
    language_head(_QWEN),
    "",
    tokenizers.qwen(),
)

STORED_OTHERWISE: tuple[PublishedConfig, ...] = (
    _quantised("AWQ", _awq, _AWQ),
    _quantised("GPTQ", _gptq, _GPTQ),
    _quantised("bnb-4bit", _nf4, _NF4),
    _quantised("FP8-dynamic", _fp8, _FP8),
    _quantised("GPTQ-all-linear", _gptq, _GPTQ, head_too=True),
    PublishedConfig(
        "made-up/Skywork-Reward-Llama-3.1-8B-GGUF",
        None,
        {},
        None,
        f"{REFUSED}.gguf",
        files={"Skywork-Reward-Llama-3.1-8B.Q4_K_M.gguf": "GGUF\x03\x00\x00\x00"},
    ),
    # The trl documentation's adapter; task_type may be null (facts).
    _adapter(
        "trl-lib/Qwen2-0.5B-Reward-LoRA",
        _QWEN_INSTRUCT,
        {**_ON_QUERIES, **_SAVED_SCORE},
        CLASSIFIER,
        modules_to_save=["score"],
    ),
    _adapter(
        "made-up/reward-lora-without-task-type",
        _QWEN_INSTRUCT,
        {**_ON_QUERIES, **_SAVED_SCORE},
        CLASSIFIER,
        task_type=None,
        modules_to_save=["score"],
    ),
    # Its base has the head.
    _adapter("made-up/reward-lora-on-a-reward-model", TRL_QWEN2, _ON_QUERIES, CLASSIFIER),
    # Neither has one.
    _adapter(
        "made-up/reward-lora-without-a-head",
        _QWEN_INSTRUCT,
        _ON_QUERIES,
        f"{REFUSED}has 'score.weight', so the head would be random",
    ),
    # LoRA over a head that was random (PEFT 577).
    _adapter(
        "made-up/reward-lora-over-a-random-layer",
        _QWEN_INSTRUCT,
        {**_ON_QUERIES, **_lora("score", 1, HIDDEN)},
        f"{REFUSED}LoRA on the head",
        target_modules=["q_proj", "score"],
    ),
    # A language model's adapter.
    _adapter(
        "made-up/dpo-lora",
        _QWEN_INSTRUCT,
        _ON_QUERIES,
        f"{REFUSED}a language model",
        task_type="CAUSAL_LM",
    ),
    # A base that cannot be reached here.
    _adapter(
        "made-up/reward-lora-of-a-base-elsewhere",
        None,
        {**_ON_QUERIES, **_SAVED_SCORE},
        f"{REFUSED}meta-llama/Llama-3.1-8B-Instruct",
        modules_to_save=["score"],
    ),
    # An adapter saved within its model and not merged.
    published(
        "made-up/Qwen2-0.5B-Reward-with-unmerged-parts",
        "Qwen2ForSequenceClassification",
        _QWEN.renamed("model.", "base_model.model.model."),
        {**_ON_QUERIES, "base_model.model.score.modules_to_save.default.weight": (1, HIDDEN)},
        f"{REFUSED}unmerged PEFT adapter",
        tokenizers.qwen(),
        config=ONE_LABEL,
    ),
)
