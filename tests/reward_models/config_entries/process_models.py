"""Process reward models: a reward for each step.

PB: ssmisya/PRMBench@a1ae4ea; SK: SkyworkAI/skywork-o1-prm-inference; ORL, RLF as elsewhere.
"""

from __future__ import annotations

from typing import Any

from tests.reward_models.config_entries import bodies, tokenizers
from tests.reward_models.config_entries.bodies import HIDDEN, Body
from tests.reward_models.config_entries.entry import (
    PublishedConfig,
    language_head,
    linear_head,
    published,
)
from tests.reward_models.config_entries.other_bodies import linear


def _qwen_prm(hub_id: str) -> PublishedConfig:
    """vLLM, qwen2_rm.py: class, two biased layers to two labels; code's names: a test of theirs."""
    body = bodies.qwen2(end=151643)
    return published(
        hub_id,
        "Qwen2ForProcessRewardModel",
        body,
        {
            **linear("score.0", HIDDEN, HIDDEN),
            **linear("score.2", 2, HIDDEN),
            **language_head(body),
        },
        "process",
        tokenizers.qwen_prm(),
        config={
            "auto_map": {
                "AutoConfig": "configuration_qwen2_rm.Qwen2RMConfig",
                "AutoModel": "modeling_qwen2_rm.Qwen2ForProcessRewardModel",
            }
        },
    )


def _skywork_prm(hub_id: str) -> PublishedConfig:
    """SK: class, biased head, a language head that is ignored. Code's names: none seen."""
    body = bodies.qwen2(end=151645)
    return published(
        hub_id,
        "Qwen2ForPrmModel",
        body,
        {**linear_head("v_head.summary", bias=True), **language_head(body)},
        "process",
        tokenizers.qwen(),
    )


def _causal(
    hub_id: str, body: Body, architecture: str, tokenizer: dict[str, Any]
) -> PublishedConfig:
    return published(hub_id, architecture, body, language_head(body), "process", tokenizer)


PROCESS_MODELS: tuple[PublishedConfig, ...] = (
    _qwen_prm("Qwen/Qwen2.5-Math-PRM-7B"),
    _qwen_prm("Qwen/Qwen2.5-Math-7B-PRM800K"),
    _skywork_prm("Skywork/Skywork-o1-Open-PRM-Qwen-2.5-1.5B"),
    _skywork_prm("Skywork/Skywork-o1-Open-PRM-Qwen-2.5-7B"),
    # PB: a causal language model, told by its name alone.
    _causal(
        "peiyi9979/math-shepherd-mistral-7b-prm",
        bodies.mistral(),
        "MistralForCausalLM",
        tokenizers.with_words(tokenizers.mistral(), {"-": 387, "+": 648, "ки": 12902}),
    ),
    # PB: the same; RLF's README lists both.
    _causal(
        "RLHFlow/Llama3.1-8B-PRM-Mistral-Data",
        bodies.llama31(),
        "LlamaForCausalLM",
        tokenizers.llama3("<|eot_id|>"),
    ),
    _causal(
        "RLHFlow/Llama3.1-8B-PRM-Deepseek-Data",
        bodies.llama31(),
        "LlamaForCausalLM",
        tokenizers.llama3("<|eot_id|>"),
    ),
)
