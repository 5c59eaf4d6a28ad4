"""`ultrarm-eval inspect-checkpoint`: what a checkpoint is, and how its reward is computed."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Mapping
from typing import Any

from ultrarm_eval.cli.judge_options import SHOWING, add_judge_options, chosen_judge
from ultrarm_eval.terminal import aligned, printable

_REFUSED = 1
_SETTINGS = (*(name for name in SHOWING if name != "device"), "quantization")


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    command.description = (
        "Shows what a checkpoint is, which judge supports it, how the reward is computed, and what "
        "is missing, without loading the weights. The exit status is 1 if no judge supports the "
        "checkpoint."
    )
    add_judge_options(command, _SETTINGS, is_first=True)
    command.add_argument(
        "--format",
        choices=["text", "json"],
        default="text",
        help="text for a terminal, json for scripts (default: %(default)s)",
    )
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from ultrarm_eval.judges.inspection import inspect_checkpoint

    choice = chosen_judge(options)
    found = inspect_checkpoint(str(choice.pretrained), judge=choice.kind, **choice.settings)
    if options.format == "json":
        sys.stdout.write(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(_as_text(found, choice.settings) + "\n")
    return _REFUSED if "refused" in found else 0


def _as_text(found: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    classes = ", ".join(found["classes"]) or "no class given"
    lines = {
        "checkpoint": found["checkpoint"],
        "family": f"{found['family'] or 'unknown'} ({classes})",
    }
    if found.get("adapter"):
        lines["adapter"] = f"{found['adapter']} (LoRA) on {found['base']}"
    if found.get("quantized"):
        lines["stored"] = f"quantized, {found['quantized']}"
    if "refused" in found:
        if "judge" in found:
            lines["judge"] = found["judge"]
        return aligned([*lines.items(), ("refused", found["refused"])], texts=(0, 1))
    lines |= {
        "judge": f"{found['judge']}: {found['kind']}",
        "reward": found["reward"],
        "head": "; ".join(f"{name} {shape}" for name, shape in found["head"].items()) or "none",
        "size": f"{found['parameters']:,} parameters, {found['layers']} layers of "
        f"{found['hidden_size']:,}",
        "memory": f"stored as {found['dtype']}; weights need "
        + ", ".join(f"{_size(size)} in {dtype}" for dtype, size in found["weight_bytes"].items()),
        "template": found["template"]
        + ("" if found["has_chat_template"] else "; the tokenizer has no chat template"),
        "example": printable(found["text"]),
        **({"read at": " and ".join(found["read_at"])} if found["read_at"] else {}),
        "BOS": found["bos"] or "none",
        "padding": (found["padding"] or "no pad token in config.json")
        + (
            f"; the reward is read before any {found['unread_padding']} at the end of a text"
            if found["unread_padding"]
            else ""
        ),
        "max_length": f"{found['max_length']:,} tokens ({_positions(found['positions'])})",
    }
    own = {name: value for name, value in found["settings"].items() if value is not None}
    if own:
        lines["settings"] = ", ".join(f"{name}={value}" for name, value in own.items())
    lines["run it"] = _command(found, settings)
    return aligned(list(lines.items()), texts=(0, 1))


def _size(count: int) -> str:
    return f"{count / 1024**3:,.1f} GiB" if count >= 1024**3 else f"{count / 1024**2:,.1f} MiB"


def _positions(positions: int | None) -> str:
    return "no position limit" if positions is None else f"{positions:,} positions"


def _command(found: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    given = {"pretrained": found["checkpoint"], "judge": found["judge"], **settings}
    named = ",".join(f"{name}={value}" for name, value in given.items())
    return f"lm_eval --model reward-model --model_args {shlex.quote(named)} --tasks rewardbench2"
