"""Making a judge from its name and settings."""

from __future__ import annotations

import inspect
from typing import Any

from ultrarm_eval.errors import ConfigurationError, unknown_choice
from ultrarm_eval.judges import AUTO_JUDGE, DEFAULT_CHECKPOINT, DEFAULT_JUDGE
from ultrarm_eval.judges.adapters import refuse_adapter_setting
from ultrarm_eval.judges.base import Judge
from ultrarm_eval.plugins import registry

_ANY, _MANY = inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL


def make_judge(
    judge: str, settings: dict[str, Any], offered: dict[str, Any] | None = None
) -> Judge:
    """Makes a judge without loading its weights.

    Args:
        judge: The name it is registered under.
        settings: What the user set.
        offered: What the surroundings offer (device, batch size); passed where the judge takes it.

    Raises:
        ConfigurationError: No such judge, or a setting it does not have.
    """
    factory = registry().judge(judge)
    names = _settings_of(factory)
    if names is not None or judge == AUTO_JUDGE:
        refuse_adapter_setting(settings.keys() - (names or set()))
    if names is None:
        return factory(**{**(offered or {}), **settings})
    for name in settings:
        if name not in names:
            raise unknown_choice(f"setting of judge {judge!r}:", name, names)
    taken = {name: value for name, value in (offered or {}).items() if name in names}
    return factory(**{**taken, **settings})


def load_judge(
    pretrained: str | None = None, *, judge: str = DEFAULT_JUDGE, **settings: Any
) -> Judge:
    """Loads a judge, ready to score.

    Args:
        pretrained: A folder, a hub id, or `demo`; the judge's own default if None.
        judge: The judge's name.
        **settings: The judge's settings; for `ultrarm` see `UltraRMJudge`.

    Returns:
        The judge; `judge.score(prompts, completions)` gives one reward each.

    Raises:
        UltrarmEvalError: The judge, its checkpoint, its device or a setting cannot be used.
    """
    if pretrained is not None:
        settings["pretrained"] = pretrained
    made = make_judge(judge, settings)
    load = getattr(made, "load", None)
    if callable(load):
        load()
    return made


def default_checkpoint(judge: str) -> str | None:
    """The checkpoint of a judge whose user named none; None if the judge wants one named."""
    default: str | None = getattr(registry().judge(judge), "default_checkpoint", DEFAULT_CHECKPOINT)
    return default


def _settings_of(factory: Any) -> set[str] | None:
    """Names of the settings a factory takes; None if it takes any."""
    initialisers = [factory]
    if isinstance(factory, type):
        # A judge that adds settings to another's hands the rest on to it.
        initialisers += [vars(k)["__init__"] for k in factory.__mro__[1:] if "__init__" in vars(k)]
    names: set[str] = set()
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
    return None
