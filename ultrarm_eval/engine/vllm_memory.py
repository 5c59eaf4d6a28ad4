"""Checks whether the memory that vLLM reserves is free."""

from __future__ import annotations

import logging
import math
import os
from dataclasses import dataclass

import torch

from ultrarm_eval.engine.served_model import ServedModel
from ultrarm_eval.engine_settings import SERVER
from ultrarm_eval.errors import DeviceError
from ultrarm_eval.settings import CheckpointSettings

logger = logging.getLogger(__name__)

_GIB = 1024**3
# GPU memory left free in a proposed value: CUDA's own memory, and fluctuations.
_MARGIN = 0.03
# Below this a process has no model on the GPU, only CUDA's own memory.
_NO_MODEL = _GIB // 4
# vLLM's variable for the memory of its caches on CPUs, in GiB.
_CPU_CACHE = "VLLM_CPU_KVCACHE_SPACE"


@dataclass(frozen=True)
class GpuMemory:
    """The memory of a GPU, in bytes.

    Attributes:
        number: Its number among those that this process sees.
        total: All of it.
        free: Memory that no process uses.
        own: Memory that models of this process use.
    """

    number: int
    total: int
    free: int
    own: int = 0


def warn_beside_evaluated_model(model: ServedModel, given: CheckpointSettings) -> None:
    """Checks early whether vLLM fits next to a model of this process.

    A judge is made before the model under evaluation writes its answers, and started after that.

    Args:
        model: The checkpoint.
        given: The settings.

    Raises:
        DeviceError: The requested fraction is not free.
    """
    if not _uses_gpus():
        return
    memory = _memory(given)
    if max(one.own for one in memory) < _NO_MODEL:
        return
    share = given.gpu_memory_utilization
    if share is not None:
        require_share(share, memory, _weights(model, given))
    logger.warning("%s", said_beside(memory, share))


def require_room(model: ServedModel, given: CheckpointSettings) -> None:
    """Logs the memory that vLLM will reserve, and fails if it is not free.

    Args:
        model: The checkpoint.
        given: The settings.

    Raises:
        DeviceError: There is less memory than it reserves, or than the weights need.
    """
    if torch.cuda.device_count() == 0:
        _say_of_cpu(given)
        return
    if _uses_gpus():
        # Memory cached by torch in this process is not free for another.
        torch.cuda.empty_cache()
    share = given.gpu_memory_utilization
    if share is None:
        from vllm import EngineArgs

        share = float(EngineArgs.gpu_memory_utilization)
    memory = _memory(given)
    logger.info("%s", said_of_share(share, memory))
    require_share(share, memory, _weights(model, given))


def said_of_share(share: float, memory: list[GpuMemory]) -> str:
    """The memory of each GPU that vLLM reserves, in a line."""
    each = ", ".join(
        f"cuda:{one.number} {share * one.total / _GIB:.1f} of {one.total / _GIB:.1f} GiB "
        f"({one.free / _GIB:.1f} free)"
        for one in memory
    )
    return f"vLLM reserves gpu_memory_utilization={share:g} of each GPU: {each}."


def said_beside(memory: list[GpuMemory], share: float | None) -> str:
    """Advice if a model of this process is on a GPU that vLLM uses."""
    held = ", ".join(f"{one.own / _GIB:.1f} GiB of cuda:{one.number}" for one in memory if one.own)
    to_set = "" if share is not None else f"Set gpu_memory_utilization={_proposed(memory):g}: "
    return (
        f"A model of this process uses {held}, and vLLM will start on the same GPU after that "
        f"model has written its answers. {to_set}The fraction of GPU memory that vLLM "
        f"reserves must be free then. Or start a server on another GPU, and use engine={SERVER}."
    )


def require_share(share: float, memory: list[GpuMemory], weights: int) -> None:
    """Fails if a fraction of the GPUs is not free, or the weights do not fit into it.

    Args:
        share: The fraction of each GPU, from 0 to 1.
        memory: The memory of each GPU.
        weights: Bytes of the weights on each.

    Raises:
        DeviceError: The memory is not sufficient.
    """
    for one in memory:
        where = f"cuda:{one.number} ({one.total / _GIB:.1f} GiB)"
        proposed = _proposed([one])
        if weights > proposed * one.total:
            raise DeviceError(
                f"The weights need {weights / _GIB:.1f} GiB of {where}, but only "
                f"{one.free / _GIB:.1f} GiB are free. Split them over more GPUs "
                "(tensor_parallel_size), use dtype=bfloat16, or start a server on other GPUs and "
                f"use engine={SERVER}."
            )
        if share * one.total > one.free:
            raise DeviceError(
                f"gpu_memory_utilization={share:g} is {share * one.total / _GIB:.1f} GiB of "
                f"{where}, but only {one.free / _GIB:.1f} GiB are free. Set "
                f"gpu_memory_utilization={proposed:g}."
            )
        if weights > share * one.total:
            raise DeviceError(
                f"The weights need {weights / _GIB:.1f} GiB, but gpu_memory_utilization={share:g} "
                f"is only {share * one.total / _GIB:.1f} GiB of {where}. Set a larger value, up "
                f"to {proposed:g}."
            )


def _proposed(memory: list[GpuMemory]) -> float:
    """The free fraction of every GPU, with a margin, rounded to hundredths."""
    shares = [one.free / one.total - _MARGIN for one in memory]
    return max(0, math.floor(min(shares) * 100)) / 100


def _weights(model: ServedModel, given: CheckpointSettings) -> int:
    """Bytes of the weights on each GPU."""
    parts = (given.tensor_parallel_size or 1) * (given.pipeline_parallel_size or 1)
    return model.checkpoint.weight_bytes(getattr(torch, model.dtype)) // parts


def _memory(given: CheckpointSettings) -> list[GpuMemory]:
    """The memory of the GPUs that vLLM uses: the first ones that this process sees."""
    parts = (given.tensor_parallel_size or 1) * (given.pipeline_parallel_size or 1)
    found = []
    for number in range(parts):
        free, total = torch.cuda.mem_get_info(number)
        found.append(GpuMemory(number, total, free, torch.cuda.memory_reserved(number)))
    return found


def _uses_gpus() -> bool:
    """Whether this process has used a GPU; querying its memory would initialize it."""
    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]


def _say_of_cpu(given: CheckpointSettings) -> None:
    import psutil

    total = psutil.virtual_memory().total
    cache = os.environ.get(_CPU_CACHE)
    if cache:
        logger.info("vLLM computes on the CPU; its cache uses %s GiB (%s).", cache, _CPU_CACHE)
        return
    share = given.gpu_memory_utilization
    logger.info(
        "vLLM computes on the CPU and reserves %s of %.1f GiB of memory. Set the environment "
        "variable %s=GiB to reserve less.",
        "most" if share is None else f"gpu_memory_utilization={share:g}",
        total / _GIB,
        _CPU_CACHE,
    )
