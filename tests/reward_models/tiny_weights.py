"""Random weights that make every part of a model matter, written and read as raw files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

Tensors = dict[str, torch.Tensor]


def generator(seed: int) -> torch.Generator:
    """The source of all randomness of one checkpoint."""
    return torch.Generator().manual_seed(seed)


def normal(random: torch.Generator, *shape: int, std: float = 1.0) -> torch.Tensor:
    """Normally distributed float32 values."""
    return torch.randn(*shape, generator=random) * std


def backbone_weights(
    model: torch.nn.Module, random: torch.Generator, *, prefix: str = ""
) -> Tensors:
    """Values for every parameter of a stock backbone, under `prefix`."""
    values = telling_values(dict(model.state_dict()), random)
    return {prefix + name: value for name, value in values.items()}


def telling_values(tensors: Tensors, random: torch.Generator) -> Tensors:
    """Random values in place of others, by their names and shapes.

    Small embeddings make a token's state depend on the text before it more than on the token;
    norms lie around their neutral value, and biases are not zero.
    """
    values = {}
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            values[name] = tensor.clone()
            continue
        value = torch.randn(tensor.shape, generator=random)
        if tensor.ndim >= 2:
            # Sharper attention than this carries rounding errors past 1e-5.
            value *= 0.1 if "embed" in name else 0.3
        elif "norm" in name.lower() and name.endswith("weight"):
            value = tensor.float() + 0.3 * value.clamp(-2, 2)
        else:
            value = tensor.float() + 0.2 * value
        values[name] = value.contiguous()
    return values


def telling_direction(
    states: torch.Tensor, random: torch.Generator, *, std: float = 1.5
) -> torch.Tensor:
    """A head [hidden] that tells given states apart.

    Args:
        states: what the head reads in some texts [reads, hidden].
        random: where the direction comes from.
        std: the spread that the head's values have over these states; their mean is zero.
    """
    direction = torch.randn(states.shape[-1], generator=random)
    mean = states.mean(0)
    direction -= (direction @ mean) / (mean @ mean) * mean
    direction *= std / (states @ direction).std()
    return direction


def save_safetensors(folder: Path, weights: Tensors, *, shards: int = 1) -> None:
    """Writes `model.safetensors`, or shards with an index."""
    from safetensors.torch import save_file

    for file, part in _files(folder, weights, "model", "safetensors", shards):
        save_file(part, folder / file, metadata={"format": "pt"})


def save_pickles(folder: Path, weights: Tensors, *, shards: int = 1) -> None:
    """Writes `pytorch_model.bin`, or shards with an index."""
    for file, part in _files(folder, weights, "pytorch_model", "bin", shards):
        torch.save(part, folder / file)


def _files(
    folder: Path, weights: Tensors, stem: str, suffix: str, shards: int
) -> list[tuple[str, Tensors]]:
    if shards == 1:
        return [(f"{stem}.{suffix}", weights)]
    names = list(weights)
    parts = [
        (
            f"{stem}-{shard + 1:05d}-of-{shards:05d}.{suffix}",
            {name: weights[name] for name in names[shard::shards]},
        )
        for shard in range(shards)
    ]
    size = sum(tensor.numel() * tensor.element_size() for tensor in weights.values())
    weight_map = {name: file for file, part in parts for name in part}
    index = {"metadata": {"total_size": size}, "weight_map": weight_map}
    (folder / f"{stem}.{suffix}.index.json").write_text(json.dumps(index, indent=2))
    return parts


def load_weights(folder: Path) -> Tensors:
    """All tensors of a folder's weight files, in float32."""
    from safetensors.torch import load_file

    weights: Tensors = {}
    for file in sorted(folder.glob("model*.safetensors")):
        weights.update(load_file(file))
    for file in sorted(folder.glob("pytorch_model*.bin")):
        weights.update(torch.load(file, weights_only=True, map_location="cpu"))
    if not weights:
        raise FileNotFoundError(f"no weights in {folder}")
    return {
        name: value.float() if value.is_floating_point() else value
        for name, value in weights.items()
    }


def load_config(folder: Path) -> dict[str, Any]:
    """The folder's config.json."""
    loaded: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return loaded


def save_config(folder: Path, config: dict[str, Any]) -> None:
    """Writes config.json as the hub's files look."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def below(weights: Tensors, prefix: str) -> Tensors:
    """The tensors under a prefix, without it."""
    return {n.removeprefix(prefix): t for n, t in weights.items() if n.startswith(prefix)}


def hidden_states(model: torch.nn.Module, weights: Tensors, ids: list[int]) -> torch.Tensor:
    """A stock backbone's last hidden state [tokens, hidden] of one text, after the final norm.

    Raises:
        RuntimeError: where a parameter of the backbone has no tensor, or a tensor no parameter.
    """
    model.load_state_dict(weights, strict=True)
    model.eval().float()
    with torch.no_grad():
        out = model(
            input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long)
        )
    hidden: torch.Tensor = out.last_hidden_state[0]
    return hidden
