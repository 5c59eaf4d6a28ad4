"""Loading a model of any family, to be run through its own forward pass."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch

from ultrarm_eval.checkpoints.checkpoint import Checkpoint
from ultrarm_eval.checkpoints.foreign_errors import brief
from ultrarm_eval.checkpoints.quantization import quantization_config, require_quantized
from ultrarm_eval.checkpoints.unread_weights import require_read
from ultrarm_eval.errors import CheckpointError, DeviceError

_NAMED = 3


def load_own_forward(
    auto_class: Any,
    checkpoint: Checkpoint,
    dtype: torch.dtype,
    device: torch.device,
    *,
    parallelize: bool = False,
    attention: str | None = None,
    quantization: str | None = None,
) -> Any:
    """Loads a model as one of transformers' auto classes does, but never with random weights.

    Args:
        auto_class: The auto class.
        checkpoint: The checkpoint; its code, if it has any, is never executed.
        dtype: The model's dtype.
        device: Where the model goes.
        parallelize: Spread it over all GPUs and the CPU instead.
        attention: transformers' name of an attention; its own choice if None.
        quantization: See `ultrarm_eval.checkpoints.quantization`; none if None.

    Raises:
        CheckpointError: Weights are missing, damaged, of another shape, or read by nothing.
        DeviceError: The device does not know the attention or the quantisation.
    """
    checkpoint.require_sound_weights()
    options: dict[str, Any] = {}
    if attention is not None:
        options["attn_implementation"] = attention
    if quantization is not None:
        heads = _heads(auto_class, checkpoint.config)
        options["quantization_config"] = quantization_config(quantization, heads=heads)
    try:
        model, report = auto_class.from_pretrained(
            checkpoint.name,
            revision=checkpoint.revision,
            config=checkpoint.config,
            use_safetensors=checkpoint.safetensors,
            device_map="auto" if parallelize else {"": device},
            dtype=dtype,
            trust_remote_code=False,
            output_loading_info=True,
            **options,
        )
    except Exception as error:
        if options:
            given = {"attn_implementation": attention, "quantization": quantization}
            asked = ", ".join(f"{name}={value}" for name, value in given.items() if value)
            raise DeviceError(
                f"{checkpoint.name}: it cannot be loaded with {asked} ({brief(error)})."
            ) from error
        # What is raised for a missing, cut off or mismatched file differs between versions.
        raise CheckpointError(
            f"{checkpoint.name}: the weights cannot be loaded; a file is damaged, lacks weights, "
            f"or does not fit the config ({brief(error)})."
        ) from error
    _require_all(checkpoint.name, [str(key) for key in report["missing_keys"]])
    if not checkpoint.is_quantized:
        require_read(checkpoint.name, model, report["unexpected_keys"])
    if quantization is not None:
        require_quantized(model, quantization)
    return model.eval()


def _heads(auto_class: Any, config: Any) -> list[str]:
    """The layers behind the body, which families call differently."""
    with torch.device("meta"):
        model = auto_class.from_config(config)
    return [name for name, _ in model.named_children() if name != model.base_model_prefix]


def _require_all(name: str, missing: Collection[str]) -> None:
    if missing:
        some = ", ".join(repr(key) for key in sorted(missing)[:_NAMED])
        raise CheckpointError(
            f"{name}: weights are missing and would be random: {len(missing)}, among them {some}."
        )
