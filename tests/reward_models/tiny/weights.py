"""Random weights, the files they lie in, and the hidden states of transformers' own bodies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

Tensors = dict[str, torch.Tensor]


def random_linear(
    generator: torch.Generator, outputs: int, inputs: int, *, scale: float = 1.0
) -> torch.Tensor:
    """A matrix [outputs, inputs] that keeps the size of what it maps, times a scale."""
    return torch.randn(outputs, inputs, generator=generator) * scale / inputs**0.5


def random_bias(generator: torch.Generator, outputs: int, *, scale: float = 0.5) -> torch.Tensor:
    """A vector [outputs] that is not near 0."""
    return torch.randn(outputs, generator=generator) * scale


def random_body(config: Mapping[str, Any], generator: torch.Generator) -> Tensors:
    """Weights of the stock body of a configuration, every one of which matters.

    Args:
        config: What config.json holds.
        generator: Where the numbers come from.

    Returns:
        Tensors by the body's own names, without a prefix.
    """
    from transformers import AutoModel

    with torch.device("meta"):
        shapes = {
            name: tuple(weight.shape)
            for name, weight in AutoModel.from_config(_stock_config(config)).named_parameters()
        }
    # Gemma's norms multiply by 1 + weight.
    middle = 0.0 if str(config["model_type"]).startswith("gemma") else 1.0
    weights = {}
    for name, shape in shapes.items():
        if "norm" in name:
            weights[name] = middle + 0.6 * (torch.rand(shape, generator=generator) - 0.5)
        elif len(shape) == 1:
            weights[name] = random_bias(generator, *shape)
        elif "embed" in name:
            weights[name] = torch.randn(shape, generator=generator)
        else:
            weights[name] = random_linear(generator, *shape, scale=2)
    return weights


def _stock_config(config: Mapping[str, Any]) -> Any:
    from transformers import CONFIG_MAPPING

    return CONFIG_MAPPING[config["model_type"]].from_dict(dict(config))


def hidden_states(config: Mapping[str, Any], body: Tensors, ids: list[int]) -> torch.Tensor:
    """The normed last hidden states [tokens, hidden] of a text, in float32 and eager attention.

    Args:
        config: What config.json holds.
        body: Weights by the stock body's own names, without a prefix; none missing or left over.
        ids: The text's token ids, without padding.
    """
    from transformers import AutoModel

    # Of a vocabulary of 128,256 only the text's own rows: making the rest takes most of the time.
    used = sorted(set(ids))
    rows = {token: row for row, token in enumerate(used)}
    none = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"))
    small = {**config, **none, "vocab_size": len(used)}
    weights = {name: weight.float() for name, weight in body.items()}
    weights["embed_tokens.weight"] = weights["embed_tokens.weight"][used]
    model = AutoModel.from_config(_stock_config(small), attn_implementation="eager")
    model.load_state_dict(weights, strict=True, assign=True)
    with torch.no_grad():
        states = model.eval()(
            input_ids=torch.tensor([[rows[token] for token in ids]]), use_cache=False
        ).last_hidden_state
    return states[0]


def with_prefix(prefix: str, tensors: Tensors) -> Tensors:
    """The same tensors, each name behind a prefix."""
    return {prefix + name: tensor for name, tensor in tensors.items()}


def below(prefix: str, tensors: Tensors) -> Tensors:
    """The tensors whose names begin with a prefix, by what follows it."""
    return {n[len(prefix) :]: t for n, t in tensors.items() if n.startswith(prefix)}


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Makes the folder and writes its config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def read_config(folder: Path) -> dict[str, Any]:
    """What config.json holds."""
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return config


def write_weights(
    folder: Path, tensors: Tensors, *, pickled: bool = False, shards: int = 1
) -> None:
    """Writes weights as transformers lays them out: one file, or shards and their index."""
    stem, ending = ("pytorch_model", "bin") if pickled else ("model", "safetensors")
    names = list(tensors)
    where = {}
    for shard in range(shards):
        part = {name: tensors[name].contiguous() for name in names[shard::shards]}
        file = (
            f"{stem}.{ending}" if shards == 1 else f"{stem}-{shard + 1:05}-of-{shards:05}.{ending}"
        )
        if pickled:
            torch.save(part, folder / file)
        else:
            save_file(part, folder / file, metadata={"format": "pt"})
        where |= dict.fromkeys(part, file)
    if shards > 1:
        size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
        index = {"metadata": {"total_size": size}, "weight_map": where}
        (folder / f"{stem}.{ending}.index.json").write_text(json.dumps(index), encoding="utf-8")


def read_weights(folder: Path) -> Tensors:
    """All tensors of a checkpoint in float32, whichever files they lie in; pickles weights-only."""
    tensors: Tensors = {}
    for file in sorted(folder.glob("model*.safetensors")):
        tensors |= load_file(file)
    for file in sorted(folder.glob("pytorch_model*.bin")):
        tensors |= torch.load(file, weights_only=True)
    return {n: t.float() if t.is_floating_point() else t for n, t in tensors.items()}
