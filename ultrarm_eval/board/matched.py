"""Which results of several evaluations are of the same task: columns of a board."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ultrarm_eval.board.entry import Entry
from ultrarm_eval.runs.identity import distinguishing


@dataclass(frozen=True)
class MatchedTask:
    """A task or a group, and what each evaluation says about it.

    Attributes:
        title: Its name, and where there are several of one name the settings in which they differ.
        task: Its name.
        is_group: Whether it is a group.
        settings: What its figures depend on.
        entries: What each evaluation says, by the evaluation's place.
        set_aside: Results that are not shown, as their evaluation has a newer or whole one.
    """

    title: str
    task: str
    is_group: bool
    settings: Mapping[str, Any]
    entries: Mapping[int, Entry]
    set_aside: tuple[Entry, ...]


def matched_tasks(entries: Sequence[Entry]) -> list[MatchedTask]:
    """The groups and tasks of all evaluations, groups first.

    Two results are of one task if name and settings are the same, and the data too: their names,
    or, whatever they are called, the documents themselves.
    """
    found = []
    for is_group in (True, False):
        alike: dict[str, list[Entry]] = {}
        for entry in entries:
            if bool(entry.members) == is_group:
                alike.setdefault(_key(entry.result.task, entry.settings), []).append(entry)
        classes = [one for of_settings in alike.values() for one in _same_data(of_settings)]
        # Data are named after the newest run, as their names may differ where they are the same.
        newest = [max(one, key=lambda entry: entry.worth) for one in classes]
        named = [(e.result.task, {**e.settings, **e.data}) for e in newest]
        for title, (task, settings), one in zip(distinguishing(named), named, classes, strict=True):
            found.append(_matched(title, task, is_group, settings, one))
    return found


def _matched(
    title: str, task: str, is_group: bool, settings: Mapping[str, Any], entries: Sequence[Entry]
) -> MatchedTask:
    best: dict[int, Entry] = {}
    for entry in entries:
        if entry.row not in best or entry.worth > best[entry.row].worth:
            best[entry.row] = entry
    rest = tuple(entry for entry in entries if best[entry.row] is not entry)
    return MatchedTask(title, task, is_group, settings, best, rest)


def _same_data(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Parts the results of one task by their data.

    Those of one name, and those over the same documents, belong together, also through others.
    """
    classes: list[tuple[set[str], list[Entry]]] = []
    for entry in entries:
        marks = {f"name {_key('', entry.data)}"}
        if entry.data_digest is not None:
            marks.add(f"digest {entry.data_digest}")
        together = [entry]
        apart = []
        for known, members in classes:
            if known & marks:
                marks |= known
                together = members + together
            else:
                apart.append((known, members))
        classes = [*apart, (marks, together)]
    for _, members in classes:
        yield sorted(members, key=lambda entry: entry.row)


def _key(task: str, settings: Mapping[str, Any]) -> str:
    return json.dumps([task, settings], sort_keys=True, default=str)
