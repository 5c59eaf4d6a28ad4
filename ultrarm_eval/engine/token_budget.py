"""The token budget of a batch, from the free memory."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import torch

from ultrarm_eval.checkpoints.device import free_bytes

logger = logging.getLogger(__name__)

# On a CPU larger rows do not fit into its caches.
_CPU_TOKENS = 2048
#: Larger rows cost less there than recomputing a prompt, so a prompt with all its answers may be
#: this large.
CPU_TREE_TOKENS = 16_384
# A 13B model reaches full speed with much smaller rows; a larger row only costs memory.
_GPU_TOKENS = 32_768
_LEAST_TOKENS = 256
# The rest is for what is not counted here, such as fragmentation.
_SHARE_OF_FREE = 0.5
# Tensors of a layer that are live at the same time, in hidden sizes of the model and of its MLP:
# residual, norm, queries, keys, values, their rotated copies and the output, and keys and values
# gathered twice (`varlen.MOST_GATHERED`); gate, up, product.
_WIDTHS, _MLP_WIDTHS = 14, 3
# If a configuration does not state the size of the MLP.
_MLP_SHARE = 4
# Outputs in float32 and their logarithms.
_OUTPUT_COPIES = 2


@dataclass(frozen=True)
class TokenBudget:
    """Limits of the tokens computed at once.

    Attributes:
        batch: Batches are filled up to this number.
        tree: A prompt with its answers may have this many before it is split, at least `batch`.
    """

    batch: int
    tree: int


def token_budget(
    config: Any,
    dtype: torch.dtype,
    device: torch.device,
    *,
    bytes_to_load: int = 0,
    outputs: int = 0,
) -> TokenBudget:
    """The default token budget of a batch.

    Args:
        config: The model's configuration.
        dtype: The body's dtype.
        device: The device.
        bytes_to_load: The size of weights that are not loaded yet.
        outputs: The number of outputs per token, such as the size of a language model's vocabulary.

    Returns:
        Numbers of tokens, at least 256.
    """
    on_cpu = device.type == "cpu"
    batch, tree = (_CPU_TOKENS, CPU_TREE_TOKENS) if on_cpu else (_GPU_TOKENS, _GPU_TOKENS)
    free = free_bytes(device) - bytes_to_load
    fits = max(_LEAST_TOKENS, int(free * _SHARE_OF_FREE) // bytes_per_token(config, dtype, outputs))
    budget = TokenBudget(min(batch, fits), min(tree, fits))
    logger.info(
        "At most %s tokens per batch%s, with %.1f GiB of free memory on %s. max_batch_tokens sets "
        "another limit.",
        f"{budget.batch:,}",
        f" ({budget.tree:,} for a prompt with its answers)" if budget.tree > budget.batch else "",
        max(free, 0) / 1024**3,
        device,
    )
    return budget


def bytes_per_token(config: Any, dtype: torch.dtype, outputs: int = 0) -> int:
    """Memory per token of a layer's computation, and of the outputs."""
    width = int(config.hidden_size)
    inner = int(getattr(config, "intermediate_size", None) or _MLP_SHARE * width)
    in_dtype = _WIDTHS * width + _MLP_WIDTHS * inner
    # The norms compute in float32, twice the hidden size at a time.
    in_float32 = 2 * width + _OUTPUT_COPIES * outputs
    return (in_dtype + outputs) * dtype.itemsize + in_float32 * torch.float32.itemsize
