"""Loading the weights of a checkpoint that was found to be a reward model."""

from __future__ import annotations

from typing import Any

import torch

from ultrarm_eval.checkpoints.checkpoint import Checkpoint
from ultrarm_eval.checkpoints.foreign_errors import brief
from ultrarm_eval.checkpoints.quantization import quantization_config, require_quantized
from ultrarm_eval.checkpoints.weights import read_weight
from ultrarm_eval.errors import CheckpointError, DeviceError
from ultrarm_eval.judges.decoder_reward_model import FINAL_NORM_WEIGHT, DecoderRewardModel
from ultrarm_eval.judges.llama_reward_model import LlamaRewardModel


def load_model(
    checkpoint: Checkpoint,
    dtype: torch.dtype,
    device: torch.device,
    *,
    parallelize: bool,
    attention: str | None = None,
    quantization: str | None = None,
    model_class: type[DecoderRewardModel] = LlamaRewardModel,
) -> DecoderRewardModel:
    """Loads the model, its final norm and head exactly as stored, the body in a dtype.

    Args:
        checkpoint: The checkpoint.
        dtype: The body's dtype.
        device: Where the model goes.
        parallelize: Spread it over all GPUs and the CPU instead.
        attention: transformers' name of the attention of padded batches; its own choice if None.
        quantization: See `ultrarm_eval.checkpoints.quantization`; none if None.
        model_class: The network's class.

    Raises:
        ConfigurationError: What the quantisation needs is not installed.
        CheckpointError: Weights are missing, damaged or of another shape.
        DeviceError: The device does not know the attention or the quantisation.
    """
    checkpoint.require_sound_weights()
    options: dict[str, Any] = {}
    if attention is not None:
        options["attn_implementation"] = attention
    if quantization is not None:
        options["quantization_config"] = quantization_config(
            quantization, heads=[model_class.head_name]
        )
    try:
        model = model_class.from_pretrained(
            checkpoint.name,
            revision=checkpoint.revision,
            use_safetensors=checkpoint.safetensors,
            device_map="auto" if parallelize else {"": device},
            dtype=dtype,
            **options,
        )
    except CheckpointError:
        raise
    except Exception as error:
        asked = {"attn_implementation": attention, "quantization": quantization}
        settings = ", ".join(f"{name}={value}" for name, value in asked.items() if value)
        if settings:
            raise DeviceError(
                f"{checkpoint.name}: it cannot be loaded with {settings} ({brief(error)}). "
                "Leave that out to see whether the weights themselves are damaged."
            ) from error
        # What is raised for a missing, cut off or mismatched file differs between versions.
        raise CheckpointError(
            f"{checkpoint.name}: the weights cannot be loaded; a file is damaged, lacks weights, "
            f"or does not fit the config ({brief(error)})."
        ) from error
    for key, layer in (
        (FINAL_NORM_WEIGHT, model.model.norm),
        (model_class.head_weight(), model.reward_head),
    ):
        if layer.weight.dtype != torch.float32 or layer.weight.device.type == "meta":
            _replace(layer, read_weight(checkpoint.fetch, key, safetensors=checkpoint.safetensors))
    if quantization is not None:
        require_quantized(model, quantization)
    return model.eval()  # type: ignore[no-any-return]


def _replace(layer: Any, exact: torch.Tensor) -> None:
    """Gives a layer its weight in float32, as transformers rounds it to the body's dtype.

    Where accelerate has offloaded the layer, it is brought back: it is tiny.
    """
    device = layer.weight.device
    hook = getattr(layer, "_hf_hook", None)
    if device.type == "meta":
        from accelerate.hooks import AlignDevicesHook, add_hook_to_module, remove_hook_from_module

        device = torch.device(getattr(hook, "execution_device", None) or "cpu")
        remove_hook_from_module(layer)
        layer.weight = torch.nn.Parameter(exact.to(device, torch.float32), requires_grad=False)
        add_hook_to_module(layer, AlignDevicesHook(execution_device=device))
        return
    layer.weight.data = exact.to(device, torch.float32)
