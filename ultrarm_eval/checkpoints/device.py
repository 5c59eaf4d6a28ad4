"""Chooses the device, and checks that the weights fit into its memory."""

from __future__ import annotations

import torch

from ultrarm_eval.errors import DeviceError

_GIB = 1024**3


def resolve_device(requested: str | None) -> torch.device:
    """Finds the device to compute on.

    Args:
        requested: A torch device name, or None for the first GPU if there is one, else the CPU.

    Raises:
        DeviceError: The device does not exist.
    """
    if requested is None:
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(requested)
    except (RuntimeError, TypeError) as error:
        raise DeviceError(f"Unknown device {requested!r}. Use cpu, mps, cuda or cuda:N.") from error
    if device.type == "cuda":
        return _resolve_cuda(requested, device)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("The device 'mps' is not available here. Use device=cpu.")
    if device.type not in {"cpu", "mps"}:
        raise DeviceError(
            f"The device {requested!r} is not supported. Use cpu, mps, cuda or cuda:N."
        )
    return device


def _resolve_cuda(requested: str, device: torch.device) -> torch.device:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    index = device.index or 0
    if index < count:
        return torch.device("cuda", index)
    present = f"cuda:0 to cuda:{count - 1}" if count else "none"
    raise DeviceError(
        f"The device {requested!r} does not exist. CUDA devices here: {present}. Use one of them, "
        "or device=cpu."
    )


def check_memory(
    needed_bytes: int,
    device: torch.device,
    *,
    parallelize: bool,
    dtype: torch.dtype,
    is_quantized: bool = False,
) -> None:
    """Rejects weights that do not fit, before anything is loaded.

    Args:
        needed_bytes: Size of the weights in the dtype they are loaded in.
        device: Where they go.
        parallelize: Whether they may be spread over all GPUs and the CPU.
        dtype: The dtype they are loaded in.
        is_quantized: Whether most of them need less memory than in that dtype.

    Raises:
        DeviceError: There is less memory than the weights alone need.
    """
    free = _free_everywhere(device, parallelize=parallelize)
    if needed_bytes <= free:
        return
    half = needed_bytes * torch.bfloat16.itemsize // dtype.itemsize
    remedies = []
    if not is_quantized and half < needed_bytes and half <= free:
        remedies.append(f"dtype=bfloat16 ({half / _GIB:.1f} GiB)")
    if not parallelize and needed_bytes <= _free_everywhere(device, parallelize=True):
        remedies.append("parallelize=True (distributes the weights over all GPUs and the CPU)")
    remedies.append("a device with more memory")
    where = "all devices together have" if parallelize else f"{device} has"
    raise DeviceError(
        f"The weights need {needed_bytes / _GIB:.1f} GiB, but {where} only {free / _GIB:.1f} GiB "
        f"free. Use {' or '.join(remedies)}."
    )


def free_bytes(device: torch.device) -> int:
    """Memory that is free on a device; the host's for a CPU."""
    if device.type != "cuda":
        import psutil

        return int(psutil.virtual_memory().available)
    # torch caches freed memory, which is free for torch as well.
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0]) + kept


def _free_everywhere(device: torch.device, *, parallelize: bool) -> int:
    if not parallelize:
        return free_bytes(device)
    gpus = sum(torch.cuda.mem_get_info(i)[0] for i in range(torch.cuda.device_count()))
    return free_bytes(torch.device("cpu")) + gpus
