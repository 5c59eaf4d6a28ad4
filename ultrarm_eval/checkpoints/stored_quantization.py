"""Checkpoints whose weights are stored quantized: their requirements, and an unquantized head.

transformers quantizes every linear layer that the checkpoint's own list of exceptions leaves out.
A list made for a language model (`lm_head`) does not name the head of a reward model, which then
is rounded, or filled at random, without a warning. So the head is added to the list here, and
checked after loading.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import torch

from ultrarm_eval.checkpoints.network_parts import weights_behind_body
from ultrarm_eval.errors import CheckpointError, ConfigurationError, DeviceError, first_line

if TYPE_CHECKING:
    from torch import nn

    from ultrarm_eval.checkpoints.weight_reader import WeightReader

#: The field with the list of exceptions, by method. GPTQ is not here: it quantizes only the layers
#: in the body's blocks.
_EXCEPTIONS = {
    "bitsandbytes": "llm_int8_skip_modules",
    "compressed-tensors": "ignore",
    "hqq": "skip_modules",
    **dict.fromkeys(
        (
            *("awq", "fp8", "fbgemm_fp8", "eetq", "quanto", "torchao", "bitnet", "mxfp4"),
            *("higgs", "spqr", "vptq", "fp_quant"),
        ),
        "modules_to_not_convert",
    ),
}
# Tensors that replace a quantized weight, or belong to one.
_QUANTIZED = re.compile(
    r"\.(qweight|qzeros|scales|g_idx|SCB|weight_(packed|scale|scale_inv|shape|zero_point)"
    r"|weight\.(absmax|quant_map|nested_absmax|nested_quant_map|quant_state\..*))$"
)
_HEADS = re.compile(
    r"^(score|classifier|regression_head|value_head|v_head|score_head|logits_proj)\."
)
_SMALLEST_FLOAT = 2


def method_of(values: Mapping[str, Any]) -> str | None:
    """The quantization method that a config.json names; None if weights are plain numbers.

    Args:
        values: The content of config.json.
    """
    stated = values.get("quantization_config")
    if not isinstance(stated, dict) or not stated:
        return None
    # Files from 2023 name no method: bitsandbytes was the only one.
    return str(stated.get("quant_method") or "bitsandbytes")


def refuse_quantized_head(name: str, values: Mapping[str, Any], keys: Iterable[str]) -> None:
    """Refuses a head that is itself stored quantized.

    Args:
        name: The checkpoint, for messages.
        values: The content of its config.json.
        keys: The names of its weights.

    Raises:
        CheckpointError: It is quantized.
    """
    method = method_of(values)
    found = sorted(key for key in keys if _HEADS.match(key) and _QUANTIZED.search(key))
    if method is None or not found:
        return
    field = _EXCEPTIONS.get(method, "modules_to_not_convert")
    listed = values["quantization_config"].get(field)
    raise CheckpointError(
        f"{name}: its head is stored quantized ({method}: {found[0]!r}; {field} is {listed!r}), "
        f"so rewards are rounded. Quantize the model again with the head listed in {field}, or "
        "use the checkpoint that it was quantized from."
    )


def require_usable(name: str, config: Any, device: torch.device, dtype: torch.dtype) -> bool:
    """Refuses quantized weights that cannot be used here, before they are loaded.

    Args:
        name: The checkpoint, for messages.
        config: Its configuration.
        device: Where it goes.
        dtype: The dtype of the unquantized weights.

    Returns:
        Whether the weights become plain numbers when they are loaded, as FP8 weights do on a device
        that cannot multiply FP8.

    Raises:
        ConfigurationError: A package is missing, or too old.
        DeviceError: The device does not support them.
        CheckpointError: transformers does not know the method.
    """
    import transformers
    from transformers.quantizers import AutoHfQuantizer

    method = method_of({"quantization_config": _as_dict(config.quantization_config)})
    what = f"{name}: its weights are stored quantized ({method})"
    by = f"transformers {transformers.__version__} says: "
    try:
        stated = copy.deepcopy(_as_dict(config.quantization_config))
        quantizer = AutoHfQuantizer.from_config(stated, pre_quantized=True)
        quantizer.validate_environment(device_map={"": device}, dtype=dtype)
    except ImportError as error:
        raise ConfigurationError(
            f"{what}, but a package that reads them is missing. {by}{first_line(error)}"
        ) from error
    except RuntimeError as error:
        raise DeviceError(
            f"{what}, which cannot be used on {device}. {by}{first_line(error)}"
        ) from error
    except Exception as error:
        # Each method's configuration class raises errors of its own.
        raise CheckpointError(f"{what}, which cannot be read. {by}{first_line(error)}") from error
    return bool(getattr(quantizer.quantization_config, "dequantize", False))


def with_heads_kept(config: Any, heads: Collection[str]) -> Any:
    """A configuration whose quantization skips the named layers after the body.

    Args:
        config: The configuration of a quantized checkpoint.
        heads: The names of those layers.
    """
    stated = _as_dict(config.quantization_config)
    field = _EXCEPTIONS.get(str(method_of({"quantization_config": stated})))
    if field is None:
        return config
    listed = list(stated.get(field) or ())
    kept = copy.deepcopy(config)
    kept.quantization_config = {
        **stated,
        field: [*listed, *(head for head in heads if head not in listed)],
    }
    return kept


def require_heads_as_stored(
    name: str, model: nn.Module, network: Any, reader: WeightReader, keys: Collection[str]
) -> None:
    """Checks that the weights after the body equal the stored ones.

    Args:
        name: The checkpoint, for messages.
        model: The loaded model.
        network: The network that its configuration describes.
        reader: Reads the stored weights.
        keys: The names of the stored weights.

    Raises:
        CheckpointError: One differs.
    """
    loaded = dict(model.named_parameters())
    for key in weights_behind_body(network):
        if key not in keys:
            continue
        weight = loaded.get(key)
        is_number = weight is not None and weight.dtype.is_floating_point
        if weight is None or not is_number or weight.dtype.itemsize < _SMALLEST_FLOAT:
            raise CheckpointError(
                f"{name}: its head's weight {key!r} was quantized during loading, so rewards "
                "would be rounded. Use the checkpoint that it was quantized from."
            )
        if weight.device.type != "meta":
            stored = reader.read(key).to(weight.dtype)
            if not torch.equal(weight.detach().cpu(), stored.reshape(weight.shape)):
                raise CheckpointError(
                    f"{name}: its head's weight {key!r} differs from the stored one after "
                    "loading. Use the checkpoint that it was quantized from."
                )


def require_computing(name: str, model: nn.Module) -> None:
    """Checks with one forward pass of the whole model that quantized weights can be computed with.

    compressed-tensors prepares them in the first forward pass of a model, but not of its body.

    Args:
        name: The checkpoint, for messages.
        model: The loaded model.

    Raises:
        DeviceError: They cannot.
    """
    device = next(model.parameters()).device
    ids = torch.zeros(1, 1, dtype=torch.long, device="cpu" if device.type == "meta" else device)
    try:
        with torch.inference_mode():
            model(input_ids=ids)
    except Exception as error:
        # A missing kernel and an unsupported GPU raise different errors.
        raise DeviceError(
            f"{name}: its weights are stored quantized, and a first matrix product with them "
            f"failed on {device} ({first_line(error)}). Use the checkpoint that it was quantized "
            "from, or another device."
        ) from error


def are_numbers(model: nn.Module) -> bool:
    """Whether all weights of a loaded model are plain numbers, none of them quantized any more.

    Args:
        model: The model.
    """
    weights = [*model.parameters(), *model.buffers()]
    layers = {type(one) for one in model.modules() if isinstance(one, torch.nn.Linear)}
    return all(
        not one.dtype.is_floating_point or one.dtype.itemsize >= _SMALLEST_FLOAT for one in weights
    ) and all(layer.__module__.startswith(("torch.", "ultrarm_eval.")) for layer in layers)


def _as_dict(stated: Any) -> dict[str, Any]:
    return dict(stated) if isinstance(stated, dict) else dict(stated.to_dict())
