"""Which results of several runs are of the same task, for report, comparison and leaderboard.

Two results are of the same task if name, settings and data are the same. Data are the same if they
have the same name or the same documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ultrarm_eval.runs.identity import OF_DATA, distinguishing, task_settings
from ultrarm_eval.runs.judge_identity import written
from ultrarm_eval.runs.same_documents import document_digests
from ultrarm_eval.runs.task_result import TaskResult, results_by_name


@dataclass(frozen=True)
class SharedTask:
    """A task or a group of tasks, with the result of each run.

    Attributes:
        title: Its name, with the settings that differ where several have the same name.
        task: Its name.
        settings: What its results depend on, except the data.
        data: Names of the data in the newest result: equal data may have different names.
        results: The result of each run that has it, by the run's index.
        set_aside: Indices and results that are not used, as the run has a better one
            (`TaskResult.worth`).
    """

    title: str
    task: str
    settings: Mapping[str, Any]
    data: Mapping[str, Any]
    results: Mapping[int, TaskResult]
    set_aside: tuple[tuple[int, TaskResult], ...] = ()


def shared_tasks(
    results: Iterable[tuple[int, TaskResult]], *, by_name: bool = False
) -> list[SharedTask]:
    """The tasks of all runs, also those of only one run, in order of their titles.

    Args:
        results: Results, each with its run's index.
        by_name: Whether only the name decides where no run has two results of it: for callers that
            report which settings differ.
    """
    alike: list[list[tuple[int, TaskResult]]] = []
    for of_name in results_by_name(results).values():
        is_one = by_name and len({place for place, _ in of_name}) == len(of_name)
        alike += [of_name] if is_one else _parted(of_name)
    # Settings and data are named as in the newest result: equal data may have several names.
    newest = [max((result for _, result in one), key=lambda r: r.worth) for one in alike]
    titles = distinguishing([(one.task, task_settings(one.run, one.key)) for one in newest])
    found = [
        _shared(title, one, of_task)
        for title, one, of_task in zip(titles, newest, alike, strict=True)
    ]
    return sorted(found, key=lambda task: task.title)


def _shared(
    title: str, newest: TaskResult, results: Sequence[tuple[int, TaskResult]]
) -> SharedTask:
    best: dict[int, TaskResult] = {}
    for place, result in sorted(results, key=lambda item: item[0]):
        if place not in best or result.worth > best[place].worth:
            best[place] = result
    rest = tuple((place, result) for place, result in results if best[place] is not result)
    return SharedTask(title, newest.task, *_of_task_and_data(newest), best, rest)


def _parted(results: Sequence[tuple[int, TaskResult]]) -> Iterator[list[tuple[int, TaskResult]]]:
    """Splits results of one task name by settings and data.

    Results whose data have the same name or the same documents belong together, also transitively.
    """
    named = [tuple(map(written, _of_task_and_data(result))) for _, result in results]
    alike: dict[str, list[int]] = {}
    for number, (settings, _) in enumerate(named):
        alike.setdefault(settings, []).append(number)
    digests: dict[int, str | None] = {}
    for numbers in alike.values():
        found = document_digests([results[number][1] for number in numbers])
        digests |= zip(numbers, found, strict=True)
    classes: list[tuple[set[str], list[tuple[int, TaskResult]]]] = []
    for number, (place, result) in enumerate(results):
        settings, data = named[number]
        marks = {f"{settings} name {data}"}
        if digests[number] is not None:
            marks.add(f"{settings} digest {digests[number]}")
        together = [(place, result)]
        apart = []
        for known, members in classes:
            if known & marks:
                marks |= known
                together = members + together
            else:
                apart.append((known, members))
        classes = [*apart, (marks, together)]
    yield from (members for _, members in classes)


def _of_task_and_data(result: TaskResult) -> tuple[dict[str, Any], dict[str, Any]]:
    settings = task_settings(result.run, result.key)
    return (
        {name: value for name, value in settings.items() if name not in OF_DATA},
        {name: value for name, value in settings.items() if name in OF_DATA},
    )
