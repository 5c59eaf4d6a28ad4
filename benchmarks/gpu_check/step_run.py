"""One step being run: its device, its time, and what it found so far."""

from __future__ import annotations

import importlib
import importlib.util
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from gpu_check.record import Record
from gpu_check.steps import Step

if TYPE_CHECKING:
    import torch

# Without these nothing can be computed.
REQUIRED = ("numpy", "torch", "transformers", "safetensors", "accelerate", "psutil", "pluggy")


def is_installed(module: str) -> bool:
    """Whether a module is there; it is not imported."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        # A part of a package that is not there.
        return False


class NotRunError(Exception):
    """A step cannot be run here, for a reason that is no fault of what it looks at."""


class StepRun:
    """What a step is given, and where it says what it found.

    Attributes:
        shape: `13b`, or `tiny` for a dry run.
        device_name: The device's name.
    """

    def __init__(
        self, step: Step, record: Record, *, device: str, shape: str, seconds: float
    ) -> None:
        """Prepares a run; its time begins now.

        Args:
            step: The step.
            record: Where it is written down.
            device: The device's name.
            shape: The shape of the large model.
            seconds: The time it has.
        """
        self.device_name, self.shape = device, shape
        self._step, self._record = step, record
        self._started, self._seconds = time.monotonic(), seconds
        self._failures: list[str] = []

    @property
    def device(self) -> torch.device:
        """The device, as the package resolves it."""
        from ultrarm_eval.checkpoints.device import resolve_device

        return resolve_device(self.device_name)

    @property
    def is_on_card(self) -> bool:
        """Whether it runs on a card."""
        return self.device_name.startswith("cuda")

    @property
    def seconds_left(self) -> float:
        """How much of its time is left."""
        return self._started + self._seconds - time.monotonic()

    def note(self, **figures: Any) -> None:
        """Writes figures down at once."""
        self._record.note(self._step.name, figures)

    def summarise(self, summary: str) -> None:
        """Sets what the table shows of the step."""
        self._record.set(self._step.name, summary=summary)

    def require(self, holds: bool, what: str) -> None:
        """Goes on either way, so that every figure is seen; the step fails where it is false."""
        if not holds:
            self._failures.append(what)

    @staticmethod
    def leave_out(reason: str) -> NoReturn:
        """Ends a step that cannot be run here."""
        raise NotRunError(reason)

    def carry_out(self) -> bool:
        """Runs the step, and writes down how it went; False if it failed."""
        passed: bool | None
        told: dict[str, Any] = {}
        try:
            self._require_modules()
            self._check()(self)
        except NotRunError as error:
            passed, reason = None, str(error)
        except Exception as error:
            # Whatever it is, the other steps go on, and this one's figures stay.
            passed, reason = False, f"{type(error).__name__}: {error}"
            told["traceback"] = traceback.format_exc()
        else:
            passed, reason = not self._failures, "; ".join(self._failures)
        if passed is not False and self._failures:
            passed, reason = False, "; ".join([*self._failures, reason])
        seconds = time.monotonic() - self._started
        self._record.set(
            self._step.name, passed=passed, reason=reason or None, seconds=seconds, **told
        )
        return passed is not False

    def _require_modules(self) -> None:
        names = [*REQUIRED, *self._step.needs]
        missing = [name for name in names if not is_installed(name)]
        # The first step says itself what is missing.
        if missing and self._step.name != "environment":
            self.leave_out(f"not installed: {', '.join(missing)}")

    def _check(self) -> Callable[[StepRun], None]:
        module, _, function = self._step.where.partition(":")
        found: Callable[[StepRun], None] = getattr(importlib.import_module(module), function)
        return found
