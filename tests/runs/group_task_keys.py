"""Runs as lm-eval 0.5 names their tasks, made of runs as 0.4 wrote them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

_BY_KEY = ("configs", "versions", "n-shot", "higher_is_better", "n-samples", "task_hashes")


def as_next(source: Path, folder: Path) -> Path:
    """The runs of a folder with each member of a group under `group::task`; the new folder.

    A task of two groups is there twice, as the harness evaluates it twice. Of nested groups a task
    has the name of the one that lists it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.glob("results_*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        stamp = path.stem.removeprefix("results_")
        groups = {name: of for name, of in content.get("group_subtasks", {}).items() if of}
        keys = {
            name: [f"{group}::{name}" for group, members in groups.items() if name in members]
            or [name]
            for name in content["results"]
            if name not in groups
        }
        _rename(content, groups, keys)
        for name, renamed in keys.items():
            samples = source / f"samples_{name}_{stamp}.jsonl"
            for key in renamed if samples.is_file() else ():
                shutil.copyfile(samples, folder / f"samples_{key}_{stamp}.jsonl")
        (folder / path.name).write_text(json.dumps(content), encoding="utf-8")
    return folder


def _rename(
    content: dict[str, Any], groups: dict[str, list[str]], keys: dict[str, list[str]]
) -> None:
    configs = content.get("configs", {})
    for name, renamed in keys.items():
        configs.setdefault(name, {})["task"] = name
        for of_each in (content["results"], *(content.get(part, {}) for part in _BY_KEY)):
            if name in of_each and renamed != [name]:
                value = of_each.pop(name)
                of_each.update(dict.fromkeys(renamed, value))
    content["group_subtasks"] = {
        group: [f"{group}::{one}" if one in keys else one for one in members]
        for group, members in groups.items()
    }
    content["lm_eval_version"] = "0.5.0.dev1"
