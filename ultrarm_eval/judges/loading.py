"""Makes a judge from its name and settings."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Collection
from typing import Any, cast

from ultrarm_eval.engine_settings import ENGINES
from ultrarm_eval.errors import (
    ConfigurationError,
    PluginError,
    UltrarmEvalError,
    first_line,
)
from ultrarm_eval.judges import AUTO_JUDGE, DEFAULT_CHECKPOINT, DEFAULT_JUDGE
from ultrarm_eval.judges.base import Judge, TokenJudge
from ultrarm_eval.judges.plugin_judge import PluginJudge
from ultrarm_eval.plugins import registry
from ultrarm_eval.setting import settings_in
from ultrarm_eval.settings import CheckpointSettings, require_known

logger = logging.getLogger(__name__)

_ANY, _MANY = inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL


def make_judge(
    judge: str, settings: dict[str, Any], offered: dict[str, Any] | None = None
) -> Judge:
    """Makes a judge without loading its weights.

    Args:
        judge: The name it is registered under.
        settings: The user's settings.
        offered: The caller's defaults (device, batch size); passed if the judge has such a
            setting.

    Raises:
        ConfigurationError: No such judge, or a setting it does not have.
        PluginError: Another package's judge cannot be made, or is not a judge.
    """
    plugins = registry()
    factory = plugins.judge(judge)
    names = _settings_of(factory)
    taken = dict(offered or {})
    if names is not None:
        _require_settings(settings, names, judge)
        taken = {name: value for name, value in taken.items() if name in names}
        if settings.get("engine") in ENGINES:
            taken = _for_engine(taken, str(settings["engine"]))
    if plugins.is_ours(judge):
        return factory(**{**taken, **settings})
    who = plugins.described_judge(judge)
    try:
        made = factory(**{**taken, **settings})
    except UltrarmEvalError:
        raise
    except Exception as error:
        raise PluginError(f"{who} cannot be made: {first_line(error)}") from error
    return PluginJudge(made, who, names or ())


def _for_engine(offered: dict[str, Any], engine: str) -> dict[str, Any]:
    """The caller's defaults, without settings that the user's engine does not have.

    lm-eval sets a device by default, which looks like one that the user set.
    """
    known, taken = settings_in(CheckpointSettings), {}
    for name, value in offered.items():
        engines = known[name].engines if name in known else ()
        if engine in engines or not engines:
            taken[name] = value
        elif value is not None:
            logger.info(
                "Ignoring %s=%s, a setting of engine=%s: engine=%s chooses its own devices.",
                name,
                value,
                "|".join(engines),
                engine,
            )
    return taken


def _require_settings(given: Collection[str], names: Collection[str], judge: str) -> None:
    """Rejects settings that a judge does not have, and names the judges that have them."""
    try:
        require_known(given, names, judge)
    except ConfigurationError as error:
        name = next(one for one in given if one not in names)
        others = [
            other
            for other in registry().judges
            if registry().is_ours(other) and takes_setting(other, name)
        ]
        others.remove(AUTO_JUDGE)
        if not others:
            raise
        raise ConfigurationError(
            f"{error} {name} is a setting of judge={'|'.join(others)}."
        ) from None


def judge_names() -> Collection[str]:
    """The registered names of judges."""
    return registry().judges.keys()


def is_without_weights(judge: str, pretrained: str | None) -> bool:
    """Whether a judge has no checkpoint setting, and no checkpoint other than the default is named.

    Raises:
        ConfigurationError: No such judge.
    """
    is_named = pretrained not in (None, DEFAULT_CHECKPOINT)
    return not is_named and not (pretrained and takes_setting(judge, "pretrained"))


def takes_setting(judge: str, name: str) -> bool:
    """Whether a judge has a setting.

    Raises:
        ConfigurationError: No such judge.
    """
    names = _settings_of(registry().judge(judge))
    return names is None or name in names


def load_judge(
    pretrained: str | None = None, *, judge: str | None = None, **settings: Any
) -> Judge:
    """Loads a judge that is ready to score.

    Args:
        pretrained: A folder, a hub id, or `demo`; the judge's own default if None.
        judge: The judge's name. If None, the checkpoint decides (`auto`), as in the commands;
            without a checkpoint it is `ultrarm` with UltraRM's published checkpoint.
        **settings: The judge's settings; for `ultrarm` see `UltraRMJudge`.

    Returns:
        The judge; `judge.score(prompts, completions)` gives one reward each.

    Raises:
        UltrarmEvalError: The judge, its checkpoint, its device or a setting cannot be used.
    """
    if pretrained is not None:
        settings["pretrained"] = pretrained
    if judge is None:
        judge = default_judge(pretrained, settings.get("revision"))
    made = make_judge(judge, settings)
    load_weights(made)
    return as_registered(made)


def default_judge(pretrained: str | None, revision: str | None) -> str:
    """The judge if the user names none: `auto`, or `ultrarm` without a readable checkpoint."""
    from ultrarm_eval.judges.auto import auto_if_readable

    return DEFAULT_JUDGE if pretrained is None else auto_if_readable(str(pretrained), revision)


def as_registered(judge: Judge) -> Judge:
    """A judge as its package made it; `make_judge` wraps judges of other packages."""
    return judge.judge if isinstance(judge, PluginJudge) else judge


def load_weights(judge: Judge) -> None:
    """Loads what a judge would otherwise load with its first text, if it has a `load` method."""
    load = getattr(judge, "load", None)
    if callable(load):
        load()


def default_checkpoint(judge: str) -> str | None:
    """The default checkpoint of a judge; None if it has none."""
    plugins = registry()
    factory = plugins.judge(judge)
    otherwise = DEFAULT_CHECKPOINT if plugins.is_ours(judge) else None
    default: str | None = getattr(factory, "default_checkpoint", otherwise)
    return default


def require_token_judge(judge: Judge, name: str) -> TokenJudge:
    """The judge, if it gives rewards after each token.

    Args:
        judge: Any judge.
        name: Its name for the user.

    Raises:
        ConfigurationError: It has no method `rewards_after_tokens`.
    """
    if not callable(getattr(judge, "rewards_after_tokens", None)):
        raise no_token_rewards(name, "it has no method rewards_after_tokens(prompt, completion)")
    return cast(TokenJudge, judge)


def no_token_rewards(name: str, why: str) -> ConfigurationError:
    """The error for a judge that gives no rewards after each token.

    Args:
        name: The judge's name for the user.
        why: Why it cannot.
    """
    return ConfigurationError(
        f"judge={name} gives no rewards after each token: {why}. Judges that do: "
        f"{', '.join(one for one in token_judges() if one != name)}."
    )


def token_judges() -> list[str]:
    """The judges of this package that give rewards after each token."""
    plugins = registry()
    own = [name for name in sorted(plugins.judges) if plugins.is_ours(name)]
    return [name for name in own if getattr(plugins.judge(name), "gives_token_rewards", False)]


def _settings_of(factory: Any) -> set[str] | None:
    """Names of the settings that a factory accepts; None if it accepts any."""
    declared = getattr(factory, "settings_class", None)
    names: set[str] = set()
    initialisers = [factory]
    if isinstance(factory, type):
        # A judge that extends another one passes the remaining settings on to it. Judges of this
        # package declare their settings; their other parameters are not settings.
        others = [
            base
            for base in factory.__mro__[1:]
            if declared is None or not base.__module__.startswith("ultrarm_eval.")
        ]
        initialisers += [vars(base)["__init__"] for base in others if "__init__" in vars(base)]
    for initialiser in initialisers:
        try:
            parameters = inspect.signature(initialiser).parameters.values()
        except (TypeError, ValueError) as error:
            raise ConfigurationError(
                f"{factory!r} cannot be inspected for its settings."
            ) from error
        kinds = {p.name: p.kind for p in parameters}
        names |= {n for n, kind in kinds.items() if kind not in (_ANY, _MANY)}
        if _ANY not in kinds.values():
            return names - {"self"}
    # Only declared settings are passed on to one of our judges.
    return None if declared is None else {*settings_in(declared), *names} - {"self"}
