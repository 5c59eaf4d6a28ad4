"""Declares a setting as a field of a settings class, and checks its values.

A declaration contains everything about a setting: its default, the values it can have, its text in
`--help` and in the documentation, and whether rewards depend on it (`identifies`) or it describes
how and where they are computed (`describes`). Constructors, options, errors, labels of pages and
exported metadata are made from these declarations.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ultrarm_eval.errors import ConfigurationError, unknown_choice

AUTO = "auto"

_METADATA = "setting"


@dataclass(frozen=True)
class Setting:
    """Everything known about a setting.

    Attributes:
        name: Its name in `--model_args`, in Python and in results.
        kind: The type of its values: `str`, `int`, `float` or `bool`.
        default: The value if the user gives none; None leaves the choice to the judge.
        help: What it is, in one line.
        values: Its values, as the documentation explains them, the default first.
        choices: The allowed values; empty if they cannot be listed.
        identifies: Whether rewards depend on it.
        label: Its name on pages.
        is_brief: Whether one-line notes mention it.
        is_given: Whether a user can set it; otherwise judges report it.
        metavar: The placeholder of its value in `--help`.
        engines: The engines that have it; all engines if empty.
    """

    name: str
    kind: type
    default: Any = None
    help: str = ""
    values: str = ""
    choices: tuple[str, ...] = ()
    identifies: bool = False
    label: str = ""
    is_brief: bool = False
    is_given: bool = True
    metavar: str | None = None
    engines: tuple[str, ...] = ()

    @property
    def option(self) -> str:
        """Its option on command lines."""
        return f"--{self.name.replace('_', '-')}"


def declared(
    kind: type, default: Any = None, *, check: Callable[[str, Any], Any] | None = None, **about: Any
) -> Any:
    """Declares a setting as a field of a settings class.

    Args:
        kind: The type of its values.
        default: The value if the user gives none.
        check: Maps the setting's name and a given value to the validated value; raises
            `ConfigurationError` for a value that is not allowed.
        **about: Further attributes; see `Setting`.
    """
    about = {"kind": kind, "default": default, **about}
    return dataclasses.field(default=default, metadata={_METADATA: about, "check": check})


def settings_in(settings_class: type) -> dict[str, Setting]:
    """The settings that a class declares, by name, in order."""
    return {
        field.name: Setting(
            **{"name": field.name, "label": field.name, **field.metadata[_METADATA]}
        )
        for field in dataclasses.fields(settings_class)
    }


def as_flag(name: str, value: object) -> bool:
    """Validates True or False; a `check` of `declared`."""
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name} must be True or False, not {value!r}.")
    return value


def as_count(name: str, value: object) -> int | None:
    """Validates an integer of at least 1, or None; a `check` of `declared`."""
    if value is None:
        return None
    if isinstance(value, bool) or not str(value).isdecimal() or int(str(value)) < 1:
        raise ConfigurationError(f"{name} must be an integer of at least 1, not {value!r}.")
    return int(str(value))


def one_of(*choices: str) -> Callable[[str, Any], Any]:
    """Returns a `check` of `declared` for one of the given strings, or None."""

    def check(name: str, value: Any) -> Any:
        if value is not None and value not in choices:
            raise unknown_choice(name, value, choices)
        return value

    return check


def as_text(_: str, value: object) -> str | None:
    """Validates a string, or None; a `check` of `declared`."""
    return None if value is None else str(value)


def as_number(value: object) -> float:
    """A number; NaN if the value is not a number."""
    try:
        return float(str(value))
    except ValueError:
        return math.nan
