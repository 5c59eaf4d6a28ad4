"""A setting, declared as a field of a settings class, and checks of its values.

A field is a setting with all that is known of it: its default, the values it can have, what
`--help` and the README say, and whether rewards depend on it (`identifies`) or it says how and
where they are computed (`describes`). Constructors, options, errors, labels of pages and what
exports tell are made from these declarations.
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
    """What is known of a setting.

    Attributes:
        name: Its name in `--model_args`, in Python and in results.
        kind: The type of its values: `str`, `int`, `float` or `bool`.
        default: Its value where none is given; None leaves it to the judge.
        help: What it is, in a line.
        values: What the README says of its values.
        choices: The values it can have; empty if they cannot be listed.
        identifies: Whether rewards depend on it.
        label: What pages call it.
        is_brief: Whether a one-line note has room for it.
        is_given: Whether a user can give it; otherwise judges report it.
        metavar: What stands for a value in `--help`.
        engines: The engines that take it; every one if empty.
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
        default: Its value where none is given.
        check: From its name and a value that was given the value that it has; raises
            `ConfigurationError` for one that is not allowed.
        **about: What else is known of it; see `Setting`.
    """
    about = {"kind": kind, "default": default, **about}
    return dataclasses.field(default=default, metadata={_METADATA: about, "check": check})


def settings_in(settings_class: type) -> dict[str, Setting]:
    """The settings that a class declares, by name, in their order."""
    return {
        field.name: Setting(
            **{"name": field.name, "label": field.name, **field.metadata[_METADATA]}
        )
        for field in dataclasses.fields(settings_class)
    }


def as_flag(name: str, value: object) -> bool:
    """True or False; see `declared`."""
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name} is True or False, not {value!r}.")
    return value


def as_count(name: str, value: object) -> int | None:
    """A whole number of at least 1, or None; see `declared`."""
    if value is None:
        return None
    if isinstance(value, bool) or not str(value).isdecimal() or int(str(value)) < 1:
        raise ConfigurationError(f"{name} is a whole number of at least 1, not {value!r}.")
    return int(str(value))


def one_of(*choices: str) -> Callable[[str, Any], Any]:
    """One of some texts, or None; see `declared`."""

    def check(name: str, value: Any) -> Any:
        if value is not None and value not in choices:
            raise unknown_choice(name, value, choices)
        return value

    return check


def as_text(_: str, value: object) -> str | None:
    """A text, or None; see `declared`."""
    return None if value is None else str(value)


def as_number(value: object) -> float:
    """A number; NaN where it is none."""
    try:
        return float(str(value))
    except ValueError:
        return math.nan
