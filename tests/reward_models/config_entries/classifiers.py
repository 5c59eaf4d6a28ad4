"""Reward models of transformers' own classes with one label.

Sources. RL: `tests/fixtures/reward_heads.json` of github.com/suhailnadaf509/reward-lens, read from
the headers of the published files. RB: allenai/reward-bench@05a9005. RLF: the training scripts of
RLHFlow/RLHF-Reward-Modeling@fc39179.
"""

from __future__ import annotations

from tests.reward_models.config_entries import bodies, other_bodies, tokenizers
from tests.reward_models.config_entries.bodies import HIDDEN
from tests.reward_models.config_entries.entry import (
    ONE_LABEL,
    PublishedConfig,
    linear_head,
    published,
)
from tests.reward_models.config_entries.other_bodies import linear

CLASSIFIER = "sequence-classification"
SCORE = linear_head("score")
_STALE = {"vhead_layer_type": "linear", "vhead_num_layers": 1, "vhead_num_neurons": 1024}


#: RL: class, head, bfloat16, and one row more than Llama 3.1 has tokens, the pad token's.
SKYWORK_LLAMA = published(
    "Skywork/Skywork-Reward-Llama-3.1-8B",
    "LlamaForSequenceClassification",
    bodies.llama31(128257),
    SCORE,
    CLASSIFIER,
    tokenizers.llama3("[PAD]"),
    config={**ONE_LABEL, "pad_token_id": 128256},
)
#: Class: the trl documentation's example; fields not verified.
TRL_QWEN2 = published(
    "trl-lib/Qwen2-0.5B-Reward",
    "Qwen2ForSequenceClassification",
    bodies.qwen2(151936),
    SCORE,
    CLASSIFIER,
    tokenizers.qwen(),
    config={**ONE_LABEL, "pad_token_id": 151645, "tie_word_embeddings": True},
)

CLASSIFIERS: tuple[PublishedConfig, ...] = (
    SKYWORK_LLAMA,
    TRL_QWEN2,
    # Class and soft caps as RL has them of GRM-Gemma2-2B; the rest not verified.
    published(
        "Skywork/Skywork-Reward-Gemma-2-27B-v0.2",
        "Gemma2ForSequenceClassification",
        bodies.gemma2(),
        SCORE,
        CLASSIFIER,
        tokenizers.gemma(),
        config=ONE_LABEL,
    ),
    # RL: class, head, rows, bfloat16, no language head.
    published(
        "Skywork/Skywork-Reward-V2-Qwen3-0.6B",
        "Qwen3ForSequenceClassification",
        bodies.qwen3(),
        SCORE,
        CLASSIFIER,
        tokenizers.qwen(),
        config={**ONE_LABEL, "pad_token_id": 151643},
    ),
    # Not verified.
    published(
        "Skywork/Skywork-Reward-V2-Llama-3.2-1B",
        "LlamaForSequenceClassification",
        bodies.llama31(),
        SCORE,
        CLASSIFIER,
        tokenizers.llama3("<|finetune_right_pad_id|>"),
        config={**ONE_LABEL, "pad_token_id": 128004, "tie_word_embeddings": True},
    ),
    # RLF, llama3_8B_rm.py: one label; [PAD] added, and its row.
    published(
        "sfairXC/FsfairX-LLaMA3-RM-v0.1",
        "LlamaForSequenceClassification",
        bodies.llama3(128257, end=128001),
        SCORE,
        CLASSIFIER,
        tokenizers.llama3("[PAD]"),
        config={**ONE_LABEL, "pad_token_id": 128256},
    ),
    # RLF, mistral_7B_rm.py: one label; [PAD] added, and its row.
    published(
        "weqweasdas/RM-Mistral-7B",
        "MistralForSequenceClassification",
        bodies.mistral(32001),
        SCORE,
        CLASSIFIER,
        tokenizers.mistral("[PAD]"),
        config={**ONE_LABEL, "pad_token_id": 32000},
    ),
    # RLF, gemma_2B_rm.py: one label, Gemma's own pad token.
    published(
        "weqweasdas/RM-Gemma-2B",
        "GemmaForSequenceClassification",
        bodies.gemma(),
        SCORE,
        CLASSIFIER,
        tokenizers.gemma(),
        config=ONE_LABEL,
    ),
    # RB runs it by its default class; fields not verified. An early LLaMA, pickled.
    published(
        "weqweasdas/hh_rlhf_rm_open_llama_3b",
        "LlamaForSequenceClassification",
        bodies.llama2(32001),
        SCORE,
        CLASSIFIER,
        tokenizers.llama2("[PAD]"),
        config={**ONE_LABEL, "pad_token_id": 32000},
        weight_file="pytorch_model.bin",
    ),
    # RB runs it by its default class; fields not verified.
    published(
        "Ray2333/reward-model-Mistral-7B-instruct-Unified-Feedback",
        "MistralForSequenceClassification",
        bodies.mistral(),
        SCORE,
        CLASSIFIER,
        tokenizers.mistral(),
        config={**ONE_LABEL, "pad_token_id": 2},
    ),
    # Not verified.
    published(
        "NCSOFT/Llama-3-OffsetBias-RM-8B",
        "LlamaForSequenceClassification",
        bodies.llama3(128257),
        SCORE,
        CLASSIFIER,
        tokenizers.llama3("[PAD]"),
        config={**ONE_LABEL, "pad_token_id": 128256},
    ),
    # RB runs it by its default class; fields not verified.
    published(
        "CIR-AMS/BTRM_Qwen2_7b_0613",
        "Qwen2ForSequenceClassification",
        bodies.qwen2(),
        SCORE,
        CLASSIFIER,
        tokenizers.qwen(),
        config={**ONE_LABEL, "pad_token_id": 151643},
    ),
    # Not verified.
    published(
        "allenai/Llama-3.1-Tulu-3-8B-RM",
        "LlamaForSequenceClassification",
        bodies.llama31(128264),
        SCORE,
        CLASSIFIER,
        tokenizers.llama3("<pad>"),
        config={**ONE_LABEL, "pad_token_id": 128256},
    ),
    # RL: class, head, float16, soft caps. The vhead fields are left over from the training.
    published(
        "Ray2333/GRM-Gemma2-2B-rewardmodel-ft",
        "Gemma2ForSequenceClassification",
        bodies.gemma2(),
        SCORE,
        CLASSIFIER,
        tokenizers.gemma(),
        config={**ONE_LABEL, **_STALE, "torch_dtype": "float16"},
    ),
    # As the one before; not verified.
    published(
        "Ray2333/GRM-Llama3-8B-rewardmodel-ft",
        "LlamaForSequenceClassification",
        bodies.llama3(),
        SCORE,
        CLASSIFIER,
        tokenizers.llama3("<|eot_id|>"),
        config={**ONE_LABEL, **_STALE, "pad_token_id": 128009},
    ),
    # The card loads it with num_labels=1, so config.json does not say it; the rest not verified.
    published(
        "Ray2333/GRM-llama3-8B-distill",
        "LlamaForSequenceClassification",
        bodies.llama3(),
        SCORE,
        CLASSIFIER,
        tokenizers.llama3("<|eot_id|>"),
        config={"pad_token_id": 128009},
    ),
    # No pad id: from the facts, not verified.
    published(
        "nvidia/AceMath-7B-RM",
        "Qwen2ForSequenceClassification",
        bodies.qwen2(),
        SCORE,
        CLASSIFIER,
        tokenizers.qwen(),
        config=ONE_LABEL,
    ),
    # The card uses AutoModelForSequenceClassification; fields not verified.
    published(
        "nvidia/Qwen-2.5-Nemotron-32B-Reward",
        "Qwen2ForSequenceClassification",
        bodies.qwen2(),
        SCORE,
        CLASSIFIER,
        tokenizers.qwen(),
        config={**ONE_LABEL, "pad_token_id": 151643},
    ),
    # Not verified.
    published(
        "nvidia/Qwen-3-Nemotron-32B-Reward",
        "Qwen3ForSequenceClassification",
        bodies.qwen3(),
        SCORE,
        CLASSIFIER,
        tokenizers.qwen(),
        config={**ONE_LABEL, "pad_token_id": 151643, "tie_word_embeddings": False},
    ),
    # RB runs it by its default class; DeBERTa v3's fields are the base model's; not verified.
    published(
        "OpenAssistant/reward-model-deberta-v3-large-v2",
        "DebertaV2ForSequenceClassification",
        other_bodies.deberta_v2(),
        {**linear("pooler.dense", HIDDEN, HIDDEN), **linear_head("classifier", bias=True)},
        CLASSIFIER,
        tokenizers.deberta(),
        config=ONE_LABEL,
        weight_file="pytorch_model.bin",
    ),
    # Not verified.
    published(
        "Ray2333/gpt2-large-harmless-reward_model",
        "GPT2ForSequenceClassification",
        other_bodies.gpt2(),
        SCORE,
        CLASSIFIER,
        tokenizers.gpt2(),
        config=ONE_LABEL,
    ),
    # The reward model of TRL's PPO examples; fields not verified.
    published(
        "cleanrl/EleutherAI_pythia-1b-deduped__reward__tldr",
        "GPTNeoXForSequenceClassification",
        other_bodies.gpt_neox(),
        SCORE,
        CLASSIFIER,
        tokenizers.pythia(),
        config={**ONE_LABEL, "pad_token_id": 50277},
    ),
)
