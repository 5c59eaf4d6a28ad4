"""Random reward models of a shape, and what their rewards are measured against."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from scoring_ways import SHAPES
from transformers import LlamaConfig

from ultrarm_eval import LlamaRewardModel

LARGE_SHAPES: dict[str, dict[str, int]] = {
    "13b": {
        "vocab_size": 32_000,
        "hidden_size": 5120,
        "intermediate_size": 13_824,
        "num_hidden_layers": 40,
        "num_attention_heads": 40,
        "max_position_embeddings": 2048,
    },
    "tiny": SHAPES["tiny"],
}
#: Of 13B's head size, and small enough for a loop in float32 on the CPU.
SMALL_SHAPES: dict[str, dict[str, int]] = {
    "13b": {
        "vocab_size": 8000,
        "hidden_size": 1024,
        "intermediate_size": 2816,
        "num_hidden_layers": 4,
        "num_attention_heads": 8,
        "max_position_embeddings": 2048,
    },
    "tiny": SHAPES["tiny"],
}
_STANDARD_DEVIATION = 0.02
_EMBEDDING_DEVIATION = 0.3


def layers_of(shape: str, layers: int) -> dict[str, int]:
    """The large shape with fewer layers, each as wide and as costly as all of them."""
    found = LARGE_SHAPES[shape]
    return {**found, "num_hidden_layers": min(layers, found["num_hidden_layers"])}


def random_model(
    shape: Mapping[str, int], device: torch.device, dtype: torch.dtype, seed: int
) -> LlamaRewardModel:
    """A reward model that is made on the device, its body in a dtype, norm and head in float32."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            model: LlamaRewardModel = LlamaRewardModel(LlamaConfig(**shape)).eval()
    finally:
        torch.set_default_dtype(before)
    model.model.norm.float()
    model.regression_head.float()
    draw = torch.Generator(device).manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            # The norms' weights stay 1.
            if parameter.ndim > 1:
                parameter.normal_(0.0, _STANDARD_DEVIATION, generator=draw)
    return model


def attentive_model(
    shape: Mapping[str, int], device: torch.device, seed: int, *, key_heads: int | None = None
) -> LlamaRewardModel:
    """A float32 model whose rewards depend on all that a text's tokens attend to.

    With small weights a reward is hardly more than the last token's, and a wrong mask would not
    show. Here each product keeps the size of what it is given, and the rewards' spread is about 1.
    Weights are numbers that bfloat16 and float16 hold exactly, so that what is measured in those
    is their computation and not their weights.

    Args:
        shape: Fields of the configuration.
        device: Where it is made.
        seed: Of the weights.
        key_heads: Groups of attention heads; as many as heads if None.
    """
    heads = key_heads or shape["num_attention_heads"]
    model = random_model({**shape, "num_key_value_heads": heads}, device, torch.float32, seed)
    draw = torch.Generator(device).manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0.0, parameter.shape[-1] ** -0.5, generator=draw)
        # Less than what attention adds to it.
        model.model.embed_tokens.weight.normal_(0.0, _EMBEDDING_DEVIATION, generator=draw)
        for parameter in model.parameters():
            parameter.copy_(parameter.bfloat16().half())
    return model


def in_dtype(model: LlamaRewardModel, device: torch.device, dtype: torch.dtype) -> LlamaRewardModel:
    """A copy on a device, its body in a dtype as a checkpoint's is: norm and head in float32."""
    copied: LlamaRewardModel = copy.deepcopy(model).to(device)
    exact = {
        id(p) for part in (copied.model.norm, copied.regression_head) for p in part.parameters()
    }
    for parameter in copied.parameters():
        if id(parameter) not in exact:
            # Parameters alone: rotary frequencies are float32 in every model.
            parameter.data = parameter.data.to(dtype)
    return copied


def branching_texts(
    vocabulary: int, seed: int, *, trees: int, depth: int, longest: int
) -> tuple[list[tuple[int, ...]], list[tuple[int, int]]]:
    """Texts that part at several depths: token ids, and the pairs that are compared.

    Some texts end within another one, some part by a single token, and the last shares nothing.

    Args:
        vocabulary: Number of token ids.
        seed: Of ids and lengths.
        trees: How many prompts there are.
        depth: How often texts of a prompt part.
        longest: The most tokens of a stretch.
    """
    import numpy as np

    draw = np.random.default_rng(seed)
    texts: list[tuple[int, ...]] = []

    def ids(count: int) -> tuple[int, ...]:
        return tuple(draw.integers(3, vocabulary, count).tolist())

    def grow(text: tuple[int, ...], level: int) -> None:
        text += ids(int(draw.integers(17, longest)))
        if level in (depth, 1):
            texts.append(text)
        if level == depth:
            texts.append((*text, int(draw.integers(3, vocabulary))))
            return
        for _ in range(2):
            grow(text, level + 1)

    for _ in range(trees):
        grow((1,), 0)
    texts.append((1, *ids(longest)))
    return texts, [(i, i + 1) for i in range(len(texts) - 1)]


def tokens_of(texts: Sequence[Sequence[int]]) -> list[Any]:
    """Texts as the engine takes them."""
    from ultrarm_eval.text_format.tokens import Tokens

    return [Tokens.of(ids) for ids in texts]
