"""Classifiers with one label as trainers would save them; none of these was published.

The names of the weights are those that transformers 4.56 (Gemma 3) and 5.23 (the others) write.
"""

from __future__ import annotations

from tests.reward_models.config_entries import (
    bodies,
    composite_bodies,
    other_bodies,
    tokenizers,
)
from tests.reward_models.config_entries.bodies import HIDDEN
from tests.reward_models.config_entries.classifiers import CLASSIFIER, SCORE
from tests.reward_models.config_entries.entry import (
    ONE_LABEL,
    PublishedConfig,
    linear_head,
    published,
)

TRAINED_CLASSIFIERS: tuple[PublishedConfig, ...] = (
    published(
        "made-up/ModernBERT-base-reward",
        "ModernBertForSequenceClassification",
        other_bodies.modernbert(),
        {
            "head.dense.weight": (HIDDEN, HIDDEN),
            "head.norm.weight": (HIDDEN,),
            **linear_head("classifier", bias=True),
        },
        CLASSIFIER,
        tokenizers.modernbert(),
        config=ONE_LABEL,
    ),
    published(
        "made-up/gemma-3-4b-it-reward",
        "Gemma3ForSequenceClassification",
        composite_bodies.gemma3(),
        SCORE,
        CLASSIFIER,
        tokenizers.gemma(),
        config={**ONE_LABEL, "pad_token_id": 0},
    ),
    published(
        "made-up/gemma-3-1b-it-reward",
        "Gemma3TextForSequenceClassification",
        composite_bodies.gemma3_text(),
        SCORE,
        CLASSIFIER,
        tokenizers.gemma(),
        config=ONE_LABEL,
    ),
    published(
        "made-up/Qwen3.5-4B-reward",
        "Qwen3_5ForSequenceClassification",
        composite_bodies.qwen3_5(),
        SCORE,
        CLASSIFIER,
        tokenizers.qwen3_5(),
        config={**ONE_LABEL, "pad_token_id": 248044},
    ),
    # transformers 5 raises on this problem_type with one label (from the facts).
    published(
        "made-up/Llama-3.2-1B-reward-single-label",
        "LlamaForSequenceClassification",
        bodies.llama31(),
        SCORE,
        CLASSIFIER,
        tokenizers.llama3("<|eot_id|>"),
        config={
            **ONE_LABEL,
            "pad_token_id": 128009,
            "problem_type": "single_label_classification",
        },
    ),
    # A language head that was kept beside the reward's is harmless.
    published(
        "made-up/Mistral-7B-reward-with-lm-head",
        "MistralForSequenceClassification",
        bodies.mistral(),
        {**SCORE, "lm_head.weight": (32000, HIDDEN)},
        CLASSIFIER,
        tokenizers.mistral(),
        config={**ONE_LABEL, "pad_token_id": 2},
    ),
)
