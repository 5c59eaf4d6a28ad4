"""All settings that judges of this package accept or report, and those that rewards depend on."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType

from ultrarm_eval.engine_settings import EngineSettings
from ultrarm_eval.judge_settings import (
    CritiqueSettings,
    LikelihoodSettings,
    NamedHeadSettings,
    NormalizeSettings,
    PreferenceSettings,
    ProcessSettings,
    TokenLogitSettings,
)
from ultrarm_eval.setting import Setting, settings_in
from ultrarm_eval.settings import CheckpointSettings

#: The settings classes of the judges of this package.
SETTINGS_CLASSES = (
    CheckpointSettings,
    LikelihoodSettings,
    PreferenceSettings,
    CritiqueSettings,
    ProcessSettings,
    NormalizeSettings,
    NamedHeadSettings,
    TokenLogitSettings,
)

# What judges of this package report in addition to their settings: before all settings, after
# `peft_revision`, after `max_length`, and after all settings.
_NAME = Setting("judge", str, identifies=True, label="judge", is_brief=True, is_given=False)
_OF_ADAPTERS = (
    Setting("base", str, identifies=True, label="base model of the adapter", is_given=False),
    Setting("base_revision", str, identifies=True, label="base_revision", is_given=False),
)
_OF_TEXTS = (
    Setting("truncation", str, identifies=True, label="truncation", is_given=False),
    Setting("appends_eos", bool, identifies=True, label="appends_eos", is_given=False),
)
_OF_COMPUTING = (
    Setting("engine_version", str, label="version of the engine", is_given=False),
    Setting("recommended_max_length", dict, label="recommended max_length", is_given=False),
    Setting("parameters", int, label="parameters", is_given=False),
    Setting("weights_digest", str, label="weights (SHA-256 or commit)", is_given=False),
    Setting("counts", dict, label="counts", is_given=False),
    Setting("scoring_seconds", float, label="seconds of model computation", is_given=False),
)


@functools.cache
def known_settings() -> Mapping[str, Setting]:
    """All settings that judges of this package accept or report, by name."""
    listed, of_engines = [_NAME], settings_in(EngineSettings)
    for setting in settings_in(CheckpointSettings).values():
        if setting.name in of_engines:
            continue
        listed += [setting, *(_OF_TEXTS if setting.name == "max_length" else ())]
        listed += _OF_ADAPTERS if setting.name == "peft_revision" else ()
    for settings_class in SETTINGS_CLASSES[1:]:
        listed += [
            one for one in settings_in(settings_class).values() if one.name not in of_engines
        ]
    listed += of_engines.values()
    return MappingProxyType({setting.name: setting for setting in (*listed, *_OF_COMPUTING)})


def identifying(*, given: bool = False) -> list[str]:
    """Names of the settings that rewards of this package's judges depend on, in label order.

    Args:
        given: Only those that a user can set.
    """
    return [s.name for s in known_settings().values() if s.identifies and (s.is_given or not given)]
