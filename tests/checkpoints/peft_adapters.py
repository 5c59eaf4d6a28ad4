"""Adapters that PEFT itself makes and saves, with what it computes; run in PEFT's environment.

python peft_adapters.py FOLDER    # one folder a case: base, adapter, expected.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

SIZES = {
    "vocab_size": 60,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 4,
    "max_position_embeddings": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
GPT2 = {
    "vocab_size": 60,
    "n_embd": 16,
    "n_layer": 2,
    "n_head": 2,
    "n_positions": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
MODERNBERT = {
    **{name: value for name, value in SIZES.items() if name not in ("head_dim", "bos_token_id")},
    "pad_token_id": 0,
    "cls_token_id": 1,
    "sep_token_id": 2,
    "global_attn_every_n_layers": 2,
}
TIED = {"tie_word_embeddings": True}
SEQ_CLS, CAUSAL_LM = {"task_type": "SEQ_CLS"}, {"task_type": "CAUSAL_LM"}
#: Family, further values of its configuration, LoraConfig, and rows of a resized embedding.
CASES = {
    "task_type null": ("llama", {}, {"target_modules": ["q_proj"], "modules_to_save": ["score"]}),
    "all linear": ("llama", {}, {**SEQ_CLS, "lora_alpha": 32, "target_modules": "all-linear"}),
    "rslora, patterns": (
        "qwen2",
        {},
        {
            **SEQ_CLS,
            "use_rslora": True,
            "target_modules": ["q_proj", "k_proj", "down_proj"],
            "rank_pattern": {"layers.0.self_attn.q_proj": 2, "^model.layers.1.mlp.down_proj": 3},
            "alpha_pattern": {"k_proj": 5},
        },
    ),
    "bias all": ("qwen2", {}, {**SEQ_CLS, "bias": "all", "target_modules": ["q_proj"]}),
    "lora bias": (
        "qwen2",
        {},
        {**SEQ_CLS, "bias": "lora_only", "lora_bias": True, "target_modules": ["q_proj"]},
    ),
    "dora": (
        "mistral",
        {},
        {**SEQ_CLS, "use_dora": True, "target_modules": ["q_proj", "o_proj", "embed_tokens"]},
    ),
    "embedding": ("llama", {}, {**SEQ_CLS, "target_modules": ["q_proj", "embed_tokens"]}),
    "embedding saved": (
        "llama",
        {},
        {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens", "score"]},
    ),
    "token rows": (
        "llama",
        {},
        {
            **SEQ_CLS,
            "target_modules": ["q_proj"],
            "trainable_token_indices": {"embed_tokens": [3, 7, 5]},
        },
    ),
    "resized": ("llama", {}, {**SEQ_CLS, "target_modules": ["q_proj"]}, 64),
    "resized, token rows": (
        "llama",
        {},
        {**SEQ_CLS, "target_modules": ["q_proj"], "trainable_token_indices": [60, 61]},
        62,
    ),
    "conv1d": ("gpt2", {}, {**SEQ_CLS, "target_modules": ["c_attn", "c_proj"]}),
    "conv1d, dora": (
        "gpt2",
        {},
        {
            **SEQ_CLS,
            "use_dora": True,
            "bias": "all",
            "target_modules": ["c_attn", "c_proj", "c_fc"],
        },
    ),
    "scaled embedding": (
        "gemma2",
        {"query_pre_attn_scalar": 8},
        {**SEQ_CLS, "target_modules": ["q_proj", "embed_tokens"]},
    ),
    "encoder": (
        "modernbert",
        {},
        {**SEQ_CLS, "target_modules": ["Wqkv", "Wi"], "modules_to_save": ["head", "classifier"]},
    ),
    "language head": ("llama", {}, {**CAUSAL_LM, "target_modules": ["q_proj", "lm_head"]}),
    "tied embedding": ("qwen2", TIED, {**CAUSAL_LM, "target_modules": ["q_proj", "embed_tokens"]}),
    "tied head": ("qwen2", TIED, {**CAUSAL_LM, "target_modules": ["q_proj", "lm_head"]}),
    "tied token rows": (
        "qwen2",
        TIED,
        {**CAUSAL_LM, "target_modules": ["q_proj"], "trainable_token_indices": [3, 7]},
    ),
    "tied and kept so": (
        "qwen2",
        TIED,
        {
            **CAUSAL_LM,
            "target_modules": ["q_proj", "embed_tokens"],
            "ensure_weight_tying": True,
        },
    ),
}
IDS = [5, 9, 3, 11, 7, 23, 41, 8]


def write(folder: Path, family: str, values: dict, lora: dict, tokens: int | None = None) -> None:
    """Writes a base, an adapter as PEFT saves it, and what PEFT computes with both, unmerged."""
    import torch
    import transformers
    from peft import LoraConfig, get_peft_model

    sizes = {"gpt2": GPT2, "modernbert": MODERNBERT}.get(family, SIZES)
    config = transformers.AutoConfig.for_model(family, **{**sizes, **values})
    is_language_model = lora.get("task_type") == "CAUSAL_LM"
    kind = "AutoModelForMaskedLM" if family == "modernbert" else "AutoModelForCausalLM"
    base = getattr(transformers, kind).from_config(config)
    torch.manual_seed(0)
    with torch.no_grad():
        for name, weight in base.named_parameters():
            if weight.dim() == 1 and "norm" in name:
                weight.uniform_(0.5, 1.5)
            else:
                weight.normal_(std=0.15)
    base.save_pretrained(folder / "base")
    if is_language_model:
        model = transformers.AutoModelForCausalLM.from_pretrained(folder / "base")
    else:
        model = transformers.AutoModelForSequenceClassification.from_pretrained(
            folder / "base", num_labels=1
        )
    if tokens is not None:
        model.resize_token_embeddings(tokens)
    model = get_peft_model(model, LoraConfig(**{"r": 4, **lora})).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.requires_grad:
                weight.normal_(mean=float("magnitude" in name), std=0.2)
    model.save_pretrained(folder / "adapter")
    ids = torch.tensor([IDS])
    with torch.no_grad():
        logits = model(input_ids=ids).logits
    found = logits.flatten()
    if is_language_model:
        found = logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0]
    (folder / "expected.json").write_text(json.dumps(found.tolist()))


if __name__ == "__main__":
    for case, arguments in CASES.items():
        write(Path(sys.argv[1]) / case, *arguments)
