"""Our tasks' options in the run's `--metadata`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ultrarm_eval.data.rows import Shard
from ultrarm_eval.errors import ConfigurationError, closest
from ultrarm_eval.lm_eval_plugin.metadata_keys import (
    DATA,
    DATA_REVISION,
    JUDGE,
    JUDGE_ARGS,
    KEYS,
    MIN_GAP,
    PREFERENCE,
    REFERENCE,
    SHARD,
    TIES,
    N,
)
from ultrarm_eval.lm_eval_plugin.task_names import TaskNames, known_names
from ultrarm_eval.rules import ComparisonRules

# By what people write for them and `difflib` does not find: it is too far by its letters.
_MISTAKEN = {mistaken: key.name for key in KEYS.values() for mistaken in key.mistaken}
# Model arguments that arrive in the same place and look like ours.
_OTHERS = frozenset({"revision", "date", "delta", "dtype", "task", "metadata"})
_CLOSENESS = 0.75


@dataclass(frozen=True)
class JudgingOptions:
    """The judge of generated answers, and what they are compared with.

    Attributes:
        judge: The judge's checkpoint; None for the task's default.
        judge_args: The judge's settings.
        reference: What answers are compared with; None for the task's default.
        n: Answers per prompt; None for the task's default.
    """

    judge: str | None = None
    judge_args: Mapping[str, Any] = field(default_factory=dict)
    reference: str | None = None
    n: int | None = None


@dataclass(frozen=True)
class TaskOptions:
    """The data of a task, and how it compares completions.

    Attributes:
        data: A source's name, a file or a folder; None for the task's own data set.
        data_revision: Hub revision of the task's own data set.
        rules: How completions are compared.
        shard: The shard of the data to read; None for all data.
        named_as: If the run names data per task, the name used for this task: its own, or that of a
            group or tag that contains it.
    """

    data: str | None = None
    data_revision: str | None = None
    rules: ComparisonRules = field(default_factory=ComparisonRules)
    shard: Shard | None = None
    named_as: str | None = None

    def of_task(self, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """The run's metadata for this task, with only its own entry of data per task."""
        if not isinstance(metadata.get("data"), Mapping):
            return dict(metadata)
        left_out = {"data"} if self.data is None else {"data", "data_revision"}
        own = {name: value for name, value in metadata.items() if name not in left_out}
        if self.data is not None:
            own["data"] = self.data
            own |= {} if self.data_revision is None else {"data_revision": self.data_revision}
        return own


def read_options(
    metadata: Mapping[str, Any],
    task: str = "",
    *,
    data_may_be_on_hub: bool = False,
    folders: Iterable[Path] = (),
) -> TaskOptions:
    """Reads our options from a task's metadata.

    The harness also puts its own keys there (model arguments, version, ...), which are ignored.

    Args:
        metadata: The metadata.
        task: The task's name, by which the metadata may name its data.
        data_may_be_on_hub: Whether `data` may name a data set of the hub, which has revisions.
        folders: Folders of the user's own task files, for which data may be named too.

    Raises:
        ConfigurationError: A key looks like a misspelling of ours, or a value is not allowed.
    """
    for key in metadata:
        meant = _meant(str(key))
        if meant is not None:
            raise ConfigurationError(
                f"--metadata has the key {key!r}; did you mean {meant!r}? "
                f"Keys of this package's tasks: {', '.join(KEYS)}."
            )
    data, revision = DATA.read(metadata), DATA_REVISION.read(metadata)
    named_as = None
    if isinstance(data, Mapping):
        named_as, data = _data_of(task, data, known_names(folders))
        # It is for the tasks whose data is on the hub.
        revision = revision if data is None or data_may_be_on_hub else None
    if data is not None and (not isinstance(data, str) or not data.strip()):
        where = "" if named_as is None else f" of {named_as!r}"
        raise ConfigurationError(
            f"--metadata data={data!r}{where}: give a file, a folder or a source's name as a "
            'string, or data per task: {"data": {"TASK": "PATH"}}.'
        )
    if data is not None and revision is not None and not data_may_be_on_hub:
        raise ConfigurationError(
            f"--metadata has data={data!r} and data_revision={revision!r}, but a revision is "
            "only for data on the hub. Leave one of them out."
        )
    # Which preferences there are depends on the data.
    rules = ComparisonRules(PREFERENCE.read(metadata), TIES.read(metadata), MIN_GAP.read(metadata))
    return TaskOptions(data, revision, rules, SHARD.read(metadata), named_as)


def _data_of(task: str, given: Mapping[Any, Any], names: TaskNames) -> tuple[str | None, Any]:
    """The name used for a task in data per task, and its data; None for the task's own data.

    Raises:
        ConfigurationError: A name is not a task, group or tag, or no task is named.
    """
    known = names.tasks | names.members.keys() | {task}
    if not given:
        raise ConfigurationError(
            '--metadata data={}: no task is named. Write {"data": {"TASK": "PATH"}}, or leave it '
            "out."
        )
    for name in given:
        if name not in known:
            close = closest(str(name), sorted(known))
            hint = f"; did you mean {close!r}?" if close else "."
            raise ConfigurationError(
                f"--metadata data: {name!r} is neither a task of this package nor a group or tag "
                f"of its tasks{hint} Groups and tags: "
                f"{', '.join(sorted(names.members))}. lm_eval ls tasks lists the tasks."
            )
    having = [name for name in names.names_of(task) if name in given]
    if not having:
        return None, None
    first = having[0]
    size = len(names.members.get(first, ()))
    for other in having[1:]:
        # Neither contains the other.
        if len(names.members[other]) == size and given[other] != given[first] and first != task:
            raise ConfigurationError(
                f"--metadata data: {task} is in both {first!r} and {other!r}, which name "
                "different data. Add an entry for the task itself."
            )
    return first, given[first]


def read_judging(metadata: Mapping[str, Any]) -> JudgingOptions:
    """Reads the options of a judged task from its metadata.

    Raises:
        ConfigurationError: A value is not allowed.
    """
    judge, reference = JUDGE.read(metadata), REFERENCE.read(metadata)
    return JudgingOptions(judge, JUDGE_ARGS.read(metadata) or {}, reference, N.read(metadata))


def _meant(key: str) -> str | None:
    if key in KEYS or key in _OTHERS:
        return None
    folded = key.lower().replace("-", "_")
    if folded in KEYS:
        return folded
    if folded in _MISTAKEN:
        return _MISTAKEN[folded]
    return closest(folded, KEYS, cutoff=_CLOSENESS)
