"""The tables of settings: of every judge, of engines, and of single judges."""

from __future__ import annotations

from docs_tables.judges import own_judges
from docs_tables.markdown import code, codes, table
from ultrarm_eval.setting import Setting, settings_in
from ultrarm_eval.settings import CheckpointSettings, engine_settings_table, settings_table

__all__ = ["engine_settings_table", "judge_settings_table", "settings_table"]


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
