"""Results files as the harness writes them, for boards: of any model on any tasks."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STAMP = "2026-03-04T05-06-07.890123"


@dataclass(frozen=True)
class OfTask:
    """What a run says about a task.

    Attributes:
        acc: Its accuracy.
        n: Its number of documents.
        stderr: The standard error; that of a share of n if left out, "N/A" for none.
        digest: The digest of its documents.
        figures: Further figures, or others in the place of `acc`.
        metadata: Further metadata of the task.
        kwargs: The arguments with which it reads its data.
    """

    acc: float = 0.75
    n: int = 400
    stderr: float | str | None = None
    digest: str | None = "d1"
    figures: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    kwargs: Mapping[str, Any] | None = None


def results_of(
    model: str,
    tasks: Mapping[str, OfTask],
    *,
    groups: Mapping[str, tuple[float, tuple[str, ...]]] | None = None,
    config: Mapping[str, Any] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """A results file's content.

    Args:
        model: What the run calls the model.
        tasks: What it says about each task.
        groups: Each group's accuracy and members.
        config: Changes of the configuration.
        **changes: Changes of the content.
    """
    groups = groups or {}
    members = {name: list(of_group) for name, (_, of_group) in groups.items()}
    figures = {name: _figures(name, one) for name, one in tasks.items()}
    figures |= {
        name: {"alias": name, "acc,none": acc, "acc_stderr,none": 0.01}
        for name, (acc, _) in groups.items()
    }
    return {
        "results": figures,
        "group_subtasks": members,
        "configs": {
            name: {
                "task": name,
                "dataset_kwargs": one.kwargs,
                "metadata": {
                    "version": 1.0,
                    **({} if one.digest is None else {"data_digest": one.digest}),
                    **one.metadata,
                },
            }
            for name, one in tasks.items()
        },
        "versions": dict.fromkeys(tasks, 1.0),
        "n-shot": dict.fromkeys(tasks, 0),
        "n-samples": {n: {"original": one.n, "effective": one.n} for n, one in tasks.items()},
        "higher_is_better": {
            name: {"acc": True, "margin": True, "nll": False, "tie_rate": False}
            for name in (*tasks, *groups)
        },
        "config": {
            "model": "ultrarm",
            "judge": "ultrarm",
            "pretrained": model,
            "template": "ultrarm",
            "dtype": "float32",
            "limit": None,
            **(config or {}),
        },
        "date": 1772600767.5,
        "lm_eval_version": "0.4.13",
        "transformers_version": "5.23.0",
        **changes,
    }


def write_results(
    folder: Path, content: Mapping[str, Any] | str | bytes, *, stamp: str = STAMP
) -> Path:
    """Writes a results file; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"results_{stamp}.json"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, encoding="utf-8")
    return path


def write_many(folder: Path, rows: int, tasks: int, *, metrics: int = 4) -> Path:
    """Writes runs of many models on many tasks; the folder."""
    for row in range(rows):
        of_row = {
            f"suite_{chr(97 + t % 26)}{t:02d}": OfTask(
                acc=round(0.5 + 0.45 * abs(math.sin(1.7 * row + 0.3 * t)), 4),
                n=300 + 50 * t,
                figures={f"margin_{m}": round(math.cos(row + m), 4) for m in range(metrics - 1)},
            )
            for t in range(tasks)
        }
        changes = {} if row % 17 else {"config": {"limit": 50}}
        model = f"org-{row % 23}/reward-model-{row:04d}"
        write_results(folder / f"run{row:04d}", results_of(model, of_row, **changes))
    return folder


def _figures(name: str, one: OfTask) -> dict[str, Any]:
    stderr = math.sqrt(one.acc * (1 - one.acc) / one.n) if one.stderr is None else one.stderr
    accuracy = {"acc,none": one.acc, "acc_stderr,none": stderr}
    more = {key if "," in key else f"{key},none": value for key, value in one.figures.items()}
    return {"alias": name, "sample_len": one.n, **accuracy, **more}
