"""Names on the hub: of a model, of a task's data, and of the page of the results."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ultrarm_eval.demo import DEMO_NAME
from ultrarm_eval.errors import ConfigurationError, unknown_choice
from ultrarm_eval.exports.figures import ExportedFigure
from ultrarm_eval.runs.task_result import TaskResult

# The hub's rule for the names of repositories (huggingface_hub 2.4, utils/_validators.py).
_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?:{_PART}/)?{_PART}")
_LONGEST = 96
# The most tasks named.
_NAMED = 12
_COMMIT = re.compile(r"[0-9a-f]{40}")
_ALLOWED = (
    "ORG/NAME, or only NAME, of letters, digits, '-', '_' and '.', beginning and ending with a "
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
        found: The model's name in the run.
        given: The name that the user gives, if any.
        run: The run's results file: a folder of that name next to it, or above, is the model.

    Returns:
        `ORG/NAME`, or only a name.

    Raises:
        ConfigurationError: The given name is invalid, or the run only has a path.
    """
    if given is not None:
        if not is_hub_name(given):
            raise ConfigurationError(f"--model {given!r}: a model's name is {_ALLOWED}.")
        return given
    if not is_hub_name(found):
        what = "a path" if re.search(r"[/\\~]|^\.", found) else "not a valid name there"
    elif found != DEMO_NAME and _is_there(found, run):
        what = "a path"
    else:
        return found
    raise ConfigurationError(
        f"The run's name of the model is {found!r}, which is {what}: name it with --model "
        f"ORG/NAME. A model's name is {_ALLOWED}."
    )


def _is_there(name: str, run: Path | None) -> bool:
    """Whether a name is that of a file or folder, here or where the run was made."""
    above = [] if run is None else run.resolve().parents
    return any((folder / name).exists() for folder in (Path(), *above))


@dataclass(frozen=True)
class Source:
    """A page of the results.

    Attributes:
        url: A page, over http or https.
        name: The link's text.
    """

    url: str | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        """Refuses an invalid source.

        Raises:
            ConfigurationError: The address is not of a page, or there is a name without one.
        """
        if self.url is None:
            if self.name is not None:
                raise ConfigurationError("--source-name is the name of a --source-url; give both.")
            return
        parts = urlsplit(self.url)
        is_plain = self.url.isprintable() and " " not in self.url
        if parts.scheme not in ("http", "https") or not parts.netloc or not is_plain:
            raise ConfigurationError(
                f"--source-url {self.url!r}: give the address of a page, https://…"
            )


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
    """`TASK=VALUE` texts by task; a value without a task is under None, for all tasks.

    Raises:
        ConfigurationError: A task has two values, or a value is empty.
    """
    found: dict[str | None, str] = {}
    for text in given:
        task, sign, value = text.rpartition("=")
        name = task if sign else None
        if not value or name == "" or name in found:
            raise ConfigurationError(
                f"{option} {text!r}: give TASK=VALUE once per task, or one VALUE for all tasks."
            )
        found[name] = value
    return found


def require_tasks(
    named: Mapping[str | None, str], figures: Sequence[ExportedFigure], option: str
) -> None:
    """Refuses `TASK=VALUE` texts of tasks that are not exported, which would have no effect.

    Args:
        named: The user's values by task; under None for all.
        figures: The exported scores.
        option: The option's name.

    Raises:
        ConfigurationError: A task is not exported.
    """
    tasks = _tasks(figures)
    for task in named:
        if task is not None and task not in tasks:
            raise unknown_choice("task", task, tasks, where=f"{option} {task}={named[task]}")


def require_dataset_of_each(
    named: Mapping[str | None, str], figures: Sequence[ExportedFigure]
) -> None:
    """Refuses one data set for several tasks: a leaderboard would show all of them under it.

    Args:
        named: The user's values by task; under None for all.
        figures: The exported scores.

    Raises:
        ConfigurationError: There is a name for all, and there are several tasks.
    """
    tasks = _tasks(figures)
    if None not in named or len(tasks) == 1:
        return
    open_tasks = [task for task in tasks if task not in named] or tasks
    raise ConfigurationError(
        f"--dataset {named[None]}: {len(tasks)} tasks are exported ({', '.join(tasks)}), but this "
        "names one data set for all of them. Name the data set of each with "
        f"{named_datasets(open_tasks)}, or export one task with --task {tasks[0]}."
    )


def named_datasets(tasks: Sequence[str]) -> str:
    """The options that name the data of tasks."""
    typed = " ".join(f"--dataset {task}=ORG/NAME" for task in tasks[:_NAMED])
    return typed + (f", and so on for all {len(tasks)}" if len(tasks) > _NAMED else "")


def dataset_path(result: TaskResult) -> str | None:
    """The data set that the task's file names, if it can be one on the hub."""
    path = result.config.get("dataset_path")
    return path if isinstance(path, str) and is_hub_name(path) else None


def hub_data(figure: ExportedFigure, named: Mapping[str | None, str]) -> HubData | None:
    """The data set on the hub that a score is about; None if not recorded.

    Args:
        figure: The score.
        named: The user's values by task; under None for all.

    Raises:
        ConfigurationError: The user's name is not a name of a data set.
    """
    given = named.get(figure.task, named.get(None))
    if given is not None:
        if not is_hub_name(given) or "/" not in given:
            raise ConfigurationError(
                f"--dataset {given!r}: the name of a data set on the hub is ORG/NAME, of letters, "
                "digits, '-', '_' and '.'."
            )
        return HubData(given, None)
    found = {_read_from_hub(figure, index) for index in range(len(figure.members))}
    return found.pop() if len(found) == 1 else None


def hub_split(figure: ExportedFigure, named: Mapping[str | None, str]) -> str | None:
    """The split of the hub's data set for which a score was computed.

    None if the run read a file, or if the user names another data set: the split in the task's
    file is a split of the task's own data set.
    """
    data, read = hub_data(figure, named), hub_data(figure, {})
    if data is None or read is None or data.name != read.name:
        return None
    found: set[str | None] = set()
    for member in figure.members:
        config = member.config
        split = config.get("test_split") or config.get("validation_split")
        found.add(str(split) if split else None)
    return found.pop() if len(found) == 1 else None


def _tasks(figures: Sequence[ExportedFigure]) -> list[str]:
    return list(dict.fromkeys(figure.task for figure in figures))


def _read_from_hub(figure: ExportedFigure, index: int) -> HubData | None:
    member = figure.members[index]
    path = dataset_path(member)
    # A local file may contain other data than the task's own data set.
    if path is None or "/" not in path or member.metadata.get("data_used", path) != path:
        return None
    revision = str(member.metadata.get("data_revision") or "")
    return HubData(path, revision if _COMMIT.fullmatch(revision) else None)
