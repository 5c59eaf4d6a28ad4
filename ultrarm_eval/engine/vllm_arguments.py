"""The arguments of vLLM: our settings under its names, checked before anything is loaded."""

from __future__ import annotations

import os
from typing import Any

import torch

from ultrarm_eval.engine.served_model import ServedModel
from ultrarm_eval.engine.vllm_models import VllmModel
from ultrarm_eval.engine_settings import SERVER, TORCH, VLLM
from ultrarm_eval.errors import ConfigurationError, DeviceError
from ultrarm_eval.settings import CheckpointSettings

# Settings passed to vLLM under the same names; vLLM's defaults apply if they are not given.
_PASSED = (
    "tensor_parallel_size",
    "pipeline_parallel_size",
    "gpu_memory_utilization",
    "max_num_seqs",
    "max_num_batched_tokens",
)


def require_possible(given: CheckpointSettings, model: ServedModel) -> None:
    """Rejects settings that vLLM in one process does not support.

    Args:
        given: The settings.
        model: The checkpoint.

    Raises:
        ConfigurationError: There is such a setting.
        DeviceError: There are fewer GPUs than requested.
    """
    servers = f"engine={SERVER},base_url=http://HOST:PORT"
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigurationError(
            f"engine={VLLM} in each of several processes would start vLLM several times on the "
            "same GPUs. Start one process, without accelerate launch or torchrun, with "
            f"tensor_parallel_size; or start servers, and use {servers}."
        )
    if (given.data_parallel_size or 1) > 1:
        name = model.checkpoint.name
        raise ConfigurationError(
            f"data_parallel_size={given.data_parallel_size}: vLLM runs one replica of a model per "
            f"process. Serve all replicas at one address with `vllm serve {name} "
            f"--data-parallel-size {given.data_parallel_size}`, or start several servers, and use "
            f"{servers}."
        )
    _require_no_batches(given)
    across, along = given.tensor_parallel_size or 1, given.pipeline_parallel_size or 1
    gpus = torch.cuda.device_count()
    if gpus and across * along > gpus:
        raise DeviceError(
            f"tensor_parallel_size={across} and pipeline_parallel_size={along} need "
            f"{across * along} GPUs, but there {'is' if gpus == 1 else 'are'} {gpus} here. Use "
            "smaller sizes, or start vLLM over several machines (`vllm serve` with Ray) and use "
            f"{servers}."
        )
    config = model.checkpoint.config
    for setting, size, parts, what in (
        ("tensor_parallel_size", across, "num_attention_heads", "attention heads"),
        ("pipeline_parallel_size", along, "num_hidden_layers", "layers"),
    ):
        there = getattr(config, parts, None)
        splits = there is None or (there % size == 0 if what != "layers" else size <= there)
        if not splits:
            raise ConfigurationError(
                f"{setting}={size}: {model.checkpoint.name} has {there} {what}, which cannot be "
                "split evenly. Use a divisor."
            )


def _require_no_batches(given: CheckpointSettings) -> None:
    # lm-eval's default batch_size=1 was not given by the user, and auto leaves it to the engine.
    of_texts = {"batch_size": given.batch_size, "max_batch_size": given.max_batch_size}
    texts = {n: v for n, v in of_texts.items() if v is not None and str(v) == str(given.max_texts)}
    tokens = {"max_batch_tokens": given.max_batch_tokens}
    for batches, instead in ((texts, "max_num_seqs"), (tokens, "max_num_batched_tokens")):
        for name, value in batches.items():
            if value is not None:
                raise ConfigurationError(
                    f"{name}={value} is a setting of engine={TORCH}; engine={VLLM} makes its own "
                    f"batches. Remove it, or set {instead}={value}."
                )


def engine_arguments(
    model: ServedModel, given: CheckpointSettings, as_served: VllmModel
) -> dict[str, Any]:
    """The arguments of `vllm.LLM`; all that rewards depend on are set explicitly.

    Args:
        model: The checkpoint.
        given: The settings.
        as_served: How vLLM is told to read the checkpoint.
    """
    checkpoint = model.checkpoint
    passed = {name: getattr(given, name) for name in _PASSED}
    return {
        "model": checkpoint.name,
        "revision": checkpoint.commit or checkpoint.revision,
        "config_format": "hf",
        "trust_remote_code": False,
        "runner": "pooling",
        **({} if as_served.convert is None else {"convert": as_served.convert}),
        "dtype": model.dtype,
        "max_model_len": model.max_length,
        "hf_overrides": dict(as_served.overrides),
        "enforce_eager": given.enforce_eager,
        **{name: value for name, value in passed.items() if value is not None},
    }
