"""The one file of a check: what each step found, on the disk as soon as it is known.

It imports nothing but the standard library, so that it can say that the rest is missing.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gpu_check.steps import STEPS

FORMAT = 1
#: Why a step that was not reached has no outcome.
NOT_REACHED = "it was not reached"
OUTCOMES = {True: "passed", False: "FAILED", None: "not run"}
#: The most that a table shows of a reason.
_MOST_SHOWN = 150


class Record:
    """The file, read and replaced as a whole at each change: a killed process loses nothing."""

    def __init__(self, path: Path) -> None:
        """Takes the file; `begin` writes it anew."""
        self.path = path

    def begin(self, names: Iterable[str], settings: Mapping[str, Any]) -> None:
        """Writes the file with every step, those that were not asked for included.

        Args:
            names: The steps that will be run.
            settings: What was asked for.
        """
        chosen = set(names)
        steps: dict[str, dict[str, Any]] = {
            step.name: {
                "title": step.title,
                "passed": None,
                "reason": NOT_REACHED if step.name in chosen else "it was not asked for",
                "limit_s": None,
                "seconds": None,
                "summary": "",
                "figures": {},
            }
            for step in STEPS
        }
        self._write({"format": FORMAT, **settings, "passed": None, "steps": steps})

    def read(self) -> dict[str, Any]:
        """All that was written so far."""
        found: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
        return found

    def note(self, name: str, figures: Mapping[str, Any]) -> None:
        """Adds figures to a step's."""
        whole = self.read()
        whole["steps"][name]["figures"].update(figures)
        self._write(whole)

    def set(self, name: str, **fields: Any) -> None:
        """Replaces fields of a step."""
        whole = self.read()
        whole["steps"][name].update(fields)
        self._write(whole)

    def end(self, seconds: float) -> bool:
        """Writes the outcome of the whole: passed if nothing failed and nothing lacked time."""
        whole = self.read()
        steps = whole["steps"].values()
        failed = any(step["passed"] is False for step in steps)
        # A step that cannot be run here says why; one that was never begun lacked time.
        lacking = any(step["reason"] == NOT_REACHED for step in steps)
        whole |= {"passed": not failed and not lacking, "seconds": seconds}
        self._write(whole)
        return bool(whole["passed"])

    def _write(self, whole: Mapping[str, Any]) -> None:
        beside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        beside.write_text(
            json.dumps(_finite(whole), indent=2, allow_nan=False) + "\n", encoding="utf-8"
        )
        beside.replace(self.path)


def as_table(whole: Mapping[str, Any]) -> str:
    """The outcomes as a short Markdown table."""
    lines = ["| step | | seconds | |", "|---|---|---|---|"]
    for name, step in whole["steps"].items():
        seconds = "-" if step["seconds"] is None else f"{step['seconds']:.0f}"
        said = "; ".join(part for part in (step["reason"], step["summary"]) if part)
        said = said.replace("|", "/").replace("\n", " ")
        if len(said) > _MOST_SHOWN:
            said = f"{said[:_MOST_SHOWN]} ..."
        lines.append(f"| {name} | {OUTCOMES[step['passed']]} | {seconds} | {said} |")
    return "\n".join(lines) + "\n"


def _finite(value: Any) -> Any:
    """A value as JSON has it, which knows no infinity and nothing that is no number."""
    if isinstance(value, Mapping):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
