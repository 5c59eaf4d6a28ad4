"""Weights in eight bits, through transformers' own quantization.

Off by default, because it changes rewards; `ultrarm-eval verify` measures by how much.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ultrarm_eval.errors import ConfigurationError, DeviceError, first_line, unknown_choice
from ultrarm_eval.settings import QUANTIZATIONS

#: `int8`: bitsandbytes' LLM.int8 (RewardBench's default); `fp8`: blocks of float8 numbers.
INT8, FP8 = QUANTIZATIONS

_HEAD = "regression_head"
# Bytes of a weight that is quantized.
BYTES_PER_WEIGHT = 1
# NVIDIA's Ada and Hopper are the first GPUs that multiply float8.
_FLOAT8_CAPABILITY = (8, 9)


def checked_quantization(value: object, device: torch.device, dtype: torch.dtype) -> str | None:
    """The name of a quantization, or None.

    Args:
        value: The user's setting.
        device: Where the weights go.
        dtype: The body's dtype.

    Raises:
        ConfigurationError: The name is unknown, a package that it needs is not installed, or it
            does not support the dtype.
        DeviceError: The device does not support it.
    """
    if value is None:
        return None
    if value not in QUANTIZATIONS:
        raise unknown_choice("quantization", value, QUANTIZATIONS)
    if value == FP8:
        _require_float8(device)
        if dtype == torch.float32:
            raise ConfigurationError(
                f"quantization={FP8} computes in half precision. Add dtype=bfloat16."
            )
    quantization_config(str(value))
    return str(value)


def require_quantized(model: torch.nn.Module, name: str) -> None:
    """Checks that weights are quantized and can be multiplied with.

    On some devices, transformers loads a model unquantized and only logs it.

    Raises:
        DeviceError: No weight has eight bits, or the first product fails.
    """
    weights = [m for m in model.modules() if isinstance(m, torch.nn.Linear)]
    eight = [m for m in weights if m.weight.dtype.itemsize == BYTES_PER_WEIGHT]
    if not eight:
        raise DeviceError(
            f"quantization={name} had no effect on this device: no weight has eight bits. Remove "
            "it."
        )
    dtype = getattr(model, "dtype", torch.bfloat16)
    trial = torch.zeros(1, eight[0].in_features, dtype=dtype, device=eight[0].weight.device)
    try:
        with torch.inference_mode():
            eight[0](trial)
    except Exception as error:
        # A missing kernel and an unsupported GPU raise different errors.
        raise DeviceError(
            f"quantization={name} does not work here ({first_line(error)}). Remove it."
        ) from error


def _require_float8(device: torch.device) -> None:
    if device.type == "cuda" and torch.cuda.get_device_capability(device) >= _FLOAT8_CAPABILITY:
        return
    raise DeviceError(
        f"quantization={FP8} needs a GPU with float8 support (compute capability 8.9 or higher), "
        f"but the device is {device}. Use {INT8}, or remove it."
    )


def quantization_config(name: str, *, heads: Sequence[str] = (_HEAD,)) -> Any:
    """Transformers' configuration of a quantization that leaves the heads unchanged.

    Args:
        name: One of `QUANTIZATIONS`.
        heads: Names of the layers after the body.

    Raises:
        ConfigurationError: A package that it needs is not installed.
    """
    import transformers

    try:
        if name == INT8:
            skipped = {"llm_int8_skip_modules": [*heads]}
            return transformers.BitsAndBytesConfig(load_in_8bit=True, **skipped)
        return transformers.FineGrainedFP8Config(modules_to_not_convert=[*heads])
    except (AttributeError, ImportError) as error:
        needed = (
            "the package bitsandbytes"
            if name == INT8
            else "a version of transformers that supports it"
        )
        raise ConfigurationError(
            f"quantization={name} needs {needed} ({first_line(error)})."
        ) from error
