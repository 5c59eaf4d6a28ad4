"""Judges shared by the parts of a harness: equal settings give the same judge."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.judges.base import Judge, judge_name, statement
from ultrarm_eval.judges.loading import (
    default_checkpoint,
    is_without_weights,
    judge_names,
    make_judge,
)


def shared_judge(pretrained: str, judge_args: Mapping[str, Any] | None = None) -> Judge:
    """The judge for a checkpoint and settings, made once per process.

    Its weights are loaded with the first text it scores, after the model under evaluation has
    written all of its answers.

    Args:
        pretrained: A folder, a hub id, or `demo`; or the name of a registered judge.
        judge_args: Settings of the judge; `judge` names its type, which is found from the
            checkpoint by default.

    Raises:
        UltrarmEvalError: The judge or a setting cannot be used.
    """
    settings = {**(judge_args or {}), "pretrained": pretrained}
    try:
        written = json.dumps(settings, sort_keys=True)
    except TypeError as error:
        raise ConfigurationError(
            f"judge_args must be numbers, strings, true or false, not {dict(judge_args or {})!r} "
            f"({error})."
        ) from error
    return _made(written)


def judge_facts(judge: Judge) -> dict[str, Any]:
    """What results store about a judge: its name, settings, engine and fingerprint."""
    return {
        "name": judge_name(judge),
        **judge.settings(),
        **statement(judge),
        "fingerprint": judge.fingerprint(),
    }


@cache
def _made(written: str) -> Judge:
    settings = json.loads(written)
    named, kind = settings["pretrained"], settings.pop("judge", None)
    if kind is None and named in judge_names() and not Path(named).is_dir():
        kind, settings["pretrained"] = named, default_checkpoint(named)
    if kind is not None and is_without_weights(kind, settings["pretrained"]):
        del settings["pretrained"]
    if not kind:
        # Imports torch and transformers, which the filters of a run without a judge do not need.
        from ultrarm_eval.judges.auto import auto_if_readable

        kind = auto_if_readable(named, settings.get("revision"))
    return make_judge(kind, settings, offered={"device": _device_of_process()})


def _device_of_process() -> str | None:
    """This process's own GPU if several processes were started, else the GPU with the most free
    memory.

    None leaves the choice to the judge.
    """
    import torch

    gpus = torch.cuda.device_count()
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        rank = os.environ.get("LOCAL_RANK")
        return None if rank is None or int(rank) >= gpus else f"cuda:{rank}"
    if gpus < 2:
        return None
    # The model under evaluation is on one of them already.
    return f"cuda:{max(range(gpus), key=lambda gpu: torch.cuda.mem_get_info(gpu)[0])}"
