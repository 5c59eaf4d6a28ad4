"""Llama's layers on a CPU in float32: the same products and sums with less memory traffic.

While a row is computed, the MLPs work in place, and the linear layers use torch's own product or
oneDNN's, whichever is faster on this type of processor.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from transformers.models.llama.modeling_llama import LlamaMLP
from transformers.models.mistral.modeling_mistral import MistralMLP
from transformers.models.qwen2.modeling_qwen2 import Qwen2MLP
from transformers.models.qwen3.modeling_qwen3 import Qwen3MLP

if TYPE_CHECKING:
    from ultrarm_eval.checkpoints.decoder_reward_model import DecoderRewardModel

logger = logging.getLogger(__name__)

Product = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

# One type of MLP: down(act(gate(x)) * up(x)).
_MLPS = (LlamaMLP, MistralMLP, Qwen2MLP, Qwen3MLP)
_FAST_WITH = "AVX512"
_TRIAL_ROWS = 4
# Float32 sums of a few thousand products differ by less; a product in bfloat16 by much more.
_RELATIVE_ERROR = 1e-5


class CpuLayers:
    """Changes a model's layers for as long as the context lasts; does nothing elsewhere."""

    def __init__(self, model: DecoderRewardModel) -> None:
        """Finds what to change, once for a model.

        Args:
            model: The loaded model. Only float32 layers on the CPU are changed.
        """
        self._forwards: list[tuple[nn.Module, Callable[..., Any]]] = []
        layers = getattr(model.model, "layers", None)
        # Families with other MLPs have other names, and keep their layers.
        if layers is None or model.device.type != "cpu" or model.dtype != torch.float32:
            return
        linears = [m for m in layers.modules() if type(m) is nn.Linear]
        linears = [m for m in linears if m.weight.dtype == torch.float32 and m.bias is None]
        product = chosen_product(linears[0].weight) if linears else None
        if product is not None:
            self._forwards += [(linear, _linear_with(product, linear)) for linear in linears]
        self._forwards += [(m, _mlp_in_place(m)) for m in layers.modules() if type(m) in _MLPS]
        # Layers that other code has changed are left alone.
        self._forwards = [(m, forward) for m, forward in self._forwards if "forward" not in vars(m)]

    def __enter__(self) -> None:
        for module, forward in self._forwards:
            module.forward = forward

    def __exit__(self, *_: object) -> None:
        for module, _forward in self._forwards:
            del module.forward


def chosen_product(weight: torch.Tensor) -> Product | None:
    """OneDNN's float32 product if it is faster and really computes in float32; else None.

    The choice depends on the processor, not on a measurement, so that every run and process rounds
    identically. With AVX-512, oneDNN uses it on the processors of every vendor; torch's own library
    does not. Without it torch's own is faster (measured with 2.13 on AVX2).

    Args:
        weight: One of the weights, shape (outputs, inputs).
    """
    if torch.backends.cpu.get_cpu_capability() != _FAST_WITH:
        return None
    rows = torch.randn(_TRIAL_ROWS, weight.shape[1], generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        try:
            found = _onednn(rows, weight)
        except (AttributeError, RuntimeError) as error:
            logger.debug("oneDNN's product is not available: %s", error)
            return None
    exact = rows.double() @ weight.detach().double().t()
    scale = rows.double().abs() @ weight.detach().double().abs().t()
    # A processor with bfloat16 products may be configured to use them for float32.
    if not bool(((found.double() - exact).abs() <= _RELATIVE_ERROR * scale).all()):
        logger.warning(
            "oneDNN does not compute float32 products in float32 here; torch's products are used."
        )
        return None
    return _onednn


def _onednn(rows: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, None, "none", [], "")
    return product


def _linear_with(product: Product, linear: nn.Linear) -> Callable[..., Any]:
    def forward(rows: torch.Tensor) -> torch.Tensor:
        return product(rows, linear.weight)

    return forward


def _mlp_in_place(mlp: Any) -> Callable[..., Any]:
    def forward(hidden: torch.Tensor) -> torch.Tensor:
        gate = mlp.gate_proj(hidden)
        if isinstance(mlp.act_fn, nn.SiLU):
            gate = nn.functional.silu(gate, inplace=True)
        else:
            gate = mlp.act_fn(gate)
        output: torch.Tensor = mlp.down_proj(gate.mul_(mlp.up_proj(hidden)))
        return output

    return forward
