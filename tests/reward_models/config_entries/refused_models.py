"""Models that no judge may be named for: language models, pairs, other heads, broken heads.

Sources as in `classifiers`. A reason never repeats a part of the folder's name.
"""

from __future__ import annotations

from typing import Any

from tests.reward_models.config_entries import bodies, other_bodies, tokenizers
from tests.reward_models.config_entries.bodies import HIDDEN, Body, Shapes
from tests.reward_models.config_entries.classifiers import SCORE
from tests.reward_models.config_entries.entry import (
    ONE_LABEL,
    REFUSED,
    PublishedConfig,
    language_head,
    linear_head,
    published,
)
from tests.reward_models.config_entries.other_bodies import linear
from tests.reward_models.config_entries.scalar_heads import internlm2_reward

LANGUAGE_MODEL = f"{REFUSED}Choose judge=likelihood, dpo (with reference=DIR) or critique"
TWO_ANSWERS = f"{REFUSED}two answers"
_LABELS = f"{REFUSED}labels"


def _language_model(
    hub_id: str,
    architecture: str,
    body: Body,
    tokenizer: dict[str, Any],
    expected: str = LANGUAGE_MODEL,
    *,
    tied: bool = False,
    head: Shapes | None = None,
    **other: Any,
) -> PublishedConfig:
    weights = {**({} if tied else language_head(body)), **(head or {})}
    return published(hub_id, architecture, body, weights, expected, tokenizer, **other)


_VALUE_HEAD = linear_head("v_head.summary", bias=True)
_HEAD_BY_NAME = f"{REFUSED}head=v_head.summary"
_MANY = {
    "id2label": {str(i): f"LABEL_{i}" for i in range(10)},
    "label2id": {f"LABEL_{i}": i for i in range(10)},
}
_TWO = {
    "id2label": {"0": "LABEL_0", "1": "LABEL_1"},
    "label2id": {"LABEL_0": 0, "LABEL_1": 1},
}

REFUSED_MODELS: tuple[PublishedConfig, ...] = (
    _language_model(
        "meta-llama/Meta-Llama-3-8B-Instruct",
        "LlamaForCausalLM",
        bodies.llama3(),
        tokenizers.llama3(),
    ),
    _language_model(
        "mistralai/Mistral-7B-Instruct-v0.1",
        "MistralForCausalLM",
        bodies.mistral(),
        tokenizers.mistral(),
    ),
    _language_model(
        "Qwen/Qwen2.5-7B-Instruct", "Qwen2ForCausalLM", bodies.qwen2(), tokenizers.qwen()
    ),
    _language_model(
        "google/gemma-2-9b-it",
        "Gemma2ForCausalLM",
        bodies.gemma2(),
        tokenizers.gemma(),
        tied=True,
    ),
    # RB issue 210: called a reward model, and its config.json and weights are a language model's.
    _language_model(
        "SultanR/SmolTulu-1.7b-RM",
        "LlamaForCausalLM",
        bodies.llama2(49152),
        tokenizers.llama2(),
        f"{REFUSED}language model",
    ),
    # Writes its verdict; one project reads it by the tokens Yes and No. Fields not verified.
    _language_model(
        "nvidia/Qwen3-Nemotron-32B-GenRM-Principle",
        "Qwen3ForCausalLM",
        bodies.qwen3(),
        tokenizers.qwen(),
        f"{REFUSED}critique",
        config={"tie_word_embeddings": False},
    ),
    # RB, slicpairpm.py: a causal language model that reads [RESPONSE A] and [RESPONSE B].
    _language_model(
        "RLHFlow/pair-preference-model-LLaMA3-8B",
        "LlamaForCausalLM",
        bodies.llama3(),
        tokenizers.llama3("<|eot_id|>"),
        TWO_ANSWERS,
        config={"pad_token_id": 128009},
    ),
    # RB, pairrm.py: class, names, fields; sizes of the vocabulary not verified.
    *(
        published(
            hub_id,
            "DebertaV2PairRM",
            other_bodies.deberta_v2(128004).renamed("deberta.", "pretrained_model."),
            {**linear("head_layer.1", HIDDEN, 2 * HIDDEN), **linear("head_layer.4", 1, HIDDEN)},
            TWO_ANSWERS,
            tokenizers.deberta(
                ("<|source|>", 128001), ("<|candidate1|>", 128002), ("<|candidate2|>", 128003)
            ),
            config={
                "n_tasks": 1,
                "drop_out": 0.05,
                "sep_token_id": 2,
                "source_prefix_id": 128001,
                "cand_prefix_id": None,
                "cand1_prefix_id": 128002,
                "cand2_prefix_id": 128003,
            },
        )
        for hub_id in ("llm-blender/PairRM-hf", "mightbe/Better-PairRM")
    ),
    # RB, shp.py: T5ForConditionalGeneration, one token A or B. The large one is the same.
    *(
        published(
            hub_id,
            "T5ForConditionalGeneration",
            other_bodies.flan_t5(),
            {},
            TWO_ANSWERS,
            tokenizers.t5(),
            weight_file="pytorch_model.bin",
        )
        for hub_id in ("stanfordnlp/SteamSHP-flan-t5-large", "stanfordnlp/SteamSHP-flan-t5-xl")
    ),
    # xtuner's recipe of POLAR: InternLM2-Reward's body and reward token, and a reference answer.
    # That its config.json names the same class as InternLM2-Reward's is not verified.
    internlm2_reward("internlm/POLAR-7B", f"{REFUSED}reference"),
    # TRL's policy with a value head, and LLaMA-Factory's reward model, whose head lies in a file
    # of its own (a card of one such model: v_head.summary, weight and bias).
    _language_model(
        "made-up/ppo-policy-Llama-3-8B",
        "LlamaForCausalLM",
        bodies.llama3(),
        tokenizers.llama3("<|eot_id|>"),
        _HEAD_BY_NAME,
        head=_VALUE_HEAD,
    ),
    _language_model(
        "graf/Llama-3.1-GSM8K-8B-RM",
        "LlamaForCausalLM",
        bodies.llama31(),
        tokenizers.llama3("<|eot_id|>"),
        f"{REFUSED}value_head.bin",
        more_weights={"value_head.bin": _VALUE_HEAD},
    ),
    # A published wrapper of AceCodeRM: class, biased v_head.summary, language head, no pad id.
    _language_model(
        "TIGER-Lab/AceCodeRM-7B",
        "Qwen2ForCausalRM",
        bodies.qwen2(),
        tokenizers.qwen(),
        _HEAD_BY_NAME,
        head=_VALUE_HEAD,
    ),
    # RB, skyvl.py: class, and a head in a file of its own. Of texts and pictures.
    published(
        "Skywork/Skywork-VL-Reward-7B",
        "Qwen2_5_VLForConditionalGeneration",
        bodies.qwen2(),
        language_head(bodies.qwen2()),
        f"{REFUSED}qwen2_5_vl",
        tokenizers.qwen(),
        config={"model_type": "qwen2_5_vl"},
        more_weights={"value_head.safetensors": _VALUE_HEAD},
    ),
    # OpenRLHF issue 209: the class's name in early 2024.
    published(
        "made-up/openrlhf-2024-01-Qwen1.5-7B-rm",
        "LLMForSequenceRegression",
        bodies.qwen2(),
        linear_head("value_head"),
        f"{REFUSED}head=value_head",
        tokenizers.qwen(),
    ),
    # RB, openassistant.py: a model_type of its own, a biased head out_proj, pooling.
    published(
        "OpenAssistant/oasst-rm-2.1-pythia-1.4b-epoch-2.5",
        "GPTNeoXRewardModel",
        other_bodies.gpt_neox(50288),
        linear_head("out_proj", bias=True),
        f"{REFUSED}gpt_neox_reward_model",
        tokenizers.pythia("<|padding|>"),
        config={"model_type": "gpt_neox_reward_model", "pooling": "last"},
        weight_file="pytorch_model.bin",
    ),
    # RB loads it with code of its own; class, code's and head's names not verified. The class has
    # the name of UltraRM's.
    published(
        "IDEA-CCNL/Ziya-LLaMA-7B-Reward",
        "LlamaRewardModel",
        bodies.llama2(39424),
        linear_head("value_head"),
        f"{REFUSED}modeling_llama_rm.LlamaRewardModel",
        tokenizers.llama2(),
        config={
            "auto_map": {"AutoModelForSequenceClassification": "modeling_llama_rm.LlamaRewardModel"}
        },
        weight_file="pytorch_model.bin",
    ),
    # PB, pure_prm.py: AutoModelForTokenClassification. TRL's PRMTrainer saves the same class.
    published(
        "jinachris/PURE-PRM-7B",
        "Qwen2ForTokenClassification",
        bodies.qwen2(),
        linear_head("score", 2, bias=True),
        f"{REFUSED}Qwen2ForTokenClassification",
        tokenizers.qwen(),
        config=_TWO,
    ),
    # Ten attributes; RB's configuration loads it with code. Class and head not verified.
    published(
        "RLHFlow/RewardModel-Mistral-7B-for-DPA-v1",
        "MistralForSequenceClassification",
        bodies.mistral(),
        linear_head("score", 10),
        _LABELS,
        tokenizers.mistral(),
        config={**_MANY, "pad_token_id": 2},
    ),
    # RLF, odin/gemma_two_head.py: num_labels=2, one for quality and one for length.
    published(
        "made-up/odin-gemma-2b",
        "GemmaForSequenceClassification",
        bodies.gemma(),
        linear_head("score", 2),
        _LABELS,
        tokenizers.gemma(),
        config=_TWO,
    ),
    # What AutoModelForSequenceClassification makes of weights without a head is random (TRL 368).
    published(
        "made-up/Llama-3-8B-merged-through-causal-lm",
        "LlamaForSequenceClassification",
        bodies.llama3(),
        language_head(bodies.llama3()),
        f"{REFUSED}score.weight",
        tokenizers.llama3("<|eot_id|>"),
        config={**ONE_LABEL, "pad_token_id": 128009},
    ),
    published(
        "made-up/Llama-3-8B-with-the-head-of-another",
        "LlamaForSequenceClassification",
        bodies.llama3(),
        {"score.weight": (1, 2 * HIDDEN)},
        f"{REFUSED}score.weight",
        tokenizers.llama3("<|eot_id|>"),
        config={**ONE_LABEL, "pad_token_id": 128009},
    ),
    published(
        "made-up/Llama-3-8B-with-two-heads",
        "LlamaForSequenceClassification",
        bodies.llama3(),
        {**SCORE, **linear_head("v_head")},
        f"{REFUSED}v_head.weight",
        tokenizers.llama3("<|eot_id|>"),
        config={**ONE_LABEL, "pad_token_id": 128009},
    ),
)
