"""The judge from the arguments of a scorer or a task, as given with `-S` and `-T`.

inspect_ai reads every value as YAML and splits texts at commas. A value gets the type that the
option of `ultrarm-eval` has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ultrarm_eval.errors import ConfigurationError, closest, unknown_choice
from ultrarm_eval.known_settings import known_settings

if TYPE_CHECKING:
    from ultrarm_eval.inspect_plugin.scoring_queue import ScoringQueue


def scoring_queue(
    judge: object,
    kind: object,
    judge_args: object,
    settings: Mapping[str, Any],
    arguments: Sequence[str],
) -> ScoringQueue:
    """The queue of the judge that the arguments name; its weights are not loaded yet.

    Args:
        judge: A checkpoint: a folder, a hub id, or `demo`; or the name of a judge without weights.
        kind: The judge's registered name; None to let the checkpoint decide.
        judge_args: Settings whose names are also arguments of the scorer, as a mapping.
        settings: All other settings, by name.
        arguments: The names of the scorer's or task's own arguments, to suggest corrections.

    Raises:
        UltrarmEvalError: The judge or a setting cannot be used.
    """
    from ultrarm_eval.inspect_plugin.scoring_queue import queue_of
    from ultrarm_eval.judges.shared_judges import shared_judge

    checkpoint = as_text("judge", judge)
    if not checkpoint:
        raise ConfigurationError(
            "No judge is named. Give judge=DIR (a checkpoint: folder, hub id or demo), or the "
            "name of a judge without weights."
        )
    try:
        return queue_of(shared_judge(checkpoint, judge_settings(kind, judge_args, settings)))
    except ConfigurationError as error:
        # Everything that is not an argument arrives here as a setting of the judge.
        for name in settings:
            if name not in known_settings() and closest(name, arguments):
                raise unknown_choice(
                    "argument", name, arguments, otherwise="or a setting of the judge"
                ) from error
        raise


def judge_settings(kind: object, judge_args: object, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a judge, for `shared_judge`.

    Args:
        kind: The judge's registered name, or None.
        judge_args: Further settings, a mapping or None.
        settings: Settings by name; None means not given.

    Raises:
        ConfigurationError: A setting is given twice, or has a value of the wrong type.
    """
    if judge_args is not None and not isinstance(judge_args, Mapping):
        raise ConfigurationError(
            f"judge_args={judge_args!r}: give the judge's settings by name, for example "
            "judge_args='{reference: DIR}'."
        )
    given: dict[str, Any] = {"judge": kind, **settings}
    for name, value in (judge_args or {}).items():
        if given.get(name) is not None:
            said = "kind" if name == "judge" else name
            raise ConfigurationError(
                f"{said} and judge_args both set {name}. Use only one of them."
            )
        given[str(name)] = value
    return {name: _typed(name, value) for name, value in given.items() if value is not None}


def as_text(name: str, value: object) -> str | None:
    """A string that YAML may have read as another type; None if it is not given.

    Raises:
        ConfigurationError: YAML read it as true, false or a mapping.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return ",".join(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise ConfigurationError(
        f"{name}={value!r} is not a string. YAML reads yes, no, on, off, true and false as "
        f"""booleans, and {{...}} as a mapping: quote the string, for example '{name}="no"'."""
    )


def _typed(name: str, value: Any) -> Any:
    setting = known_settings().get(name)
    if setting is not None and setting.kind is str:
        return as_text(name, value)
    if setting is not None and setting.kind in (int, float) and isinstance(value, str):
        try:
            return setting.kind(value)
        except ValueError:
            raise ConfigurationError(f"{name}={value!r} is not a number. Give a number.") from None
    return value
