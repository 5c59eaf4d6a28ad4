"""Chooses the attention kernel on a device: the fastest available one that computes correctly."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from ultrarm_eval.engine.kernels import cascade
from ultrarm_eval.engine.kernels.flex import FlexAttention
from ultrarm_eval.engine.kernels.sdpa import AttentionBySegment
from ultrarm_eval.engine.kernels.tree_attention import Kernel, RowAttention
from ultrarm_eval.engine.kernels.varlen import VarlenAttention, flash_attn_kernel, torch_kernel
from ultrarm_eval.engine.rows import TreeLayout
from ultrarm_eval.errors import DeviceError, first_line, unknown_choice
from ultrarm_eval.setting import AUTO
from ultrarm_eval.settings import ATTENTIONS

logger = logging.getLogger(__name__)

FLASH, TORCH_VARLEN, FLEX, SDPA, EAGER = ATTENTIONS
#: Kernels for rows without padding, the fastest first.
ROW_KERNELS: dict[str, Callable[[], Kernel]] = {
    FLASH: lambda: partial(VarlenAttention, kernel=flash_attn_kernel()),
    TORCH_VARLEN: lambda: partial(VarlenAttention, kernel=torch_kernel()),
    FLEX: lambda: FlexAttention,
    SDPA: lambda: AttentionBySegment,
}
#: transformers' own attention for padded batches.
PADDED_KERNELS = (SDPA, EAGER, FLASH, FLEX)
ATTN_IMPLEMENTATIONS = (AUTO, *ROW_KERNELS, EAGER)

# torch's messages about missing operators are pages long.
_MOST_SAID = 160
# A tree with a fork, a fork in a branch, a branch of one token, and a second tree.
_TRIAL = TreeLayout(
    spans=((0, 40), (40, 57), (57, 187), (187, 188), (188, 221)),
    contexts=((), ((0, 40),), ((0, 40),), ((0, 40), (57, 187)), ()),
    read_at=(56, 187, 220),
)
# Outputs are of the order of 1; a wrong mask changes some by that much.
_ALLOWED = {torch.float32: 5e-3, torch.bfloat16: 5e-2, torch.float16: 2e-2}


@dataclass(frozen=True)
class Place:
    """Where attention is computed.

    Attributes:
        config: The model's configuration.
        device: The device.
        dtype: The body's dtype.
    """

    config: Any
    device: torch.device
    dtype: torch.dtype


def checked_attention(requested: str, place: Place) -> str:
    """The name of an attention; a requested one is verified to work there.

    Raises:
        ConfigurationError: There is no attention of that name.
        DeviceError: It is not installed, or does not work there.
    """
    if requested not in ATTN_IMPLEMENTATIONS:
        raise unknown_choice("attn_implementation", requested, ATTN_IMPLEMENTATIONS)
    if requested in ROW_KERNELS:
        problem = why_not(requested, place)
        if problem is not None:
            raise DeviceError(
                f"attn_implementation={requested} cannot be used on {place.device} in "
                f"{_name(place.dtype)}: {problem}. Use attn_implementation={AUTO}, which chooses "
                "the fastest that works."
            )
    return requested


def choose_kernel(requested: str, place: Place) -> tuple[str, Kernel]:
    """The kernel for rows, verified on a small tree.

    Args:
        requested: `auto` or a verified name of `ROW_KERNELS`.
        place: Where it has to work.

    Returns:
        Its name and the kernel.
    """
    if requested not in (AUTO, SDPA):
        return requested, ROW_KERNELS[requested]()
    for name in _candidates(place.device, place.dtype) if requested == AUTO else ():
        problem = why_not(name, place)
        if problem is None:
            return name, ROW_KERNELS[name]()
        logger.info("Skipping attn_implementation=%s: %s.", name, problem)
    if place.device.type == "cpu" and cascade.is_available():
        problem = _problem_of(cascade.CascadeAttention, place)
        if problem is None:
            return SDPA, cascade.CascadeAttention
        logger.info("Skipping cascade attention: %s.", problem)
    # The fallback: this implementation is the definition.
    return SDPA, AttentionBySegment


def why_not(name: str, place: Place) -> str | None:
    """Why a kernel cannot be used; None if it can."""
    try:
        kernel = ROW_KERNELS[name]()
    except ImportError as error:
        return f"it is not installed ({first_line(error)})"
    return _problem_of(kernel, place)


def _problem_of(kernel: Kernel, place: Place) -> str | None:
    try:
        difference = largest_difference(kernel, place)
    except Exception as error:
        # Kernels raise various errors for an unsupported GPU, dtype or head size.
        return first_line(error)[:_MOST_SAID]
    allowed = _ALLOWED.get(place.dtype, _ALLOWED[torch.float16])
    if not difference <= allowed:
        return f"its error on a small test tree is {difference:.2g}, more than {allowed:.2g}"
    return None


def largest_difference(kernel: Kernel, place: Place) -> float:
    """The error of a kernel on a small tree, compared with float32 on the CPU."""
    config, device = place.config, place.device
    heads = int(config.num_attention_heads)
    groups = int(getattr(config, "num_key_value_heads", None) or heads)
    size = int(getattr(config, "head_dim", None) or config.hidden_size // heads)
    draw = torch.Generator().manual_seed(0)
    tokens = _TRIAL.spans[-1][1]

    def random(count: int) -> torch.Tensor:
        return torch.randn(1, count, tokens, size, generator=draw).to(place.dtype)

    query, key, value = random(heads), random(groups), random(groups)
    with torch.inference_mode():
        exact = _outputs(AttentionBySegment(_TRIAL), query.float(), key.float(), value.float())
        found = _outputs(kernel(_TRIAL), query.to(device), key.to(device), value.to(device))
    return max(
        float((a - b.float().cpu()).abs().max().nan_to_num(nan=float("inf")))
        for a, b in zip(exact, found, strict=True)
    )


def _outputs(
    attention: RowAttention, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    scale = query.shape[-1] ** -0.5
    read = torch.tensor(attention.layout.read_at, device=query.device)
    return (
        attention.attend(query, key, value, scale),
        attention.attend_at_ends(query[:, :, read], key, value, scale),
    )


def _candidates(device: torch.device, dtype: torch.dtype) -> tuple[str, ...]:
    # They support only half precision, or would round float32 to TF32.
    if device.type == "cuda" and dtype in {torch.bfloat16, torch.float16}:
        return (FLASH, TORCH_VARLEN, FLEX)
    return ()


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
