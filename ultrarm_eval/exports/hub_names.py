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
# Of many tasks as many are spelled out.
_NAMED = 12
_COMMIT = re.compile(r"[0-9a-f]{40}")
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


@dataclass(frozen=True)
class Source:
    """Where results can be looked up.

    Attributes:
        url: A page, over http or https.
        name: What the link is called.
    """

    url: str | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        """Refuses what no board can show.

        Raises:
            ConfigurationError: The address is none of a page, or there is a name without one.
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


def require_tasks(
    named: Mapping[str | None, str], figures: Sequence[ExportedFigure], option: str
) -> None:
    """Refuses `TASK=VALUE` texts of tasks that are not exported: they would do nothing.

    Args:
        named: What the user says, by task; under None for all.
        figures: The figures that are exported.
        option: The option's name.

    Raises:
        ConfigurationError: A task is none of those that are exported.
    """
    tasks = _tasks(figures)
    for task in named:
        if task is not None and task not in tasks:
            raise unknown_choice("task", task, tasks, where=f"{option} {task}={named[task]}")


def require_dataset_of_each(
    named: Mapping[str | None, str], figures: Sequence[ExportedFigure]
) -> None:
    """Refuses one data set for several tasks: a board would show all of them as its own.

    Args:
        named: What the user says, by task; under None for all.
        figures: The figures that are exported.

    Raises:
        ConfigurationError: There is a name for all, and there are several tasks.
    """
    tasks = _tasks(figures)
    if None not in named or len(tasks) == 1:
        return
    open_tasks = [task for task in tasks if task not in named] or tasks
    raise ConfigurationError(
        f"--dataset {named[None]}: {len(tasks)} tasks are exported ({', '.join(tasks)}), and one "
        "name would stand for the data of all of them. Name those of each, "
        f"{named_datasets(open_tasks)}; or export one task, --task {tasks[0]}."
    )


def named_datasets(tasks: Sequence[str]) -> str:
    """What a user types to name the data of tasks."""
    typed = " ".join(f"--dataset {task}=ORG/NAME" for task in tasks[:_NAMED])
    return typed + (f", and so on for all {len(tasks)}" if len(tasks) > _NAMED else "")


def dataset_path(result: TaskResult) -> str | None:
    """The data set that the task's file names, if it can be one of the hub."""
    path = result.config.get("dataset_path")
    return path if isinstance(path, str) and is_hub_name(path) else None


def hub_data(figure: ExportedFigure, named: Mapping[str | None, str]) -> HubData | None:
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


def hub_split(figure: ExportedFigure, named: Mapping[str | None, str]) -> str | None:
    """The split of the hub's data set that a figure is of.

    None where the run read a file, or the user names another data set: the split that the task's
    file names is one of the task's own.
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
    # A file of one's own may hold anything, whatever the task reads by itself.
    if path is None or "/" not in path or member.metadata.get("data_used", path) != path:
        return None
    revision = str(member.metadata.get("data_revision") or "")
    return HubData(path, revision if _COMMIT.fullmatch(revision) else None)
