"""Loads the weights of a checkpoint that a judge supports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ultrarm_eval.checkpoints.checkpoint import Checkpoint
from ultrarm_eval.checkpoints.decoder_reward_model import DecoderRewardModel, Float32RMSNorm
from ultrarm_eval.checkpoints.foreign_errors import brief
from ultrarm_eval.checkpoints.network_parts import layers_behind_body
from ultrarm_eval.checkpoints.quantization import quantization_config, require_quantized
from ultrarm_eval.checkpoints.stored_quantization import (
    are_numbers,
    require_computing,
    require_heads_as_stored,
    with_heads_kept,
)
from ultrarm_eval.checkpoints.unread_weights import require_read
from ultrarm_eval.checkpoints.weight_reader import WeightReader
from ultrarm_eval.checkpoints.weights import refuse_missing
from ultrarm_eval.errors import CheckpointError, DeviceError, UltrarmEvalError


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
        ConfigurationError: A package that the quantization needs is not installed.
        CheckpointError: Weights are missing, damaged or of another shape.
        DeviceError: The device does not support the attention or the quantization.
    """
    options = _options(attention, quantization, [model_class.head_name])
    model = _loaded(
        checkpoint, model_class, dtype, device, parallelize=parallelize, options=options
    )
    _keep_exact(model, checkpoint.reader())
    if quantization is not None:
        require_quantized(model, quantization)
    ready: DecoderRewardModel = model.eval()
    return ready


def _keep_exact(model: DecoderRewardModel, reader: WeightReader) -> None:
    """Restores norm and head as stored, because transformers rounds them to the body's dtype."""
    layers = {model.head_name: model.reward_head}
    norm = getattr(model.model, "norm", None)
    if isinstance(norm, Float32RMSNorm):
        layers["model.norm"] = norm
    for name, layer in layers.items():
        for inner, part in layer.named_modules():
            own = {**dict(part.named_parameters(recurse=False))}
            own |= dict(part.named_buffers(recurse=False))
            rounded = [key for key, value in own.items() if _is_rounded(value)]
            prefix = ".".join(one for one in (name, inner) if one)
            if rounded:
                _replace(part, {key: reader.read(f"{prefix}.{key}") for key in rounded})


def _is_rounded(weight: torch.Tensor) -> bool:
    """Whether a weight is not present in float32."""
    is_exact = weight.dtype == torch.float32 and weight.device.type != "meta"
    return weight.is_floating_point() and not is_exact


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
        CheckpointError: Weights are missing, damaged, of another shape, or unused.
        DeviceError: The device does not support the attention or the quantization.
    """
    heads = [] if quantization is None else layers_behind_body(checkpoint.network)
    if checkpoint.weight_map is not None:
        # An auto class loads weights only from files.
        auto_class = type(checkpoint.network)
    model, report = _loaded(
        checkpoint,
        auto_class,
        dtype,
        device,
        parallelize=parallelize,
        options=_options(attention, quantization, heads),
        trust_remote_code=False,
        output_loading_info=True,
    )
    refuse_missing(checkpoint.name, report["missing_keys"])
    if not checkpoint.is_quantized:
        require_read(checkpoint.name, model, report["unexpected_keys"])
    if quantization is not None:
        require_quantized(model, quantization)
    return model.eval()


def _options(
    attention: str | None, quantization: str | None, heads: Sequence[str]
) -> dict[str, Any]:
    """The loading options that a device may not support, by the names of the settings."""
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
    """The model that `from_pretrained` of a class returns."""
    checkpoint.require_sound_weights()
    where: tuple[Any, ...] = (checkpoint.name,)
    # As it was read: config.json itself may lack fields, or have some that transformers refuses.
    further["config"] = checkpoint.config
    network: Any = checkpoint.network
    if checkpoint.is_quantized:
        further["config"] = with_heads_kept(checkpoint.config, layers_behind_body(network))
    if checkpoint.weight_map is None:
        further |= {"revision": checkpoint.revision, "use_safetensors": checkpoint.safetensors}
    else:
        where = (None,)
        further["state_dict"] = checkpoint.reader().state(dtype)
    try:
        loaded = model_class.from_pretrained(
            *where,
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
                f"{checkpoint.name}: it cannot be loaded with {', '.join(asked)} "
                f"({brief(error)}). Remove these settings to see whether the weights themselves "
                "are damaged."
            ) from error
        # Versions raise different errors for a missing, truncated or mismatched file.
        raise CheckpointError(
            f"{checkpoint.name}: the weights cannot be loaded; a file is damaged, lacks weights, "
            f"or does not fit the config ({brief(error)})."
        ) from error
    if checkpoint.is_quantized:
        model = loaded[0] if isinstance(loaded, tuple) else loaded
        if not parallelize and are_numbers(model):
            # Dequantized weights have a dtype of their own. Buffers stay: rotary frequencies are
            # float32 in every model.
            for weight in model.parameters():
                weight.data = weight.data.to(dtype)
        require_computing(checkpoint.name, model)
        keys = checkpoint.weights.keys
        require_heads_as_stored(checkpoint.name, model, network, checkpoint.reader(), keys)
    return loaded


def _replace(layer: Any, exact: Mapping[str, torch.Tensor]) -> None:
    """Gives a layer its weights in float32, as transformers rounds them to the body's dtype.

    Where accelerate has offloaded the layer, it is brought back: it is small.
    """
    device = next(getattr(layer, name) for name in exact).device
    hook = getattr(layer, "_hf_hook", None)
    is_offloaded = device.type == "meta"
    if is_offloaded:
        from accelerate.hooks import AlignDevicesHook, add_hook_to_module, remove_hook_from_module

        device = torch.device(getattr(hook, "execution_device", None) or "cpu")
        remove_hook_from_module(layer)
    for name, value in exact.items():
        stored = value.to(device, torch.float32)
        if name in layer._parameters:
            layer._parameters[name] = torch.nn.Parameter(stored, requires_grad=False)
        else:
            layer._buffers[name] = stored
    if is_offloaded:
        add_hook_to_module(layer, AlignDevicesHook(execution_device=device))
