"""The judges that a harness's parts name: those that name the same one share it."""

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
    """The judge for a checkpoint and settings, made once in a process.

    Its weights are loaded with the first text it scores: after the model under evaluation has
    written all of its answers.

    Args:
        pretrained: A folder, a hub id, or `demo`; or the name of a registered judge.
        judge_args: Settings of the judge; `judge` names its kind, which is otherwise what the
            checkpoint says it is.

    Raises:
        UltrarmEvalError: The judge or a setting cannot be used.
    """
    settings = {**(judge_args or {}), "pretrained": pretrained}
    try:
        written = json.dumps(settings, sort_keys=True)
    except TypeError as error:
        raise ConfigurationError(
            f"judge_args are numbers, texts and true or false: {dict(judge_args or {})!r} "
            f"({error})."
        ) from error
    return _made(written)


def judge_facts(judge: Judge) -> dict[str, Any]:
    """What results say of a judge: its name, settings, engine and fingerprint."""
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
        # With torch and transformers' classes, which the filters of a run without a judge do not
        # need.
        from ultrarm_eval.judges.auto import auto_if_readable

        kind = auto_if_readable(named, settings.get("revision"))
    return make_judge(kind, settings, offered={"device": _device_of_process()})


def _device_of_process() -> str | None:
    """This process's own GPU where several were started, else the one with most memory free.

    None leaves it to the judge.
    """
    import torch

    gpus = torch.cuda.device_count()
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        rank = os.environ.get("LOCAL_RANK")
        return None if rank is None or int(rank) >= gpus else f"cuda:{rank}"
    if gpus < 2:
        return None
    # The model under evaluation lies on one of them already.
    return f"cuda:{max(range(gpus), key=lambda gpu: torch.cuda.mem_get_info(gpu)[0])}"
