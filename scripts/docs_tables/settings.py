"""The tables of settings: of every judge, of engines, and of single judges."""

from __future__ import annotations

from docs_tables.judges import own_judges
from docs_tables.markdown import code, codes, table
from ultrarm_eval.engine_settings import EngineSettings
from ultrarm_eval.setting import AUTO, Setting, settings_in
from ultrarm_eval.settings import CheckpointSettings

# Settings that are explained together share a row.
_TOGETHER = {"batch_size": ("batch_size", "max_batch_tokens")}


def settings_table() -> str:
    """The settings of every judge that reads a checkpoint."""
    of_engines = settings_in(EngineSettings)
    return table(
        ("setting", "values (default first)"),
        (
            (codes(_TOGETHER.get(name, (name,))), one.values)
            for name, one in settings_in(CheckpointSettings).items()
            if one.values and name not in of_engines
        ),
    )


def engine_settings_table() -> str:
    """The settings of engines, with the engines that have them."""
    return table(
        ("setting", "engine", "values (default first)"),
        (
            (code(one.name), ", ".join(one.engines) or "all", _engine_values(one))
            for one in settings_in(EngineSettings).values()
        ),
    )


def _engine_values(setting: Setting) -> str:
    if setting.choices or setting.default in (None, False, AUTO):
        return setting.values
    return f"{code(str(setting.default))}: {setting.values}"


def judge_settings_table() -> str:
    """The settings that only one judge has."""
    common = settings_in(CheckpointSettings)
    return table(
        ("judge", "setting", "default", "what it is"),
        (
            (code(name), code(one.name), default(one), _about(one))
            for name, judge in own_judges()
            for one in settings_in(judge.settings_class).values()
            if one.name not in common
        ),
    )


def default(setting: Setting) -> str:
    """A setting's default as code; nothing where it has none."""
    return "" if setting.default is None else code(str(setting.default))


def _about(setting: Setting) -> str:
    """Its help, with the values that the help does not name."""
    unsaid = [choice for choice in setting.choices if choice not in setting.help]
    return f"{setting.help}: {codes(setting.choices)}" if unsaid else setting.help
