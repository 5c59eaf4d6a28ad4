"""The tasks and groups on a board, and what each evaluation says about them."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ultrarm_eval.runs.evaluation import Evaluation
from ultrarm_eval.runs.identity import OF_DATA, distinguishing, task_settings
from ultrarm_eval.runs.plain import NOT_WRITTEN
from ultrarm_eval.runs.run import Run
from ultrarm_eval.runs.task_result import TaskResult
from ultrarm_eval.show.formats import iso_date

#: Marks of figures that are not compared with others.
PARTIAL, OTHER_DOCUMENTS, IN_SAMPLE = "partial", "other documents", "in-sample"
_STAMP = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2})-(\d{2})-(\d{2}).*")


@dataclass(frozen=True)
class Entry:
    """What one evaluation says about one task or group.

    Attributes:
        task: The task's key on the board.
        file: The results file, from the folder of all on.
        date: When the run was made, in ISO 8601.
        lm_eval_version: The harness's version.
        documents: How many documents were evaluated, where it is known.
        data_digest: Their digest, where it is known.
        partial: What made the run see a part of the data alone.
        marks: Why its figures are not ranked among the others.
        figures: The harness's figures as it wrote them.
        row: The evaluation's place among all.
        result: The result.
        settings: What its figures depend on, the data apart.
        data: Names of the data.
    """

    task: str
    file: str
    date: str
    lm_eval_version: str | None
    documents: int | None
    data_digest: str | None
    partial: Mapping[str, Any]
    marks: tuple[str, ...]
    figures: Mapping[str, Any]
    row: int = field(metadata=NOT_WRITTEN)
    result: TaskResult = field(metadata=NOT_WRITTEN)
    settings: Mapping[str, Any] = field(metadata=NOT_WRITTEN)
    data: Mapping[str, Any] = field(metadata=NOT_WRITTEN)

    @property
    def is_group(self) -> bool:
        """Whether it is of a group of tasks."""
        return self.result.members != (self.result,)

    @property
    def worth(self) -> tuple[bool, str]:
        """Of several of one evaluation the greatest counts: a whole one, then the newest."""
        return not self.partial, self.result.run.stamp

    @property
    def _names_of_data(self) -> set[str]:
        """Two entries with one of these in common are of the same data."""
        names = {f"name {_key('', self.data)}"}
        return names if self.data_digest is None else names | {f"digest {self.data_digest}"}


@dataclass(frozen=True)
class Task:
    """A task or a group of tasks on the board.

    Attributes:
        key: Tells it apart from others of the board.
        title: Its name, and where there are several of one name the settings in which they differ.
        task: Its name.
        is_group: Whether it is a group; its figures are the harness's own.
        members: Names of a group's tasks.
        settings: What its figures depend on.
        documents: How many documents its results are compared over, where it is known.
        data_digest: The digest of these documents, where it is known.
        is_shared: Whether all whole rows have its main metric over the same documents.
        notes: What has to be known before its figures are compared.
        entries: What each evaluation says, by the evaluation's place.
        set_aside: Results that are not shown, as their evaluation has a newer or whole one.
    """

    key: str
    title: str
    task: str
    is_group: bool
    members: tuple[str, ...]
    settings: Mapping[str, Any]
    documents: int | None
    data_digest: str | None
    is_shared: bool
    notes: tuple[str, ...]
    entries: Mapping[int, Entry] = field(metadata=NOT_WRITTEN)
    set_aside: tuple[Entry, ...] = field(metadata=NOT_WRITTEN)


def entries_of(row: int, evaluation: Evaluation, folder: Path) -> Iterator[Entry]:
    """What an evaluation says: of its groups, then of its tasks; nothing without figures.

    Args:
        row: The evaluation's place among all.
        evaluation: The evaluation.
        folder: The folder of all.
    """
    for result in (*evaluation.groups.values(), *evaluation.tasks.values()):
        if not result.metrics:
            continue
        run, is_group = result.run, result.members != (result,)
        settings = task_settings(run, result.task)
        version = run.results.get("lm_eval_version")
        yield Entry(
            task="",
            file=run.path.relative_to(folder).as_posix(),
            date=_date(run),
            lm_eval_version=None if version is None else str(version),
            documents=result.all_documents,
            data_digest=_digest_of_group(result) if is_group else result.data_digest,
            partial=result.parts,
            marks=(),
            figures=result.figures,
            row=row,
            result=result,
            settings={name: v for name, v in settings.items() if name not in OF_DATA},
            data={name: v for name, v in settings.items() if name in OF_DATA},
        )


def matched_tasks(entries: Sequence[Entry]) -> list[Task]:
    """The groups and tasks of all evaluations: groups first, then by how many have them.

    Two results are of one task if name and settings are the same, and the data too: their names,
    or, whatever they are called, the documents themselves.
    """
    found = []
    for is_group in (True, False):
        alike: dict[str, list[Entry]] = {}
        for entry in entries:
            if entry.is_group == is_group:
                alike.setdefault(_key(entry.result.task, entry.settings), []).append(entry)
        classes = [one for of_settings in alike.values() for one in _same_data(of_settings)]
        # Data are named after the newest run, as their names may differ where they are the same.
        newest = [max(one, key=lambda entry: entry.worth) for one in classes]
        named = [(e.result.task, {**e.settings, **e.data}) for e in newest]
        of_kind = zip(distinguishing(named), named, classes, strict=True)
        found += sorted(
            (_task(title, task, settings, one) for title, (task, settings), one in of_kind),
            key=lambda task: (-len(task.entries), task.title),
        )
    return [_keyed(f"t{number}", task) for number, task in enumerate(found)]


def _task(title: str, task: str, settings: Mapping[str, Any], entries: Sequence[Entry]) -> Task:
    best: dict[int, Entry] = {}
    for entry in entries:
        if entry.row not in best or entry.worth > best[entry.row].worth:
            best[entry.row] = entry
    digest, documents = _compared_documents(list(best.values()))
    marked = {
        row: replace(one, marks=tuple(_marks(one, digest, documents))) for row, one in best.items()
    }
    is_group = entries[0].is_group
    members = (member.task for one in best.values() for member in one.result.members)
    return Task(
        key="",
        title=title,
        task=task,
        is_group=is_group,
        members=tuple(dict.fromkeys(members)) if is_group else (),
        settings=settings,
        documents=documents,
        data_digest=digest,
        is_shared=False,
        notes=tuple(_notes(list(marked.values()), digest, documents)),
        entries=marked,
        set_aside=tuple(entry for entry in entries if best[entry.row] is not entry),
    )


def _keyed(key: str, task: Task) -> Task:
    entries = {row: replace(entry, task=key) for row, entry in task.entries.items()}
    return replace(task, key=key, entries=entries)


def _compared_documents(entries: Sequence[Entry]) -> tuple[str | None, int | None]:
    """Digest and number of the documents that most whole results are over; of several, of more.

    A result over other documents answers another question, and is not ranked among these.
    """
    whole = [entry for entry in entries if not entry.partial]
    of_all = Counter((entry.data_digest, entry.documents) for entry in whole)
    # Without any digest their number is all that tells.
    known = {pair: n for pair, n in of_all.items() if pair[0] is not None} or of_all
    if not known:
        return None, None
    return max(known.items(), key=lambda item: (item[1], item[0][1] or 0, str(item)))[0]


def _marks(entry: Entry, digest: str | None, documents: int | None) -> Iterator[str]:
    by_digest = None not in (digest, entry.data_digest) and digest != entry.data_digest
    by_number = None not in (documents, entry.documents) and documents != entry.documents
    if entry.partial:
        yield PARTIAL
    # A part of the documents is no other data.
    elif by_digest or by_number:
        yield OTHER_DOCUMENTS
    if any(one.in_sample for one in entry.result.members):
        yield IN_SAMPLE


def _notes(entries: Sequence[Entry], digest: str | None, documents: int | None) -> Iterator[str]:
    others = sum(OTHER_DOCUMENTS in entry.marks for entry in entries)
    if others:
        which = f" (digest {digest[:12]})" if digest else ""
        number = "" if documents is None else f"{documents} "
        yield (
            f"The rows are not all over the same documents. Those over the {number}documents that "
            f"most have{which} are ranked; {others} over others are marked and are not."
        )
    unknown = sum(not entry.partial and entry.data_digest is None for entry in entries)
    if digest is not None and unknown:
        yield (
            f"{unknown} of {len(entries)} runs do not say which documents they are over; only "
            "their number was compared."
        )


def _same_data(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Parts the results of one task by their data.

    Those of one name, and those over the same documents, belong together, also through others.
    """
    classes: list[tuple[set[str], list[Entry]]] = []
    for entry in entries:
        marks, together, apart = entry._names_of_data, [entry], []
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


def _digest_of_group(group: TaskResult) -> str | None:
    """One digest for the documents of all tasks of a group."""
    digests = [(one.task, one.data_digest) for one in group.members]
    if any(digest is None for _, digest in digests):
        return None
    lines = "\n".join(f"{task}:{digest}" for task, digest in sorted(digests, key=str))
    return hashlib.sha256(lines.encode("utf-8", "replace")).hexdigest()


def _date(run: Run) -> str:
    """When a run was made, in ISO 8601: in UTC, or as its file's name has it."""
    return _STAMP.sub(r"\1:\2:\3", run.stamp) if run.started is None else iso_date(run.started)
