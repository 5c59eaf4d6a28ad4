"""A published checkpoint in small: what its files say and hold, and what is to be made of it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from tests.reward_models.config_entries.bodies import HIDDEN, Body, Shapes

#: The beginning of `expected` where no judge may be named.
REFUSED = "refused: "
#: What config.json says of one label, as transformers writes it.
ONE_LABEL: dict[str, Any] = {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}

_DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
# Rows of a vocabulary that are random by themselves; a prime, so that no two ids of note share one.
_ROWS = 1009
#: Dtypes of what quantisation and counting store, by the ending of the name.
_DTYPES_BY_ENDING = {
    ("num_batches_tracked", "normalizer.count"): torch.int64,
    (".qweight", ".qzeros", ".g_idx"): torch.int32,
    (".quant_state.bitsandbytes__nf4",): torch.uint8,
    (".absmax", ".quant_map", ".weight_scale", ".input_scale"): torch.float32,
}
#: Dtypes of a weight, by the companion that says how it is stored.
_DTYPES_BY_COMPANION = {".absmax": torch.uint8, "_scale": torch.float8_e4m3fn}


@dataclass(frozen=True)
class PublishedConfig:
    """A published checkpoint in small.

    Attributes:
        hub_id: Its id on the hub; the folder is to have its last part for a name.
        config: What config.json says; None for a folder without one.
        weights: Names and shapes of all weights, for a body of one or two layers.
        tokenizer_config: What tokenizer_config.json says; None for a folder without a tokenizer.
        expected: The judge that takes it, or `refused: ` and a part of the reason.
        weight_file: The file of the weights: safetensors or a pickle, by its ending.
        more_weights: Names and shapes of weights in other files, by the file.
        files: JSON of other files (objects) and bytes (text), by the file.
        full_precision: Beginnings of the names that are float32 whatever the rest is.
        base: The model that an adapter is for; its folder is put into adapter_config.json.
    """

    hub_id: str
    config: dict[str, Any] | None
    weights: Shapes
    tokenizer_config: dict[str, Any] | None
    expected: str
    weight_file: str = "model.safetensors"
    more_weights: dict[str, Shapes] = field(default_factory=dict)
    files: dict[str, dict[str, Any] | str] = field(default_factory=dict)
    full_precision: tuple[str, ...] = ()
    base: PublishedConfig | None = None

    @property
    def name(self) -> str:
        """The last part of its id."""
        return self.hub_id.rsplit("/", 1)[-1]

    @property
    def is_refused(self) -> bool:
        """Whether no judge may be named."""
        return self.expected.startswith(REFUSED)

    @property
    def reason(self) -> str:
        """What a refusal has to say."""
        return self.expected.removeprefix(REFUSED)


def published(
    hub_id: str,
    architecture: str | None,
    body: Body,
    head: Shapes,
    expected: str,
    tokenizer: dict[str, Any] | None,
    *,
    config: Mapping[str, Any] | None = None,
    **other: Any,
) -> PublishedConfig:
    """An entry of a body and what stands behind it.

    Args:
        hub_id: See `PublishedConfig`.
        architecture: The class that config.json names.
        body: The body.
        head: Names and shapes of the other weights.
        expected: See `PublishedConfig`.
        tokenizer: What tokenizer_config.json says.
        config: What config.json says besides, or otherwise than the body.
        **other: Other attributes of `PublishedConfig`.
    """
    named = {} if architecture is None else {"architectures": [architecture]}
    values = {**named, **body.config, **(config or {})}
    return PublishedConfig(hub_id, values, {**body.weights, **head}, tokenizer, expected, **other)


def linear_head(name: str, rows: int = 1, *, bias: bool = False) -> Shapes:
    """The weights of a linear layer on the body."""
    weights: Shapes = {f"{name}.weight": (rows, HIDDEN)}
    return weights | ({f"{name}.bias": (rows,)} if bias else {})


def language_head(body: Body, name: str = "lm_head") -> Shapes:
    """The language head of a body."""
    return {f"{name}.weight": (body.config["vocab_size"], HIDDEN)}


def write(entry: PublishedConfig, folder: Path) -> Path:
    """Makes the folder of an entry, with random weights.

    Args:
        entry: The entry.
        folder: Where; a base is written beside it.

    Returns:
        The folder.
    """
    folder.mkdir(parents=True)
    files = dict(entry.files)
    if entry.config is not None:
        files["config.json"] = entry.config
    if entry.tokenizer_config is not None:
        files["tokenizer_config.json"] = entry.tokenizer_config
        files["tokenizer.json"] = _tokenizer(entry.tokenizer_config)
    if entry.base is not None:
        base = folder.parent / entry.base.name
        if not base.exists():
            write(entry.base, base)
        stated = files["adapter_config.json"]
        files["adapter_config.json"] = {**stated, "base_model_name_or_path": str(base)}  # type: ignore[dict-item]
    for file, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content, indent=2)
        (folder / file).write_text(text, encoding="utf-8")
    default = _DTYPES[(entry.config or {}).get("torch_dtype", "float32")]
    for file, shapes in {entry.weight_file: entry.weights, **entry.more_weights}.items():
        if shapes:
            _save(folder / file, _random(shapes, default, entry.full_precision))
    return folder


def _save(path: Path, weights: dict[str, torch.Tensor]) -> None:
    if path.suffix == ".safetensors":
        save_file(weights, path, metadata={"format": "pt"})
    else:
        torch.save(weights, path)


def _random(
    shapes: Shapes, default: torch.dtype, full_precision: tuple[str, ...]
) -> dict[str, torch.Tensor]:
    weights = {}
    for name, shape in shapes.items():
        random = torch.Generator().manual_seed(zlib.crc32(name.encode()))
        plain = torch.float32 if full_precision and name.startswith(full_precision) else default
        dtype = _dtype(name, shapes, plain)
        if not dtype.is_floating_point:
            weights[name] = torch.randint(0, 100, shape, generator=random, dtype=dtype)
        elif name.endswith(("norm.weight", "var", "running_var")):
            # Near 1, as scales and variances are.
            weights[name] = (torch.rand(shape, generator=random) + 0.5).to(dtype)
        else:
            weights[name] = _normal(shape, random).to(dtype)
    return weights


def _normal(shape: tuple[int, ...], random: torch.Generator) -> torch.Tensor:
    """Random numbers; those of a vocabulary are repeated, because most of it is never read."""
    if len(shape) != 2 or shape[0] <= _ROWS:
        return torch.randn(shape, generator=random)
    block = torch.randn(_ROWS, shape[1], generator=random)
    return block.repeat(-(-shape[0] // _ROWS), 1)[: shape[0]].clone()


def _dtype(name: str, names: Collection[str], plain: torch.dtype) -> torch.dtype:
    for endings, dtype in _DTYPES_BY_ENDING.items():
        if name.endswith(endings):
            return dtype
    for companion, dtype in _DTYPES_BY_COMPANION.items():
        if name + companion in names:
            return dtype
    return plain


def _tokenizer(config: Mapping[str, Any]) -> dict[str, Any]:
    """A tokenizer.json of a few words; the library's own would print each id that is not used."""
    added = [
        {"id": int(number), **token} for number, token in config["added_tokens_decoder"].items()
    ]
    special = {token["content"]: token["id"] for token in added}
    free = (number for number in range(4, 1000) if number not in special.values())
    words = dict(zip(("the", "a", "answer", "question"), free, strict=False))
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "model": {
            "type": "WordLevel",
            "vocab": {**words, **special},
            "unk_token": config.get("unk_token") or "the",
        },
    }
