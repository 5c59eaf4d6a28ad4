"""InternLM2-Reward: a linear layer at a reward token that is put behind the text.

From allenai/reward-bench@05a9005, rewardbench/models/internlm.py (after the checkpoint's own
modeling_internlm2.py): the template's text, no special tokens added, `reward_token_id` appended
unless the text ends in it. From copies of modeling_internlm2.py: `v_head.weight` [1, hidden]
without bias; `wqkv` holds, for each key/value head, its queries, then its key, then its value;
`w1` is the gate, `w3` the other half, `w2` the way down; rotation of halves as in Llama.

Not verified: the values of rope_theta and rope_scaling (chat models of the family have 1,000,000
and a dynamic factor, the variant `dynamic`), and that the published template writes BOS. The
published tokenizer is a class of the checkpoint's own over a sentencepiece file; this one is a
stand-in with its special tokens.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from tests.reward_models.published.reference import Reference
from tests.reward_models.tiny.heads import Wrong, after, dense, random_dense, with_ids, wrong
from tests.reward_models.tiny.tokenizer import Turns, template_ids, write_tokenizer
from tests.reward_models.tiny.weights import (
    Tensors,
    hidden_states,
    random_body,
    read_config,
    read_weights,
    with_prefix,
    write_config,
    write_weights,
)

SPECIAL = {
    "<unk>": 0,
    "<s>": 1,
    "</s>": 2,
    "[UNUSED_TOKEN_130]": 92527,
    "<|im_end|>": 92542,
    "<|im_start|>": 92543,
}
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
VARIANTS: dict[str, dict[str, Any]] = {"dynamic": {"dynamic": True}, "sharded": {"shards": 2}}
#: InternLM2's names of a layer's weights, by Llama's.
NAMES = {
    "self_attn.o_proj": "attention.wo",
    "mlp.gate_proj": "feed_forward.w1",
    "mlp.up_proj": "feed_forward.w3",
    "mlp.down_proj": "feed_forward.w2",
    "input_layernorm": "attention_norm",
    "post_attention_layernorm": "ffn_norm",
}


def build(folder: Path, *, seed: int = 0, dynamic: bool = False, shards: int = 1) -> Path:
    """Writes the checkpoint; `dynamic` scaling of positions as the chat models have it."""
    config = {
        "architectures": ["InternLM2ForRewardModel"],
        "attn_implementation": "eager",
        "auto_map": {
            "AutoConfig": "configuration_internlm2.InternLM2Config",
            "AutoModel": "modeling_internlm2.InternLM2ForRewardModel",
        },
        "bias": False,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "hidden_act": "silu",
        "hidden_size": 16,
        "initializer_range": 0.02,
        "intermediate_size": 32,
        "max_position_embeddings": 32768,
        "model_type": "internlm2",
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "num_key_value_heads": 2,
        "pad_token_id": 2,
        "reward_token_id": 92527,
        "rms_norm_eps": 1e-05,
        "rope_scaling": {"factor": 2.0, "type": "dynamic"} if dynamic else None,
        "rope_theta": 1000000,
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
        "use_cache": True,
        "vocab_size": 92544,
    }
    write_config(folder, config)
    write_tokenizer(
        folder,
        special=SPECIAL,
        bos="<s>",
        adds_bos=True,
        template=TEMPLATE,
        eos_token="</s>",
        pad_token="</s>",
        unk_token="<unk>",
    )
    generator = torch.Generator().manual_seed(seed)
    tensors = with_prefix("model.", _fused(random_body(_llama(config), generator), config))
    tensors |= random_dense(generator, "v_head", config["hidden_size"], 1, bias=False, scale=3)
    write_weights(folder, tensors, shards=shards)
    return folder


def text_ids(folder: Path, prompt: str | Turns, completion: str) -> list[int]:
    """The conversation in the template, with the reward token behind it."""
    ids = template_ids(folder, prompt, completion)
    reward = read_config(folder)["reward_token_id"]
    return ids if ids[-1] == reward else [*ids, reward]


def reference(folder: Path, ids: list[int]) -> Reference:
    """The head at the last token, which is the reward token."""
    return _read(folder, ids)


def _llama(config: dict[str, Any]) -> dict[str, Any]:
    """The same body as transformers' Llama knows it: none of InternLM2's own keys."""
    kept = {k: v for k, v in config.items() if k not in {"auto_map", "attn_implementation", "bias"}}
    return {**kept, "model_type": "llama", "architectures": ["LlamaModel"]}


def _sizes(config: dict[str, Any]) -> tuple[int, int, int]:
    """Key/value heads, queries a key/value head, and the size of a head."""
    heads, shared = config["num_attention_heads"], config["num_key_value_heads"]
    return shared, heads // shared, config["hidden_size"] // heads


def _fused(body: Tensors, config: dict[str, Any]) -> Tensors:
    """Llama's weights laid out as InternLM2 publishes them."""
    shared, queries, size = _sizes(config)
    hidden = config["hidden_size"]
    tensors = {
        "tok_embeddings.weight": body["embed_tokens.weight"],
        "norm.weight": body["norm.weight"],
    }
    for layer in range(config["num_hidden_layers"]):
        at = f"layers.{layer}."
        q, k, v = (body[f"{at}self_attn.{part}_proj.weight"] for part in "qkv")
        rows = [
            torch.cat(
                [
                    q.reshape(shared, queries * size, hidden)[head],
                    k.reshape(shared, size, hidden)[head],
                    v.reshape(shared, size, hidden)[head],
                ]
            )
            for head in range(shared)
        ]
        tensors[f"{at}attention.wqkv.weight"] = torch.cat(rows)
        for llama, internlm in NAMES.items():
            tensors[f"{at}{internlm}.weight"] = body[f"{at}{llama}.weight"]
    return tensors


def _apart(
    tensors: Tensors, config: dict[str, Any], *, thirds: bool = False, swapped: bool = False
) -> Tensors:
    """InternLM2's weights by Llama's names; wrongly where asked.

    Args:
        tensors: With the prefix `model.`.
        config: What config.json holds.
        thirds: Reads `wqkv` as all queries, all keys, all values.
        swapped: Takes `w3` for the gate.
    """
    shared, queries, size = _sizes(config)
    names = {**NAMES}
    if swapped:
        names["mlp.gate_proj"], names["mlp.up_proj"] = names["mlp.up_proj"], names["mlp.gate_proj"]
    body = {
        "embed_tokens.weight": tensors["model.tok_embeddings.weight"],
        "norm.weight": tensors["model.norm.weight"],
    }
    for layer in range(config["num_hidden_layers"]):
        at, to = f"model.layers.{layer}.", f"layers.{layer}."
        fused = tensors[f"{at}attention.wqkv.weight"]
        if thirds:
            parts = fused.split([shared * queries * size, shared * size, shared * size])
        else:
            by_head = fused.view(shared, queries + 2, size, config["hidden_size"])
            parts = (by_head[:, :queries], by_head[:, queries], by_head[:, queries + 1])
        for part, weight in zip("qkv", parts, strict=True):
            body[f"{to}self_attn.{part}_proj.weight"] = weight.reshape(-1, config["hidden_size"])
        for llama, internlm in names.items():
            body[f"{to}{llama}.weight"] = tensors[f"{at}{internlm}.weight"]
    return body


def _read(folder: Path, ids: list[int], *, at: int = -1, **layout: bool) -> Reference:
    config, tensors = read_config(folder), read_weights(folder)
    states = hidden_states(_llama(config), _apart(tensors, config, **layout), ids)
    return Reference(reward=float(dense(tensors, "v_head", states[at])))


MUTATIONS: dict[str, Wrong] = {
    "before the reward token": wrong(_read, at=-2),
    "no reward token": with_ids(_read, lambda ids: ids[:-1]),
    "wqkv in three blocks": wrong(_read, thirds=True),
    "w3 as the gate": wrong(_read, swapped=True),
    "two BOS": with_ids(_read, lambda ids: [ids[0], *ids]),
    "sigmoid": after(_read, torch.sigmoid),
}
