"""Under which name the hub has the data of a task."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.results.exports.about import dataset_path
from ultrarm_eval.results.exports.figures import ReportedFigure
from ultrarm_eval.results.exports.model_name import is_hub_name

_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class HubData:
    """A data set of the hub.

    Attributes:
        name: `ORG/NAME`.
        revision: Its commit, where the run named one.
    """

    name: str
    revision: str | None


def assignments(given: Iterable[str], option: str) -> dict[str | None, str]:
    """`TASK=VALUE` texts by task; a value alone stands under None, for all tasks.

    Raises:
        ConfigurationError: A task has two values, or a value is empty.
    """
    found: dict[str | None, str] = {}
    for text in given:
        task, sign, value = text.rpartition("=")
        name = task if sign else None
        if not value or name == "" or name in found:
            raise ConfigurationError(
                f"{option} {text!r}: give TASK=VALUE once for a task, or a VALUE once for all."
            )
        found[name] = value
    return found


def hub_data(figure: ReportedFigure, named: Mapping[str | None, str]) -> HubData | None:
    """The data set of the hub that a figure is about; None where the run does not say it.

    Args:
        figure: The figure.
        named: What the user says, by task; under None for all.

    Raises:
        ConfigurationError: What the user says is no name of a data set.
    """
    given = named.get(figure.task, named.get(None))
    if given is not None:
        if not is_hub_name(given) or "/" not in given:
            raise ConfigurationError(
                f"--dataset {given!r}: a data set of the hub is called ORG/NAME, of letters, "
                "digits, '-', '_' and '.'."
            )
        return HubData(given, None)
    found = {_read_from_hub(figure, index) for index in range(len(figure.members))}
    return found.pop() if len(found) == 1 else None


def _read_from_hub(figure: ReportedFigure, index: int) -> HubData | None:
    member = figure.members[index]
    path = dataset_path(member)
    # A file of one's own may hold anything, whatever the task reads by itself.
    if path is None or "/" not in path or member.metadata.get("data_used", path) != path:
        return None
    revision = str(member.metadata.get("data_revision") or "")
    return HubData(path, revision if _COMMIT.fullmatch(revision) else None)
