"""Checkpoints with code of their own, and classes that have the name of a known one.

None of them was published: they are what a checkpoint could be whose forward pass is unknown,
beside those whose entry of auto_map says nothing of it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.reward_models.config_entries import bodies, tokenizers
from tests.reward_models.config_entries.bodies import Body
from tests.reward_models.config_entries.classifiers import CLASSIFIER, SCORE
from tests.reward_models.config_entries.entry import (
    ONE_LABEL,
    REFUSED,
    PublishedConfig,
    published,
)
from tests.reward_models.config_entries.scalar_heads import REGRESSION

_CLASSIFIERS = "AutoModelForSequenceClassification"


def _homonym(
    name: str,
    architecture: str | None,
    body: Body,
    auto_map: dict[str, Any],
    expected: str,
    tokenizer: dict[str, Any],
    **config: Any,
) -> PublishedConfig:
    config = {**ONE_LABEL, "pad_token_id": body.config["eos_token_id"], **config}
    return published(
        f"made-up/{name}",
        architecture,
        body,
        SCORE,
        expected,
        tokenizer,
        config={**config, "auto_map": auto_map},
    )


def _llama(name: str, auto_map: dict[str, Any], expected: str) -> PublishedConfig:
    tokenizer = tokenizers.llama3("<|eot_id|>")
    return _homonym(
        name, "LlamaForSequenceClassification", bodies.llama3(), auto_map, expected, tokenizer
    )


_MODELING = "modeling_pooled.LlamaForSequenceClassification"
_OF_ULTRARM = published(
    "made-up/llama-with-the-class-of-ultrarm-and-a-score",
    "LlamaRewardModel",
    bodies.llama2(),
    SCORE,
    f"{REFUSED}score.weight",
    tokenizers.llama2(),
)

OWN_CODE: tuple[PublishedConfig, ...] = (
    _llama("llama-homonym", {_CLASSIFIERS: _MODELING}, f"{REFUSED}{_MODELING}"),
    # In another repository.
    _llama(
        "llama-homonym-elsewhere",
        {_CLASSIFIERS: f"other/pooled--{_MODELING}"},
        f"{REFUSED}{_MODELING}",
    ),
    # The body's class alone: the head's would run on another body.
    _llama(
        "llama-with-a-body-of-its-own",
        {"AutoModel": "modeling_bidirectional.LlamaModel"},
        f"{REFUSED}modeling_bidirectional.LlamaModel",
    ),
    # A configuration of its own can mean anything by its fields.
    _llama(
        "llama-with-a-configuration-of-its-own",
        {"AutoConfig": "configuration_pooled.PooledLlamaConfig"},
        f"{REFUSED}configuration_pooled.PooledLlamaConfig",
    ),
    # The same name as the family's own configuration: written by save_pretrained of its own code.
    _llama(
        "llama-with-its-own-configuration-again",
        {"AutoConfig": "configuration_llama.LlamaConfig"},
        CLASSIFIER,
    ),
    # Left over from the language model that the training began with.
    _llama(
        "llama-with-code-of-the-language-model-before",
        {"AutoModelForCausalLM": "modeling_llama.LlamaForCausalLM"},
        CLASSIFIER,
    ),
    _homonym(
        "qwen2-homonym",
        "Qwen2ForSequenceClassification",
        bodies.qwen2(),
        {_CLASSIFIERS: "modeling_mean.Qwen2ForSequenceClassification"},
        f"{REFUSED}modeling_mean.Qwen2ForSequenceClassification",
        tokenizers.qwen(),
    ),
    _homonym(
        "mistral-homonym",
        "MistralForSequenceClassification",
        bodies.mistral(),
        {_CLASSIFIERS: "modeling_mean.MistralForSequenceClassification"},
        f"{REFUSED}modeling_mean.MistralForSequenceClassification",
        tokenizers.mistral(),
    ),
    # Nothing is named, and code would be run.
    _homonym(
        "gemma2-without-a-class",
        None,
        bodies.gemma2(),
        {_CLASSIFIERS: "modeling_mean.Gemma2ForSequenceClassification"},
        f"{REFUSED}modeling_mean.Gemma2ForSequenceClassification",
        tokenizers.gemma(),
        pad_token_id=0,
    ),
    # A class that ends as transformers' do, and is none of them.
    _homonym(
        "llama-of-an-unknown-class",
        "PooledForSequenceClassification",
        bodies.llama3(),
        {},
        f"{REFUSED}PooledForSequenceClassification",
        tokenizers.llama3("<|eot_id|>"),
    ),
    # The class of another family.
    _homonym(
        "llama-that-says-it-is-mistral",
        "MistralForSequenceClassification",
        bodies.llama3(),
        {},
        f"{REFUSED}MistralForSequenceClassification",
        tokenizers.llama3("<|eot_id|>"),
    ),
    # UltraRM's class with another head, and its head under another family.
    _OF_ULTRARM,
    replace(
        _OF_ULTRARM,
        hub_id="made-up/gemma2-with-the-head-of-another-model",
        config={"architectures": ["Gemma2RewardModel"], **bodies.gemma2().config},
        weights={**bodies.gemma2().weights, **REGRESSION},
        tokenizer_config=tokenizers.gemma(),
        expected=f"{REFUSED}regression_head.weight",
    ),
)
