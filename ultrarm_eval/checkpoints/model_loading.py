"""Loading the weights of a checkpoint that was found to be what a judge takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ultrarm_eval.checkpoints.checkpoint import Checkpoint
from ultrarm_eval.checkpoints.decoder_reward_model import FINAL_NORM_WEIGHT, DecoderRewardModel
from ultrarm_eval.checkpoints.foreign_errors import brief
from ultrarm_eval.checkpoints.quantization import quantization_config, require_quantized
from ultrarm_eval.checkpoints.unread_weights import require_read
from ultrarm_eval.checkpoints.weights import read_weight
from ultrarm_eval.errors import CheckpointError, DeviceError, UltrarmEvalError

_NAMED = 3


def load_decoder(
    checkpoint: Checkpoint,
    model_class: type[DecoderRewardModel],
    dtype: torch.dtype,
    device: torch.device,
    *,
    parallelize: bool,
    attention: str | None = None,
    quantization: str | None = None,
) -> DecoderRewardModel:
    """Loads a decoder, its final norm and head exactly as stored, the body in a dtype.

    Args:
        checkpoint: The checkpoint.
        model_class: The network's class.
        dtype: The body's dtype.
        device: Where the model goes.
        parallelize: Spread it over all GPUs and the CPU instead.
        attention: transformers' name of the attention of padded batches; its own choice if None.
        quantization: See `ultrarm_eval.checkpoints.quantization`; none if None.

    Raises:
        ConfigurationError: What the quantisation needs is not installed.
        CheckpointError: Weights are missing, damaged or of another shape.
        DeviceError: The device does not know the attention or the quantisation.
    """
    options = _options(attention, quantization, [model_class.head_name])
    model = _loaded(
        checkpoint, model_class, dtype, device, parallelize=parallelize, options=options
    )
    for key, layer in (
        (FINAL_NORM_WEIGHT, model.model.norm),
        (model_class.head_weight(), model.reward_head),
    ):
        if layer.weight.dtype != torch.float32 or layer.weight.device.type == "meta":
            _replace(layer, read_weight(checkpoint.fetch, key, safetensors=checkpoint.safetensors))
    if quantization is not None:
        require_quantized(model, quantization)
    ready: DecoderRewardModel = model.eval()
    return ready


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
    heads = [] if quantization is None else _heads(auto_class, checkpoint.config)
    model, report = _loaded(
        checkpoint,
        auto_class,
        dtype,
        device,
        parallelize=parallelize,
        options=_options(attention, quantization, heads),
        config=checkpoint.config,
        trust_remote_code=False,
        output_loading_info=True,
    )
    missing = sorted(str(key) for key in report["missing_keys"])
    if missing:
        some = ", ".join(map(repr, missing[:_NAMED]))
        raise CheckpointError(
            f"{checkpoint.name}: weights are missing and would be random: {len(missing)}, among "
            f"them {some}."
        )
    if not checkpoint.is_quantized:
        require_read(checkpoint.name, model, report["unexpected_keys"])
    if quantization is not None:
        require_quantized(model, quantization)
    return model.eval()


def _options(
    attention: str | None, quantization: str | None, heads: Sequence[str]
) -> dict[str, Any]:
    """What a device may not know, by the names of the settings."""
    options: dict[str, Any] = {}
    if attention is not None:
        options["attn_implementation"] = attention
    if quantization is not None:
        options["quantization"] = quantization
        options["quantization_config"] = quantization_config(quantization, heads=heads)
    return options


def _loaded(
    checkpoint: Checkpoint,
    model_class: Any,
    dtype: torch.dtype,
    device: torch.device,
    *,
    parallelize: bool,
    options: dict[str, Any],
    **further: Any,
) -> Any:
    """What `from_pretrained` of a class gives."""
    checkpoint.require_sound_weights()
    try:
        return model_class.from_pretrained(
            checkpoint.name,
            revision=checkpoint.revision,
            use_safetensors=checkpoint.safetensors,
            device_map="auto" if parallelize else {"": device},
            dtype=dtype,
            **{name: value for name, value in options.items() if name != "quantization"},
            **further,
        )
    except UltrarmEvalError:
        raise
    except Exception as error:
        asked = [
            f"{name}={options[name]}"
            for name in ("attn_implementation", "quantization")
            if name in options
        ]
        if asked:
            raise DeviceError(
                f"{checkpoint.name}: it cannot be loaded with {', '.join(asked)} ({brief(error)}). "
                "Leave that out to see whether the weights themselves are damaged."
            ) from error
        # What is raised for a missing, cut off or mismatched file differs between versions.
        raise CheckpointError(
            f"{checkpoint.name}: the weights cannot be loaded; a file is damaged, lacks weights, "
            f"or does not fit the config ({brief(error)})."
        ) from error


def _heads(auto_class: Any, config: Any) -> list[str]:
    """The layers behind the body, which families call differently."""
    with torch.device("meta"):
        model = auto_class.from_config(config)
    return [name for name, _ in model.named_children() if name != model.base_model_prefix]


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
