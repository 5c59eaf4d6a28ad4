"""The machine: card, driver, versions, what is missing, and whether products are right."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gpu_check.step_run import REQUIRED, StepRun, is_installed

if TYPE_CHECKING:
    import torch

# What the package can do without, here.
_OPTIONAL = (
    "triton",
    "flash_attn",
    "bitsandbytes",
    "kernels",
    "sentencepiece",
    "google.protobuf",
    "tokenizers",
    "datasets",
    "lm_eval",
)
_ASKED = "name,driver_version,memory.total,memory.used,clocks.max.sm,power.limit,mig.mode.current"
_GIB = 1024**3
_WIDTH = 512
# Relative to the sum of the products' absolute values. TF32 keeps ten bits, float32 23.
_FLOAT32_ERROR = 1e-6


def check(run: StepRun) -> None:
    """Notes what there is, and requires a device that multiplies rightly."""
    missing = [name for name in REQUIRED if not is_installed(name)]
    run.note(
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        cores=os.cpu_count(),
        versions={name: _version(name) for name in (*REQUIRED, *_OPTIONAL)},
        missing=missing,
        compilers={name: shutil.which(name) is not None for name in ("gcc", "g++", "nvcc")},
        nvidia_smi=_nvidia_smi(),
    )
    run.require(not missing, f"not installed: {', '.join(missing)}")
    if missing:
        return
    import torch

    from ultrarm_eval.checkpoints.device import free_bytes

    device = run.device
    error = _float32_error(device)
    run.note(
        cuda=torch.version.cuda,
        free_gib=free_bytes(device) / _GIB,
        float32_products=torch.get_float32_matmul_precision(),
        float32_error=error,
    )
    name = "a CPU"
    if run.is_on_card:
        found = torch.cuda.get_device_properties(device)
        name = found.name
        run.note(
            card=found.name,
            capability=f"{found.major}.{found.minor}",
            multiprocessors=found.multi_processor_count,
            memory_gib=found.total_memory / _GIB,
            cards=torch.cuda.device_count(),
            cudnn=torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
            bfloat16=torch.cuda.is_bf16_supported(),
        )
    run.require(error <= _FLOAT32_ERROR, f"a float32 product is {error:.1g} off: no float32")
    run.summarise(
        f"{name}, {free_bytes(device) / _GIB:.0f} GiB free, torch {torch.__version__}, "
        f"transformers {_version('transformers')}"
    )


def _version(module: str) -> str | None:
    """The version of an installed package; None where it is not there."""
    if not is_installed(module):
        return None
    try:
        return importlib.metadata.version(module.rpartition(".")[2])
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _nvidia_smi() -> dict[str, Any] | None:
    """What the driver says of the cards; None where there is none."""
    path = shutil.which("nvidia-smi")
    if path is None:
        return None
    cards = _lines([path, f"--query-gpu={_ASKED}", "--format=csv,noheader"])
    others = _lines([path, "--query-compute-apps=pid,used_memory", "--format=csv,noheader"])
    return {"asked": _ASKED, "cards": cards, "processes_before": others}


def _lines(command: Sequence[str]) -> list[str]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)  # noqa: S603
    return (done.stdout or done.stderr).strip().splitlines()


def _float32_error(device: torch.device) -> float:
    """How far a float32 product is off, relative to what rounding may do."""
    import torch

    draw = torch.Generator().manual_seed(0)
    left, right = (torch.randn(_WIDTH, _WIDTH, generator=draw) for _ in range(2))
    found = (left.to(device) @ right.to(device)).cpu().double()
    scale = left.double().abs() @ right.double().abs()
    return float(((found - left.double() @ right.double()).abs() / scale).max())
