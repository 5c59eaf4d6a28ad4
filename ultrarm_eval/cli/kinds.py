"""Which judge a command uses, and its settings."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ultrarm_eval.errors import ConfigurationError, unknown_choice
from ultrarm_eval.judges import AUTO_JUDGE

_SETTINGS = (
    "revision",
    "template",
    "special_tokens",
    "system",
    "dtype",
    "device",
    "max_length",
    "batch_size",
    "score_store",
)


def add_judge_options(command: argparse.ArgumentParser) -> None:
    """Adds the options of a command that scores: which judge, and its settings."""
    command.add_argument(
        "--judge",
        metavar="NAME|DIR",
        help="registered judge, or a checkpoint (default: auto, what the checkpoint says it is)",
    )
    command.add_argument(
        "--pretrained",
        metavar="DIR",
        help="checkpoint: folder, hub id, or 'demo'; not for judges without weights",
    )
    add_kind(command)
    command.add_argument("--revision", help="hub revision of the checkpoint")
    command.add_argument("--template", help="how prompt and completion become one text")
    command.add_argument("--special-tokens", choices=["text", "parse"])
    command.add_argument(
        "--system",
        choices=["error", "fold", "drop"],
        help="a system turn: as it is, put before the user's turn, or left out",
    )
    command.add_argument("--dtype", help="auto, float32, bfloat16 or float16")
    command.add_argument("--device", help="cpu, cuda, cuda:N (default: first GPU, else CPU)")
    command.add_argument("--max-length", type=int, help="most tokens of a text")
    command.add_argument("--batch-size", help="most texts at once, or auto")
    command.add_argument(
        "--score-store",
        metavar="FILE",
        help="keeps every reward there as it comes: a run that is started again goes on",
    )


def add_kind(command: argparse.ArgumentParser) -> None:
    """Adds `--kind` and `--judge-args`."""
    command.add_argument("--kind", help="kind of judge (default: what it is, or ultrarm)")
    command.add_argument(
        "--judge-args",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a further setting of the judge, such as reference=DIR of dpo; repeatable",
    )


def chosen_judge(options: argparse.Namespace) -> tuple[str | None, dict[str, Any]]:
    """The checkpoint of the judge that the options name, and its settings with its kind.

    `--judge` is a registered judge or a checkpoint; a folder goes before a judge of its name.

    Args:
        options: The command line.

    Returns:
        The checkpoint, None for a judge without one; the settings, `judge` among them.

    Raises:
        ConfigurationError: No judge is named, or two, or a setting twice.
    """
    given = {name: getattr(options, name) for name in _SETTINGS}
    settings = {name: value for name, value in given.items() if value is not None}
    named = _named(options.judge_args)
    pretrained = _one("checkpoints", options.pretrained, named.pop("pretrained", None))
    word, kind = options.judge, None
    if word is not None and _is_kind(word, options.pretrained):
        kind = word
    elif word is not None and pretrained not in (None, word):
        from ultrarm_eval.judges.loading import judge_names

        raise unknown_choice("judge", word, judge_names())
    elif word is not None:
        pretrained = word
    kind = _one("kinds of judge", kind, options.kind, named.pop("judge", None))
    settings = _joined(settings, named)
    if kind is None or kind == AUTO_JUDGE:
        if pretrained is None:
            raise ConfigurationError(
                "No judge is named: give its checkpoint, --pretrained DIR, or the name of a judge "
                "that needs none, --judge NAME (ultrarm-eval plugins lists them)."
            )
        from ultrarm_eval.judges.auto import auto_if_readable

        kind = kind or auto_if_readable(str(pretrained), settings.get("revision"))
    elif pretrained is None:
        from ultrarm_eval.judges.loading import default_checkpoint

        pretrained = default_checkpoint(str(kind))
    return None if pretrained is None else str(pretrained), {**settings, "judge": str(kind)}


def with_kind(
    options: argparse.Namespace, pretrained: str, settings: dict[str, Any]
) -> dict[str, Any]:
    """A judge's settings with its kind among them.

    Args:
        options: The command line.
        pretrained: The judge's checkpoint, which says its kind where the user does not.
        settings: The settings that have an option of their own.

    Raises:
        ConfigurationError: A setting is not written NAME=VALUE, or is given twice.
    """
    from ultrarm_eval.judges.auto import auto_if_readable

    named = _named(options.judge_args)
    kind = _one("kinds of judge", options.kind, named.pop("judge", None))
    kind = kind or auto_if_readable(pretrained, options.revision)
    return {**_joined(settings, named), "judge": kind}


def _is_kind(word: str, pretrained: str | None) -> bool:
    """Whether `--judge` names a registered judge, and not a checkpoint."""
    from ultrarm_eval.judges.loading import judge_names

    return word in judge_names() and (pretrained is not None or not Path(word).is_dir())


def _one(what: str, *given: Any) -> Any:
    """What is given, once or several times alike; None if it is not."""
    distinct = list(dict.fromkeys(one for one in given if one is not None))
    if len(distinct) > 1:
        raise ConfigurationError(
            f"The options name two {what}: {' and '.join(map(str, distinct))}. Leave one of them "
            "out."
        )
    return distinct[0] if distinct else None


def _joined(settings: dict[str, Any], named: dict[str, Any]) -> dict[str, Any]:
    for name in settings.keys() & named.keys():
        if str(settings[name]) != str(named[name]):
            raise ConfigurationError(
                f"--{name.replace('_', '-')} {settings[name]} and --judge-args "
                f"{name}={named[name]} are two values of one setting. Leave one of them out."
            )
    return {**settings, **named}


def _named(given: list[str]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for written in given:
        name, sign, value = written.partition("=")
        if not sign or not name.strip():
            raise ConfigurationError(
                f"--judge-args {written}: write NAME=VALUE, and repeat the option for more."
            )
        if name.strip() in named:
            raise ConfigurationError(f"--judge-args {written}: {name.strip()} is given twice.")
        named[name.strip()] = _value(value)
    return named


def _value(written: str) -> Any:
    """A number, true, false or null as in JSON; else the text."""
    try:
        return json.loads(written)
    except (ValueError, RecursionError):
        return written
