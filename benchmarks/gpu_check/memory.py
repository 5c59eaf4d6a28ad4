"""Memory that is really taken, so that a batch meets the limit of a full device."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

GIB = 1024**3
# What torch's allocator takes from a card at once.
_LEAST_HELD = 2 * 1024**2


@contextmanager
def only_free(device: torch.device, free: int) -> Iterator[None]:
    """Leaves so many bytes free on a device.

    On a card all but these are allocated. On a CPU the process's address space is limited, which
    torch's allocator meets as it meets a machine whose memory is full.

    Args:
        device: The device.
        free: Bytes.
    """
    if device.type == "cuda":
        held = _taken(device, free)
        try:
            yield
        finally:
            held.clear()
            torch.cuda.empty_cache()
        return
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + free, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@contextmanager
def held_by_another_process(device: torch.device, size: int) -> Iterator[None]:
    """Has a process of its own hold so many bytes of a card.

    Args:
        device: The card.
        size: Bytes.

    Raises:
        RuntimeError: That process cannot take them.
    """
    code = (
        "import sys, torch\n"
        f"held = torch.ones({size}, dtype=torch.uint8, device={str(device)!r})\n"
        "torch.cuda.synchronize()\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        if process.stdout is None or process.stdout.readline().strip() != "held":
            raise RuntimeError(f"Another process could not take {size / GIB:.1f} GiB of {device}.")
        yield
    finally:
        # At the end of its input it ends.
        process.communicate(timeout=30)


def _taken(device: torch.device, free: int) -> list[torch.Tensor]:
    """Tensors that leave so many bytes of a card free, of which none need be in one piece."""
    torch.cuda.empty_cache()
    held: list[torch.Tensor] = []
    size = int(torch.cuda.mem_get_info(device)[0]) - free
    while size >= _LEAST_HELD:
        try:
            held.append(torch.empty(size, dtype=torch.uint8, device=device))
        except torch.OutOfMemoryError:
            size //= 2
            continue
        size = min(size, int(torch.cuda.mem_get_info(device)[0]) - free)
    return held


def allocated(device: torch.device) -> int | None:
    """Bytes of living tensors on a card; None on a CPU, where nobody counts them."""
    return torch.cuda.memory_allocated(device) if device.type == "cuda" else None


def _address_space() -> int:
    """Bytes of the process's address space."""
    import psutil

    return int(psutil.Process().memory_info().vms)
