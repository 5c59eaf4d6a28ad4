"""One-label sequence classifiers of the families of transformers, in the layout it saves itself.

`build` lets transformers save a model of the family and puts other values in its files, so that key
names and config are those of a checkpoint that somebody trained. The reference reads the raw files
into the stock backbone, maps what the files name otherwise by hand, and computes the head by hand.
Rules from transformers 5.23.0:

- decoders (modeling_layers.py): `score.weight` [1, h] without a bias on the normed last hidden
  state, at the rightmost token that is not the pad id of the TEXT config; the last one where that
  is None. A pad id beside the text config of a composite is not looked at.
- composites: gemma3 is saved as `language_model.model.*`, `vision_tower.*` and
  `multi_modal_projector.*`, qwen3_5 as `model.language_model.*` and `model.visual.*`; `score.weight`
  at the top in both.
- qwen3_moe is saved with a tensor an expert and projection; transformers 5 stacks them, gate
  before up. gpt_oss is saved stacked.
- gemma2 caps attention logits (`attn_logit_softcapping`) only in eager and flash attention.
- modernbert: token 0 or the mean by `classifier_pooling`, `head.dense`, activation (gelu),
  `head.norm`, `classifier` (biased).
- deberta_v2: token 0, `pooler.dense`, activation (gelu), `classifier` (biased). Question and answer
  are a pair of texts.

- `problem_type` "single_label_classification" with one label: transformers 5 raises as soon as it
  reads the config, and `AutoTokenizer.from_pretrained` of the folder raises with it.

The texts of the decoders are Llama 3's turns for every family: what differs here is the model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from tests.reward_models import tiny_tokenizers as tokenizers
from tests.reward_models import tiny_weights as files
from tests.reward_models.published.reference import Reference

PAD, EOT = "<|finetune_right_pad_id|>", "<|eot_id|>"
ENCODER_TOKENS = ("[PAD]", "[CLS]", "[SEP]")
TEXTS = (
    ("What is 7 times 8?", "It is 56."),
    ("What is 7 times 8?", "It is 54, I think."),
    ("Where does the Elbe end?", "It flows into the North Sea."),
)


@dataclass(frozen=True)
class Family:
    """How one family's files are made and read.

    Attributes:
        config_class: transformers' config of the whole model.
        text_model: the stock backbone of the text.
        prefix: what its tensors' names begin with in the files.
        own: the family's own config keys; for composites those of its text config.
        vision: the vision config of a composite.
        extra: more keys at the top of a composite's config.
        needs: the least major version of transformers that maps the family.
        encoder: whether the head reads an encoder.
    """

    config_class: str
    text_model: str
    prefix: str = "model."
    own: dict[str, Any] = field(default_factory=dict)
    vision: dict[str, Any] | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    needs: int = 4
    encoder: bool = False


_WINDOW = {"sliding_window": 8, "head_dim": 8}
_TWO_LAYERS = {"layer_types": ["sliding_attention", "full_attention"]}
_GEMMA_3 = {**_WINDOW, **_TWO_LAYERS, "query_pre_attn_scalar": 8}
_QWEN_35 = {
    "head_dim": 8,
    "layer_types": ["linear_attention", "full_attention"],
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 2,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
}
_VISION = {"hidden_size": 16, "intermediate_size": 16, "patch_size": 4}
_EXPERTS = {"num_experts_per_tok": 2, "head_dim": 8}

FAMILIES: dict[str, Family] = {
    "gemma2": Family(
        "Gemma2Config",
        "Gemma2Model",
        own={**_WINDOW, "query_pre_attn_scalar": 8, "attn_logit_softcapping": 1.0},
    ),
    "gemma3": Family(
        "Gemma3Config",
        "Gemma3TextModel",
        "language_model.model.",
        own=_GEMMA_3,
        vision={**_VISION, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 8},
        extra={"mm_tokens_per_image": 4},
        needs=5,
    ),
    "gemma3_text": Family("Gemma3TextConfig", "Gemma3TextModel", own=_GEMMA_3, needs=5),
    "qwen3_5": Family(
        "Qwen3_5Config",
        "Qwen3_5TextModel",
        "model.language_model.",
        own=_QWEN_35,
        vision={
            **_VISION,
            "depth": 1,
            "num_heads": 2,
            "out_hidden_size": 32,
            "num_position_embeddings": 16,
        },
        needs=5,
    ),
    "qwen3_5_text": Family("Qwen3_5TextConfig", "Qwen3_5TextModel", own=_QWEN_35, needs=5),
    "olmo2": Family("Olmo2Config", "Olmo2Model", needs=5),
    "gpt_oss": Family(
        "GptOssConfig",
        "GptOssModel",
        own={**_WINDOW, **_TWO_LAYERS, **_EXPERTS, "num_local_experts": 4},
    ),
    "qwen3_moe": Family(
        "Qwen3MoeConfig",
        "Qwen3MoeModel",
        own={**_EXPERTS, "num_experts": 4, "moe_intermediate_size": 16, "decoder_sparse_step": 1},
    ),
    "phi3": Family("Phi3Config", "Phi3Model"),
    "modernbert": Family(
        "ModernBertConfig",
        "ModernBertModel",
        own={"global_attn_every_n_layers": 2, "local_attention": 8, "classifier_bias": True},
        encoder=True,
    ),
    "deberta_v2": Family(
        "DebertaV2Config",
        "DebertaV2Model",
        "deberta.",
        own={
            "relative_attention": True,
            "position_buckets": 8,
            "pos_att_type": ["p2c", "c2p"],
            "share_att_key": True,
            "norm_rel_ebd": "layer_norm",
            "position_biased_input": False,
            "type_vocab_size": 0,
            "max_relative_positions": -1,
        },
        encoder=True,
    ),
}


def available() -> list[str]:
    """The families that the installed transformers maps."""
    from transformers import __version__

    return [name for name, f in FAMILIES.items() if int(__version__.split(".")[0]) >= f.needs]


VARIANTS: dict[str, dict[str, Any]] = {
    **{name: {"family": name} for name in available() if name != "gemma2"},
    "modernbert_mean": {"family": "modernbert", "pooling": "mean"},
    "no_pad": {"pad": None},
    "pad_is_eos": {"pad": EOT},
    "no_labels": {"labels": False},
    "problem_type": {"problem_type": "single_label_classification"},
}
if "gemma3" in VARIANTS:
    VARIANTS["gemma3_top_level_pad"] = {"family": "gemma3", "pad": None, "top_level_pad": EOT}


def build(
    folder: Path,
    *,
    seed: int = 0,
    family: str = "gemma2",
    pad: str | None = PAD,
    top_level_pad: str | None = None,
    labels: bool = True,
    problem_type: str | None = None,
    pooling: str = "cls",
) -> Path:
    """Writes the checkpoint.

    Args:
        folder: where.
        seed: of its weights.
        family: a name of `FAMILIES`.
        pad: the pad token of the text config, whose id decides what a decoder reads.
        top_level_pad: a pad token beside a composite's text config.
        labels: whether config.json says that there is one label.
        problem_type: what config.json says of the loss.
        pooling: ModernBERT's `classifier_pooling`.
    """
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    kind = FAMILIES[family]
    tokenizer = _save_tokenizer(folder, kind)
    config = _config(kind, tokenizer, ENCODER_TOKENS[0] if kind.encoder else pad, pooling)
    torch.manual_seed(seed)
    model = transformers.AutoModelForSequenceClassification.from_config(config)
    model.save_pretrained(folder)
    written = files.load_config(folder)
    if not labels:
        written = {k: v for k, v in written.items() if k not in ("id2label", "label2id")}
    if problem_type:
        written["problem_type"] = problem_type
    if top_level_pad:
        written["pad_token_id"] = tokenizer.convert_tokens_to_ids(top_level_pad)
    files.save_config(folder, written)
    random = files.generator(seed)
    weights = files.telling_values(files.load_weights(folder), random)
    files.save_safetensors(folder, weights)
    rows = [text_ids(folder, *text) for text in TEXTS]
    states = torch.stack([_pooled(folder, weights, row) for row in rows])
    head = "classifier.weight" if kind.encoder else "score.weight"
    weights[head] = files.telling_direction(states, random, std=1.0)[None].contiguous()
    files.save_safetensors(folder, weights)
    return folder


def text_ids(folder: Path, prompt: str | list[dict[str, str]], completion: str) -> list[int]:
    """A decoder's conversation, or an encoder's pair of texts.

    Raises:
        ValueError: for a conversation where the model is an encoder.
    """
    tokenizer = tokenizers.load(folder)
    if not _family(folder).encoder:
        return tokenizers.rendered_ids(tokenizer, tokenizers.conversation(prompt, completion))
    if not isinstance(prompt, str):
        raise ValueError("an encoder takes a question and an answer, not a conversation")
    return list(tokenizer(prompt, completion)["input_ids"])


def reference(folder: Path, ids: list[int]) -> Reference:
    """The one logit."""
    return Reference(_read(folder, ids))


def read_position(folder: Path, ids: list[int]) -> int:
    """The token that a decoder's head reads: the rightmost that is not the text config's pad."""
    config = files.load_config(folder)
    pad = config.get("text_config", config).get("pad_token_id")
    return max((i for i, token in enumerate(ids) if token != pad), default=len(ids) - 1)


def _family(folder: Path) -> Family:
    return FAMILIES[str(files.load_config(folder)["model_type"]).replace("-", "_")]


def _save_tokenizer(folder: Path, family: Family) -> Any:
    if not family.encoder:
        return tokenizers.save_llama_3(folder, pad_token=PAD)
    return tokenizers.save_byte_level(
        folder,
        special_tokens=ENCODER_TOKENS,
        template=None,
        pairs=("[CLS]", "[SEP]"),
        cls_token="[CLS]",
        sep_token="[SEP]",
        pad_token="[PAD]",
    )


def _config(family: Family, tokenizer: Any, pad: str | None, pooling: str) -> Any:
    """The config as a training script makes it."""
    import transformers

    named = tokenizer.convert_tokens_to_ids
    start, end = ("[CLS]", "[SEP]") if family.encoder else ("<|begin_of_text|>", EOT)
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 512,
        "pad_token_id": named(pad) if pad else None,
        "bos_token_id": named(start),
        "eos_token_id": named(end),
        **({"cls_token_id": named(start), "sep_token_id": named(end)} if family.encoder else {}),
        **({} if family.encoder else {"num_key_value_heads": 2}),
        **({"classifier_pooling": pooling} if family.text_model == "ModernBertModel" else {}),
        **family.own,
    }
    config_class = getattr(transformers, family.config_class)
    if family.vision is None:
        return config_class(**text, num_labels=1)
    return config_class(text_config=text, vision_config=family.vision, num_labels=1, **family.extra)


def _hidden(folder: Path, weights: files.Tensors, ids: list[int], **changed: Any) -> torch.Tensor:
    """Hidden states [tokens, hidden] of the stock backbone; `changed` config keys are wrong ones."""
    import transformers

    family = _family(folder)
    # What the loss is called is left out: transformers 5 raises for one of its names.
    written = {k: v for k, v in files.load_config(folder).items() if k != "problem_type"}
    config = transformers.AutoConfig.for_model(**written).get_text_config()
    for name, value in changed.items():
        setattr(config, name, value)
    # Other kernels leave gemma2's soft-capping out.
    config._attn_implementation = "eager"
    model = getattr(transformers, family.text_model)(config)
    text = files.below(weights, family.prefix)
    if any(name.endswith("experts.gate_up_proj") for name in model.state_dict()):
        text = _stacked(text)
    return files.hidden_states(model, text, ids)


def _stacked(weights: files.Tensors) -> files.Tensors:
    """Experts' tensors of one projection each as one tensor a layer, gate before up."""
    stacked = {name: t for name, t in weights.items() if ".experts." not in name}
    stacked |= {n: t for n, t in weights.items() if n.rpartition(".experts.")[2].startswith(_WHOLE)}
    for layer in sorted({n.partition(".experts.")[0] for n in weights if ".experts.0." in n}):
        found: list[tuple[torch.Tensor, torch.Tensor]] = []
        while f"{layer}.experts.{len(found)}.up_proj.weight" in weights:
            expert = f"{layer}.experts.{len(found)}"
            gate, up, down = (
                weights[f"{expert}.{name}.weight"] for name in ("gate_proj", "up_proj", "down_proj")
            )
            found.append((torch.cat([gate, up]), down))
        stacked[f"{layer}.experts.gate_up_proj"] = torch.stack([gate_up for gate_up, _ in found])
        stacked[f"{layer}.experts.down_proj"] = torch.stack([down for _, down in found])
    return stacked


_WHOLE = ("gate_up_proj", "down_proj")


def _pooled(
    folder: Path,
    weights: files.Tensors,
    ids: list[int],
    *,
    shift: int = 0,
    pooling: str | None = None,
    activation: bool = True,
    bias: bool = True,
    **changed: Any,
) -> torch.Tensor:
    """What the last linear layer reads [hidden]; the arguments after `ids` are wrong readings."""
    family, config = _family(folder), files.load_config(folder)
    hidden = _hidden(folder, weights, ids, **changed)
    gelu = torch.nn.functional.gelu if activation else lambda x: x
    if not family.encoder:
        return hidden[read_position(folder, ids) - shift]
    if family.text_model == "DebertaV2Model":
        dense = weights["pooler.dense.weight"], weights["pooler.dense.bias"] * bias
        return gelu(hidden[shift] @ dense[0].T + dense[1])
    mean = (pooling or config["classifier_pooling"]) == "mean"
    pooled = hidden[shift:].mean(0) if mean else hidden[shift]
    inner = gelu(pooled @ weights["head.dense.weight"].T + weights["head.dense.bias"] * bias)
    return torch.nn.functional.layer_norm(
        inner, inner.shape, weights["head.norm.weight"], eps=config["norm_eps"]
    )


def _read(folder: Path, ids: list[int], *, bias: bool = True, **wrong: Any) -> float:
    weights = files.load_weights(folder)
    pooled = _pooled(folder, weights, ids, bias=bias, **wrong)
    if not _family(folder).encoder:
        return float(pooled @ weights["score.weight"][0])
    return float(pooled @ weights["classifier.weight"][0] + weights["classifier.bias"][0] * bias)


def _other_pooling(folder: Path, ids: list[int]) -> float:
    named = files.load_config(folder).get("classifier_pooling")
    return _read(folder, ids, pooling={"mean": "cls", "cls": "mean"}.get(str(named)))


def _pad_ignored(folder: Path, ids: list[int]) -> float:
    """The last token, whatever it is."""
    if _family(folder).encoder:
        return _read(folder, ids)
    return _read(folder, ids, shift=read_position(folder, ids) - (len(ids) - 1))


def _closing_end_of_turn_skipped(folder: Path, ids: list[int]) -> float:
    """The token before the closing end of turn, as with pad = eos."""
    if _family(folder).encoder:
        return _read(folder, ids)
    end = tokenizers.load(folder).convert_tokens_to_ids(EOT)
    last = max(i for i, token in enumerate(ids) if token != end)
    return _read(folder, ids, shift=read_position(folder, ids) - last)


def _without_window(folder: Path, ids: list[int]) -> float:
    config = files.load_config(folder)
    text = config.get("text_config", config)
    if _family(folder).encoder or "sliding_attention" not in text.get("layer_types", []):
        return _read(folder, ids)
    return _read(folder, ids, layer_types=["full_attention"] * len(text["layer_types"]))


def _without_capping(folder: Path, ids: list[int]) -> float:
    if not files.load_config(folder).get("attn_logit_softcapping"):
        return _read(folder, ids)
    return _read(folder, ids, attn_logit_softcapping=None)


MUTATIONS: dict[str, Callable[[Path, list[int]], float]] = {
    "the neighbouring token": lambda f, i: _read(f, i, shift=1),
    "sigmoid": lambda f, i: float(torch.tensor(_read(f, i)).sigmoid()),
    "the last token, a pad or not": _pad_ignored,
    "the closing end of turn skipped": _closing_end_of_turn_skipped,
    "soft-capping left out": _without_capping,
    "sliding window left out": _without_window,
    "activation left out": lambda f, i: _read(f, i, activation=False),
    "biases left out": lambda f, i: _read(f, i, bias=False),
    "the other pooling": _other_pooling,
}


def _without_effect(options: dict[str, Any]) -> set[str]:
    family = options.get("family", "gemma2")
    kind, pad = FAMILIES[family], options.get("pad", PAD)
    right = {
        "the last token, a pad or not": pad != EOT,
        "the closing end of turn skipped": kind.encoder or pad == EOT,
        "soft-capping left out": family != "gemma2",
        "sliding window left out": family not in ("gemma2", "gemma3", "gemma3_text", "gpt_oss"),
        "activation left out": not kind.encoder,
        "biases left out": not kind.encoder,
        "the other pooling": family != "modernbert",
    }
    return {name for name, harmless in right.items() if harmless}


#: Wrong readings that are right for a variant, because it lacks what they get wrong.
WITHOUT_EFFECT = {name: _without_effect(o) for name, o in {"": {}, **VARIANTS}.items()}
