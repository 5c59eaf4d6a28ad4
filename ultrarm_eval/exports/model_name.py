"""What a leaderboard calls a model, and what it may not be called."""

from __future__ import annotations

import re
from pathlib import Path

from ultrarm_eval.demo import DEMO_NAME
from ultrarm_eval.errors import ConfigurationError

# The hub's rule for the names of repositories (huggingface_hub 2.4, utils/_validators.py).
_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?:{_PART}/)?{_PART}")
_LONGEST = 96
_ALLOWED = (
    "ORG/NAME, or NAME alone, of letters, digits, '-', '_' and '.', beginning and ending with a "
    f"letter, digit or '_', without '--' and '..', at most {_LONGEST} characters"
)


def is_hub_name(name: str) -> bool:
    """Whether a model or a data set of the hub can have this name; then it is safe in a path."""
    return (
        len(name) <= _LONGEST
        and _NAME.fullmatch(name) is not None
        and "--" not in name
        and ".." not in name
    )


def model_name(found: str, given: str | None, run: Path | None = None) -> str:
    """The name of the model in an export.

    Args:
        found: What the run calls its model.
        given: What the user calls it, if anything.
        run: The run's results file: a folder of that name beside it, or above, is the model.

    Returns:
        `ORG/NAME`, or a name alone.

    Raises:
        ConfigurationError: What is given is no name, or the run knows a path alone.
    """
    if given is not None:
        if not is_hub_name(given):
            raise ConfigurationError(f"--model {given!r}: a model is called {_ALLOWED}.")
        return given
    if not is_hub_name(found):
        what = "a path" if re.search(r"[/\\~]|^\.", found) else "no name that is taken there"
    elif found != DEMO_NAME and _is_there(found, run):
        what = "a path"
    else:
        return found
    raise ConfigurationError(
        f"The run calls its model {found!r}, which is {what}: name it, --model ORG/NAME. A model "
        f"is called {_ALLOWED}."
    )


def _is_there(name: str, run: Path | None) -> bool:
    """Whether a name is one of a file or folder, from here or from where a run was made."""
    above = [] if run is None else run.resolve().parents
    return any((folder / name).exists() for folder in (Path(), *above))
