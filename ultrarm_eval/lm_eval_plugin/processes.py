"""Data-parallel runs: `accelerate launch --num_processes K -m lm_eval ...`.

The harness distributes the documents to the processes and gathers their results; a model only
provides the process's rank and the collectives. These are methods of the model since 0.4.12, and of
its `accelerator` before.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable
from typing import Any

from ultrarm_eval.errors import DeviceError
from ultrarm_eval.judges.base import Judge

logger = logging.getLogger(__name__)

_HARNESS_DEFAULT = "cuda:0"


class JudgeCounts:
    """Counts of the texts that a judge scored, in this process and in all processes.

    Attributes:
        requests: The model's counts; the judge's own counts are in its settings.
    """

    def __init__(self, judge: Judge) -> None:
        """Starts with nothing counted."""
        self.requests = {"texts": 0, "distinct_texts": 0}
        self._judge = judge
        # Of each process, once they have met.
        self._known: list[tuple[dict[str, int], float]] = []

    def gather(self, accelerator: Any) -> None:
        """Gathers the counts of every process on the first one, which writes the results."""
        self._known = gather_object(accelerator, self._own(), 0) or self._known

    def counts(self) -> dict[str, int]:
        """The counts, added up."""
        total = Counter[str]()
        for counts, _ in self._known or [self._own()]:
            total.update(counts)
        return dict(total)

    def seconds(self) -> float:
        """The scoring time of the slowest process."""
        return max(seconds for _, seconds in self._known or [self._own()])

    def _own(self) -> tuple[dict[str, int], float]:
        settings = self._judge.settings()
        # The judge is asked once for each text, and may find that some have the same tokens.
        of_judge = {k: v for k, v in settings.get("counts", {}).items() if k != "texts"}
        return {**self.requests, **of_judge}, float(settings.get("scoring_seconds") or 0.0)


def join_processes(at_barrier: Callable[[], None]) -> Any | None:
    """The accelerator of a process in a multi-process run; None in a single process.

    Args:
        at_barrier: Called in every process whenever all of them wait for each other. Only then can
            values be exchanged without deadlock, because the harness sends no requests to a process
            whose responses are all cached.

    Raises:
        DeviceError: The started processes are not connected to each other.
    """
    started = int(os.environ.get("WORLD_SIZE", "1"))
    if started <= 1:
        return None
    import transformers
    from accelerate import Accelerator

    class MeetingAccelerator(Accelerator):  # type: ignore[misc, unused-ignore]
        """Reports the barrier, which the harness's releases up to 0.4.11 call here."""

        def wait_for_everyone(self) -> None:
            super().wait_for_everyone()
            at_barrier()

    accelerator = MeetingAccelerator()
    if accelerator.num_processes != started:
        raise DeviceError(
            f"{started} processes were started, but accelerate connects only "
            f"{accelerator.num_processes}, so each would score everything. Start them with "
            "accelerate launch; on CPUs set ACCELERATE_USE_CPU=true."
        )
    if not accelerator.is_main_process:
        # Also the bars of downloads; those of the harness are its own matter.
        transformers.utils.logging.disable_progress_bar()
    return accelerator


def device_of_process(requested: str | None, accelerator: Any | None) -> str | None:
    """The device of this process: its own GPU, unless the run requests another type of device.

    The harness's default device is `cuda:0`, wherever it runs. It cannot be told from an explicit
    request, so without a GPU it means the CPU.
    """
    if accelerator is not None and accelerator.device.type == "cuda":
        own = f"cuda:{accelerator.local_process_index}"
        return own if requested in {None, "cuda", _HARNESS_DEFAULT} else requested
    if requested == _HARNESS_DEFAULT:
        import torch

        if not torch.cuda.is_available():
            logger.warning("No CUDA device found: computing on the CPU instead of %s.", requested)
            return "cpu"
    return requested


def gather_object(accelerator: Any, value: Any, destination: int) -> list[Any] | None:
    """Gathers a picklable value of every process, in order of rank.

    Returns:
        The values on the process `destination`, None on the others.
    """
    import torch.distributed

    is_destination = accelerator.process_index == destination
    values: list[Any] | None = [None] * accelerator.num_processes if is_destination else None
    torch.distributed.gather_object(obj=value, object_gather_list=values, dst=destination)
    return values
