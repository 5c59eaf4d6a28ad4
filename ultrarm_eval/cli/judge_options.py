"""The options for a command's judge and its settings: the same in every command.

`--judge NAME` is a registered judge, `--pretrained DIR` its checkpoint, and every other option is
one of its settings, with the same names as in lm_eval's `--model_args` and in `load_judge`. If no
judge is named, the checkpoint decides. Until the next release older spellings are accepted with a
warning: `--kind NAME` for `--judge NAME`, and `--judge DIR` for `--pretrained DIR`.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ultrarm_eval.errors import ConfigurationError, unknown_choice
from ultrarm_eval.judges import AUTO_JUDGE
from ultrarm_eval.known_settings import known_settings
from ultrarm_eval.setting import Setting

if TYPE_CHECKING:
    from ultrarm_eval.judges.base import Judge
    from ultrarm_eval.judges.checkpoint_judge import CheckpointJudge

logger = logging.getLogger(__name__)


# The parser checks the values of these; for others the judge's error suggests the closest.
_REFUSED_AT_ONCE = ("special_tokens", "system")
_ENGINE = ("engine", "base_url", "protocol", "served_model")
_TEXTS = ("template", "special_tokens", "system", "dtype", "device", "max_length")
#: Settings with their own option: for commands that show single texts, that score, and that look
#: into batches.
SHOWING = ("revision", *_TEXTS)
SCORING = ("revision", *_TEXTS, "batch_size", "score_store", *_ENGINE)
BATCHING = (
    "revision",
    *_TEXTS,
    "batch_size",
    "max_batch_tokens",
    "batching",
    "attn_implementation",
    "quantization",
    "parity",
    "parallelize",
    "torch_compile",
    *_ENGINE,
)


@dataclass(frozen=True)
class JudgeChoice:
    """The judge given on a command line.

    Attributes:
        kind: The name it is registered under.
        pretrained: Its checkpoint; None for a judge without weights.
        settings: The other settings that are given.
    """

    kind: str
    pretrained: str | None
    settings: Mapping[str, Any]

    def make(self, **other: Any) -> Judge:
        """Makes the judge without loading its weights.

        Args:
            **other: Settings that override the given ones.

        Raises:
            UltrarmEvalError: The judge does not exist, or a setting cannot be used.
        """
        from ultrarm_eval.judges.loading import make_judge

        named = {} if self.pretrained is None else {"pretrained": self.pretrained}
        return make_judge(self.kind, {**named, **self.settings, **other})

    def make_batched(self, **other: Any) -> CheckpointJudge:
        """Makes a judge whose batches can be looked into, without loading its weights.

        Raises:
            ConfigurationError: It does not run a checkpoint.
            UltrarmEvalError: As `make`.
        """
        from ultrarm_eval.judges.checkpoint_judge import CheckpointJudge
        from ultrarm_eval.judges.loading import as_registered

        judge = as_registered(self.make(**other))
        if not isinstance(judge, CheckpointJudge):
            raise ConfigurationError(
                f"judge={self.kind} does not run a checkpoint, so it has no batches to look into. "
                "Name another judge with --judge."
            )
        return judge


def add_judge_options(
    command: argparse.ArgumentParser,
    settings: Sequence[str],
    *,
    needs_checkpoint: bool = False,
    is_first: bool = False,
) -> None:
    """Adds `--judge`, `--pretrained`, `--judge-args`, and an option for each given setting.

    Args:
        command: The command.
        settings: The settings' names.
        needs_checkpoint: Whether `--pretrained` is required.
        is_first: Whether the checkpoint is a positional argument instead of an option.
    """
    command.add_argument(
        "--judge",
        metavar="NAME",
        help="registered judge (default: auto, chosen by the checkpoint)",
    )
    about = "folder, hub id, or 'demo'"
    if is_first:
        command.add_argument("pretrained", metavar="CHECKPOINT", help=about)
    else:
        command.add_argument(
            "--pretrained",
            required=needs_checkpoint,
            metavar="DIR",
            help=f"checkpoint: {about} (not for judges without weights)",
        )
    command.add_argument("--kind", metavar="NAME", help="deprecated spelling of --judge")
    command.add_argument(
        "--judge-args",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another setting of the judge, such as reference=DIR for judge dpo; repeatable",
    )
    known = known_settings()
    for name in settings:
        _add_setting(command, known[name])
    command.set_defaults(judge_settings=tuple(settings))


def _add_setting(command: argparse.ArgumentParser, setting: Setting) -> None:
    if setting.kind is bool:
        command.add_argument(setting.option, action="store_true", default=None, help=setting.help)
        return
    command.add_argument(
        setting.option,
        type=setting.kind,
        choices=setting.choices if setting.name in _REFUSED_AT_ONCE else None,
        metavar=setting.metavar,
        help=setting.help,
    )


def chosen_judge(options: argparse.Namespace) -> JudgeChoice:
    """The judge that the options name.

    Raises:
        ConfigurationError: They name none, or two, or a setting twice.
    """
    choice = judge_if_any(options)
    if choice is None:
        raise _unnamed()
    return choice


def judge_if_any(options: argparse.Namespace) -> JudgeChoice | None:
    """The judge that the options name; None if they name none.

    Raises:
        ConfigurationError: They name two judges, or a setting twice, or neither a judge nor a
            checkpoint.
    """
    given = {name: getattr(options, name) for name in options.judge_settings}
    named = _named(options.judge_args)
    settings = _joined({n: v for n, v in given.items() if v is not None}, named)
    pretrained = _one("checkpoints", options.pretrained, settings.pop("pretrained", None))
    judge, pretrained = _today(options, pretrained)
    kind = _one("judges", judge, options.kind, settings.pop("judge", None))
    if kind in (None, AUTO_JUDGE):
        if pretrained is None and kind is None:
            return None
        if pretrained is None:
            raise _unnamed()
        from ultrarm_eval.judges.auto import auto_if_readable

        kind = kind or auto_if_readable(str(pretrained), settings.get("revision"))
    elif pretrained is None:
        from ultrarm_eval.judges.loading import default_checkpoint

        pretrained = default_checkpoint(str(kind))
    return JudgeChoice(str(kind), None if pretrained is None else str(pretrained), settings)


def _unnamed() -> ConfigurationError:
    return ConfigurationError(
        "No judge is named. Give a checkpoint (--pretrained DIR), or the name of a judge that "
        "needs none (--judge NAME; ultrarm-eval plugins lists them)."
    )


def _is_checkpoint(folder: Path) -> bool:
    # A plugin's source folder often has the name of its judge.
    return any((folder / name).is_file() for name in ("config.json", "adapter_config.json"))


def _today(options: argparse.Namespace, pretrained: Any) -> tuple[str | None, Any]:
    """`--judge` and `--pretrained` in today's spelling; older spellings are reported in a warning.

    Raises:
        ConfigurationError: `--judge` is not a judge, and `--pretrained` names another checkpoint.
    """
    from ultrarm_eval.judges.loading import judge_names

    judge, older = options.judge, []
    if judge is not None and (
        judge not in judge_names() or (pretrained is None and _is_checkpoint(Path(judge)))
    ):
        if pretrained not in (None, judge):
            raise unknown_choice("judge", judge, judge_names())
        older.append(f"--judge {judge} for a checkpoint (write --pretrained {judge})")
        judge, pretrained = None, judge
    if options.kind is not None:
        older.append(f"--kind {options.kind} (write --judge {options.kind})")
    if older:
        logger.warning("Deprecated spelling, removed in the next release: %s.", " and ".join(older))
    return judge, pretrained


def _one(what: str, *given: Any) -> Any:
    """The given value, even if it is given several times alike; None if there is none."""
    distinct = list(dict.fromkeys(one for one in given if one is not None))
    if len(distinct) > 1:
        raise ConfigurationError(
            f"The options name two {what}: {' and '.join(map(str, distinct))}. Use only one of "
            "them."
        )
    return distinct[0] if distinct else None


def _joined(settings: dict[str, Any], named: dict[str, Any]) -> dict[str, Any]:
    for name in settings.keys() & named.keys():
        if str(settings[name]) != str(named[name]):
            raise ConfigurationError(
                f"{known_settings()[name].option} {settings[name]} and --judge-args "
                f"{name}={named[name]} set the same setting. Use only one of them."
            )
    return {**settings, **named}


def _named(given: list[str]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for written in given:
        name, sign, value = written.partition("=")
        if not sign or not name.strip():
            raise ConfigurationError(
                f"--judge-args {written}: write NAME=VALUE, and repeat the option for more "
                "settings."
            )
        if name.strip() in named:
            raise ConfigurationError(f"--judge-args {written}: {name.strip()} is given twice.")
        named[name.strip()] = _value(value)
    return named


def _value(written: str) -> Any:
    """A number, true, false or null as in JSON; otherwise the text itself."""
    try:
        return json.loads(written)
    except (ValueError, RecursionError):
        return written
