"""Which judge a command uses, and its settings: the same options in every command.

`--judge NAME` is a registered judge, `--pretrained DIR` its checkpoint, and every other option one
setting of it; these are the words of lm_eval's `--model_args` and of `load_judge`, too. Where no
judge is named, the checkpoint says which one takes it. Until the next release the older spellings
are read as well, with a warning: `--kind NAME` for `--judge NAME`, and `--judge DIR` for
`--pretrained DIR`.
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


# The parser knows the values of these; of others the judge says which is the closest.
_REFUSED_AT_ONCE = ("special_tokens", "system")
_ENGINE = ("engine", "base_url", "protocol", "served_model")
_TEXTS = ("template", "special_tokens", "system", "dtype", "device", "max_length")
#: Settings with an option of their own: of commands that show single texts, that score, and that
#: look into batches.
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
    """The judge that a command line names.

    Attributes:
        kind: The name it is registered under.
        pretrained: Its checkpoint; None for a judge without one.
        settings: Its further settings, those that are given.
    """

    kind: str
    pretrained: str | None
    settings: Mapping[str, Any]

    def make(self, **other: Any) -> Judge:
        """Makes the judge without loading its weights.

        Args:
            **other: Settings that replace the given ones.

        Raises:
            UltrarmEvalError: There is no such judge, or a setting cannot be used.
        """
        from ultrarm_eval.judges.loading import make_judge

        named = {} if self.pretrained is None else {"pretrained": self.pretrained}
        return make_judge(self.kind, {**named, **self.settings, **other})

    def make_batched(self, **other: Any) -> CheckpointJudge:
        """Makes a judge whose batches can be looked into, without loading its weights.

        Raises:
            ConfigurationError: It runs no checkpoint.
            UltrarmEvalError: As `make`.
        """
        from ultrarm_eval.judges.checkpoint_judge import CheckpointJudge
        from ultrarm_eval.judges.loading import as_registered

        judge = as_registered(self.make(**other))
        if not isinstance(judge, CheckpointJudge):
            raise ConfigurationError(
                f"judge={self.kind} runs no checkpoint of its own, so there are no batches to look "
                "into."
            )
        return judge


def add_judge_options(
    command: argparse.ArgumentParser,
    settings: Sequence[str],
    *,
    needs_checkpoint: bool = False,
    is_first: bool = False,
) -> None:
    """Adds `--judge`, `--pretrained`, `--judge-args`, and an option for each of some settings.

    Args:
        command: The command.
        settings: The settings' names.
        needs_checkpoint: Whether `--pretrained` has to be given.
        is_first: Whether the checkpoint is the command's argument and not an option.
    """
    command.add_argument(
        "--judge",
        metavar="NAME",
        help="registered judge (default: auto, what the checkpoint says it is)",
    )
    about = "folder, hub id, or 'demo'"
    if is_first:
        command.add_argument("pretrained", metavar="CHECKPOINT", help=about)
    else:
        command.add_argument(
            "--pretrained",
            required=needs_checkpoint,
            metavar="DIR",
            help=f"checkpoint: {about}; not for judges without weights",
        )
    command.add_argument("--kind", metavar="NAME", help="older spelling of --judge")
    command.add_argument(
        "--judge-args",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a further setting of the judge, such as reference=DIR of dpo; repeatable",
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
        ConfigurationError: They name two, or a setting twice, or leave it to a checkpoint that they
            do not name.
    """
    given = {name: getattr(options, name) for name in options.judge_settings}
    named = _named(options.judge_args)
    settings = _joined({n: v for n, v in given.items() if v is not None}, named)
    pretrained = _one("checkpoints", options.pretrained, settings.pop("pretrained", None))
    judge, pretrained = _today(options, pretrained)
    kind = _one("kinds of judge", judge, options.kind, settings.pop("judge", None))
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
        "No judge is named: give its checkpoint, --pretrained DIR, or the name of a judge that "
        "needs none, --judge NAME (ultrarm-eval plugins lists them)."
    )


def _today(options: argparse.Namespace, pretrained: Any) -> tuple[str | None, Any]:
    """`--judge` and `--pretrained` as they are written today; a warning names older spellings.

    Raises:
        ConfigurationError: `--judge` is no judge, and `--pretrained` names another checkpoint.
    """
    from ultrarm_eval.judges.loading import judge_names

    judge, older = options.judge, []
    if judge is not None and (
        judge not in judge_names() or (pretrained is None and Path(judge).is_dir())
    ):
        if pretrained not in (None, judge):
            raise unknown_choice("judge", judge, judge_names())
        older.append(f"--judge {judge} for a checkpoint (write --pretrained {judge})")
        judge, pretrained = None, judge
    if options.kind is not None:
        older.append(f"--kind {options.kind} (write --judge {options.kind})")
    if older:
        logger.warning("Older spelling, which the next release refuses: %s.", " and ".join(older))
    return judge, pretrained


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
                f"{known_settings()[name].option} {settings[name]} and --judge-args "
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
