"""A LoRA adapter over a decoder, as TRL's `RewardTrainer` saves it through PEFT.

Layout: `adapter_config.json`, `adapter_model.safetensors` (or `.bin`) and the tokenizer in the
folder, no config.json; the base in `folder/base`, named by its absolute path. Sources:
huggingface/peft@5d602fd, and what the package peft 0.21.2 writes for these variants:

- src/peft/utils/save_and_load.py: keys lose the adapter's name; all begin `base_model.model.`; the
  head of `modules_to_save` is `base_model.model.score.weight`; DoRA's magnitude has no `.weight`;
  embeddings that are targeted are saved whole besides, as `embed_tokens.base_layer.weight`; biases
  of targeted modules are `<module>.base_layer.bias`, those of others `<module>.bias`.
- src/peft/tuners/lora/layer.py and variants: W + s B A with s = alpha / r, or alpha / sqrt(r) for
  rsLoRA; an embedding's update is (B A) transposed; `lora_B.bias` counts s times; DoRA scales every
  output row of W + s B A to the length that the magnitude says, its bias not.
- src/peft/utils/other.py `get_pattern_key`: patterns are regular expressions for the end of a
  module's name, after a dot or its start; the first that matches counts.
- task_type SEQ_CLS extends `modules_to_save` by `classifier` and `score`; with `score` in
  `target_modules` as well, only the saved head is in the file. With task_type null `score` in
  `target_modules` gives `score.lora_A/B` over a head that no file has.
- huggingface/trl@f2cd577: one label, raw logit, last token; the adapter's folder has the
  tokenizer, whose pad token the position needs.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from tests.reward_models import tiny_configs as configs
from tests.reward_models import tiny_tokenizers as tokenizers
from tests.reward_models import tiny_weights as files
from tests.reward_models.published.reference import Reference

PREFIX = "base_model.model."
ALL_LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
SEQ_CLS = {"task_type": "SEQ_CLS", "modules_to_save": ["classifier", "score"]}
NULL = {
    "task_type": None,
    "modules_to_save": ["score"],
    "auto_mapping": {
        "base_model_class": "Qwen2ForSequenceClassification",
        "parent_library": "transformers.models.qwen2.modeling_qwen2",
    },
}
#: What each variant changes in adapter_config.json.
CONFIGS: dict[str, dict[str, Any]] = {
    "seq_cls": SEQ_CLS,
    "pickled": SEQ_CLS,
    "task_type_null": NULL,
    "head_in_base": {**NULL, "modules_to_save": None},
    "head_in_both": NULL,
    "rslora": {**SEQ_CLS, "use_rslora": True},
    "patterns": {
        **SEQ_CLS,
        "rank_pattern": {r"layers\.1\.self_attn\.q_proj": 2, "down_proj": 6},
        "alpha_pattern": {"v_proj": 3, "layers.0.mlp.down_proj": 20, "down_proj": 12},
    },
    "bias_all": {**SEQ_CLS, "bias": "all", "target_modules": ["q_proj", "v_proj", "o_proj"]},
    "bias_lora_only": {**SEQ_CLS, "bias": "lora_only", "target_modules": ["q_proj", "o_proj"]},
    "lora_bias": {**SEQ_CLS, "lora_bias": True, "target_modules": ["q_proj", "v_proj"]},
    "embeddings": {**SEQ_CLS, "target_modules": ["q_proj", "embed_tokens"]},
    "dora": {**SEQ_CLS, "use_dora": True},
    "score_targeted_and_saved": {**SEQ_CLS, "target_modules": ["q_proj", "score"]},
    # Not to be read: no head anywhere, and LoRA over a head that was random.
    "no_head": {**NULL, "modules_to_save": None},
    "lora_on_head": {**NULL, "modules_to_save": None, "target_modules": [*ALL_LINEAR, "score"]},
    # LoRA over a head that the base does have: all that it takes is there.
    "lora_on_head_of_base": {
        **NULL,
        "modules_to_save": None,
        "target_modules": [*ALL_LINEAR, "score"],
    },
}
BROKEN = ("no_head", "lora_on_head")
VARIANTS = {name: {"variant": name} for name in CONFIGS if name not in (*BROKEN, "seq_cls")}
_HEAD_IN_BASE = ("head_in_base", "head_in_both", "lora_on_head_of_base")


def build(folder: Path, *, seed: int = 0, variant: str = "seq_cls") -> Path:
    """Writes the adapter, and its base into `folder/base`."""
    folder.mkdir(parents=True, exist_ok=True)
    random = files.generator(seed)
    base = _build_base(folder / "base", random, with_head=variant in _HEAD_IN_BASE)
    _save_tokenizer(folder)
    config = {**_ADAPTER_CONFIG, "target_modules": ALL_LINEAR, **CONFIGS[variant]}
    config["base_model_name_or_path"] = str((folder / "base").resolve())
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2))
    adapter = _adapter_weights(config, base, random)
    if config["modules_to_save"]:
        states = _states(folder / "base", merged(base, adapter, config))
        adapter[f"{PREFIX}score.weight"] = files.telling_direction(states, random, std=1.2)[None]
    adapter = {name: value.contiguous() for name, value in adapter.items()}
    if variant == "pickled":
        torch.save(adapter, folder / "adapter_model.bin")
    else:
        from safetensors.torch import save_file

        save_file(adapter, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    return folder


def text_ids(folder: Path, prompt: str | list[dict[str, str]], completion: str) -> list[int]:
    """The conversation by the adapter's own template, nothing added."""
    turns = tokenizers.conversation(prompt, completion)
    return tokenizers.rendered_ids(tokenizers.load(folder), turns)


def reference(folder: Path, ids: list[int]) -> Reference:
    """The merged model's head at the last token."""
    return Reference(_read(folder, ids))


def peft_forward(folder: Path, ids: list[int]) -> float:
    """What peft itself computes, unmerged.

    Raises:
        ImportError: where peft is not installed.
    """
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification

    base = json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"]
    model = AutoModelForSequenceClassification.from_pretrained(
        base, num_labels=1, pad_token_id=tokenizers.load(folder).pad_token_id, dtype=torch.float32
    )
    model = PeftModel.from_pretrained(model, str(folder)).eval()
    with torch.no_grad():
        return float(model(input_ids=torch.tensor([ids])).logits[0, 0])


def load_adapter(folder: Path) -> tuple[files.Tensors, dict[str, Any]]:
    """The adapter's tensors under their names in the file, and its config."""
    from safetensors.torch import load_file

    config = json.loads((folder / "adapter_config.json").read_text())
    path = folder / "adapter_model.safetensors"
    if path.is_file():
        return load_file(path), config
    return torch.load(folder / "adapter_model.bin", weights_only=True), config


def scaling(config: dict[str, Any], module: str) -> float:
    """What a module's update is multiplied by."""
    rank = _by_pattern(config["rank_pattern"], module, config["r"])
    alpha = _by_pattern(config["alpha_pattern"], module, config["lora_alpha"])
    return float(alpha / (math.sqrt(rank) if config["use_rslora"] else rank))


def merged(
    base: files.Tensors,
    adapter: files.Tensors,
    config: dict[str, Any],
    scale: Callable[[dict[str, Any], str], float] = scaling,
) -> files.Tensors:
    """The base's tensors with the adapter in them."""
    weights = dict(base)
    found = {name.removeprefix(PREFIX): value for name, value in adapter.items()}
    for name, value in found.items():
        if "lora_" not in name:
            weights[name.replace(".base_layer", "")] = value
    for name in found:
        module, _, part = name.rpartition(".lora_")
        s = scale(config, module)
        if part == "A.weight":
            update = found[f"{module}.lora_B.weight"] @ found[name]
            weight = weights[f"{module}.weight"] + s * update
            magnitude = found.get(f"{module}.lora_magnitude_vector")
            if magnitude is not None:
                weight = weight * (magnitude / weight.norm(dim=1))[:, None]
            weights[f"{module}.weight"] = weight
        elif part == "B.bias":
            weights[f"{module}.bias"] = weights[f"{module}.bias"] + s * found[name]
        elif part == "embedding_A":
            update = (found[f"{module}.lora_embedding_B"] @ found[name]).T
            weights[f"{module}.weight"] = weights[f"{module}.weight"] + s * update
    return weights


def _read(
    folder: Path,
    ids: list[int],
    *,
    position: int = -1,
    drop: str | None = None,
    scale: Callable[[dict[str, Any], str], float] = scaling,
    base_head: bool = False,
) -> float:
    """The reward; the arguments are wrong readings, `drop` a pattern of tensors to leave out."""
    base = files.load_weights(folder / "base")
    adapter, config = load_adapter(folder)
    kept = {n: t for n, t in adapter.items() if drop is None or not re.search(drop, n)}
    weights = merged(base, kept, config, scale)
    head = (
        base.get("score.weight", weights["score.weight"]) if base_head else weights["score.weight"]
    )
    return float(_hidden(folder / "base", weights, ids)[position] @ head[0])


def _hidden(base: Path, weights: files.Tensors, ids: list[int]) -> torch.Tensor:
    from transformers import Qwen2Config, Qwen2Model

    model = Qwen2Model(Qwen2Config(**files.load_config(base)))
    return files.hidden_states(model, files.below(weights, "model."), ids)


def _states(base: Path, weights: files.Tensors) -> torch.Tensor:
    """Last tokens' states of some texts [texts, hidden]."""
    asked = [{"role": "user", "content": "Name a river."}]
    answered = [*asked, {"role": "assistant", "content": "The Elbe."}, *asked]
    answers = ("It is 56.", "It is 54, I think.", "It flows into the North Sea.")
    prompts = ("What is 7 times 8?", answered)
    rows = [text_ids(base, prompt, answer) for prompt in prompts for answer in answers]
    return torch.stack([_hidden(base, weights, row)[-1] for row in rows])


def _save_tokenizer(folder: Path) -> Any:
    return tokenizers.save_byte_level(
        folder,
        special_tokens=tokenizers.QWEN_TOKENS[:3],
        template=tokenizers.QWEN_MATH_TEMPLATE,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
    )


def _build_base(folder: Path, random: torch.Generator, *, with_head: bool) -> files.Tensors:
    """A causal model, as a reward model is trained from, or one that has a head already."""
    from transformers import Qwen2Config, Qwen2Model

    folder.mkdir()
    config = configs.qwen_25_math(_save_tokenizer(folder))
    if with_head:
        config |= {
            "architectures": ["Qwen2ForSequenceClassification"],
            "id2label": {"0": "LABEL_0"},
            "label2id": {"LABEL_0": 0},
            "pad_token_id": config["bos_token_id"],
        }
    files.save_config(folder, config)
    weights = files.backbone_weights(Qwen2Model(Qwen2Config(**config)), random, prefix="model.")
    if with_head:
        weights["score.weight"] = files.telling_direction(
            _states(folder, weights), random, std=0.5
        )[None]
    else:
        head = files.normal(random, config["vocab_size"], configs.HIDDEN, std=0.2)
        weights["lm_head.weight"] = head
    files.save_safetensors(folder, weights)
    return weights


def _adapter_weights(
    config: dict[str, Any], base: files.Tensors, random: torch.Generator
) -> files.Tensors:
    """LoRA tensors for every targeted module, and biases as the config asks for them."""
    adapter: files.Tensors = {}
    for name, weight in {"score.weight": torch.zeros(1, configs.HIDDEN), **base}.items():
        module, _, kind = name.rpartition(".")
        last = module.rpartition(".")[2]
        targeted = last in config["target_modules"]
        if kind == "bias" and (config["bias"] == "all" or (config["bias"] != "none" and targeted)):
            inner = f"{module}.base_layer.bias" if targeted else name
            adapter[PREFIX + inner] = base[name] + files.normal(random, len(weight), std=0.3)
        if not targeted or kind != "weight" or (last == "score" and config["modules_to_save"]):
            continue
        rank = _by_pattern(config["rank_pattern"], module, config["r"])
        outputs, inputs = weight.shape
        if last == "embed_tokens":
            a, b = files.normal(random, rank, outputs, std=0.2), files.normal(random, inputs, rank)
            adapter[f"{PREFIX}{module}.lora_embedding_A"] = a
            adapter[f"{PREFIX}{module}.lora_embedding_B"] = 0.3 * b
            adapter[f"{PREFIX}{module}.base_layer.weight"] = weight.clone()
            continue
        a = files.normal(random, rank, inputs, std=0.15)
        b = files.normal(random, outputs, rank, std=0.15)
        adapter[f"{PREFIX}{module}.lora_A.weight"] = a
        adapter[f"{PREFIX}{module}.lora_B.weight"] = b
        if config["lora_bias"]:
            bias = files.normal(random, outputs, std=0.3)
            adapter[f"{PREFIX}{module}.lora_B.bias"] = bias
        if config["use_dora"]:
            length = (weight + scaling(config, module) * b @ a).norm(dim=1)
            length = length * (1 + 0.3 * files.normal(random, outputs).clamp(-2, 2))
            adapter[f"{PREFIX}{module}.lora_magnitude_vector"] = length
    return adapter


def _by_pattern(patterns: dict[str, int], module: str, default: int) -> int:
    return next(
        (value for key, value in patterns.items() if re.match(rf"(.*\.)?({key})$", module)), default
    )


_ADAPTER_CONFIG: dict[str, Any] = {
    "alora_invocation_tokens": None,
    "alpha_pattern": {},
    "arrow_config": None,
    "auto_mapping": None,
    "base_model_name_or_path": None,
    "bias": "none",
    "corda_config": None,
    "ensure_weight_tying": False,
    "eva_config": None,
    "exclude_modules": None,
    "fan_in_fan_out": False,
    "inference_mode": True,
    "init_lora_weights": True,
    "layer_replication": None,
    "layers_pattern": None,
    "layers_to_transform": None,
    "loftq_config": {},
    "lora_alpha": 8,
    "lora_bias": False,
    "lora_dropout": 0.05,
    "megatron_config": None,
    "megatron_core": "megatron.core",
    "modules_to_save": None,
    "peft_type": "LORA",
    "qalora_group_size": 16,
    "r": 4,
    "rank_pattern": {},
    "revision": None,
    "target_modules": None,
    "target_parameters": None,
    "task_type": None,
    "trainable_token_indices": None,
    "use_dora": False,
    "use_qalora": False,
    "use_rslora": False,
}

_BIASES = r"bias$"
MUTATIONS: dict[str, Callable[[Path, list[int]], float]] = {
    "LoRA left out": lambda f, i: _read(f, i, drop="lora_"),
    "alpha, not over the rank": lambda f, i: _read(f, i, scale=lambda c, m: c["lora_alpha"]),
    "alpha over rank for every module": lambda f, i: _read(
        f, i, scale=lambda c, m: c["lora_alpha"] / c["r"]
    ),
    "biases left out": lambda f, i: _read(f, i, drop=_BIASES),
    "embeddings left out": lambda f, i: _read(f, i, drop="embed"),
    "magnitudes left out": lambda f, i: _read(f, i, drop="magnitude"),
    "LoRA on the head left out": lambda f, i: _read(f, i, drop=r"score\.lora_"),
    "the base's head, where it has one": lambda f, i: _read(f, i, base_head=True),
    "the token before the last": lambda f, i: _read(f, i, position=-2),
    "sigmoid": lambda f, i: float(torch.tensor(_read(f, i)).sigmoid()),
}
_ELSEWHERE = {
    "alpha over rank for every module": ("rslora", "patterns"),
    "biases left out": ("bias_all", "bias_lora_only", "lora_bias"),
    "embeddings left out": ("embeddings",),
    "magnitudes left out": ("dora",),
    "LoRA on the head left out": ("lora_on_head_of_base",),
    "the base's head, where it has one": ("head_in_both", "lora_on_head_of_base"),
}
#: Wrong readings that are right for a variant, because it lacks what they get wrong.
WITHOUT_EFFECT = {
    variant: {name for name, variants in _ELSEWHERE.items() if variant not in variants}
    for variant in ("", *VARIANTS)
}
