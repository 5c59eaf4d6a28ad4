"""The tasks and groups on a board, and the results of each evaluation on them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ultrarm_eval.runs.evaluation import Evaluation
from ultrarm_eval.runs.json_values import NOT_WRITTEN
from ultrarm_eval.runs.run import Run
from ultrarm_eval.runs.same_documents import document_digests
from ultrarm_eval.runs.shared_tasks import SharedTask, shared_tasks
from ultrarm_eval.runs.task_result import TaskResult
from ultrarm_eval.show.formats import iso_date

#: Marks of results that are not ranked.
PARTIAL, OTHER_DOCUMENTS, IN_SAMPLE = "partial", "other documents", "in-sample"
_STAMP = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2})-(\d{2})-(\d{2}).*")


@dataclass(frozen=True)
class Entry:
    """The results of one evaluation on one task or group.

    Attributes:
        task: The task's key on the board.
        file: The results file, relative to the folder of all.
        date: When the run was made, in ISO 8601.
        lm_eval_version: lm-eval's version.
        documents: How many documents were evaluated, if known.
        data_digest: Their hash, if known, equal in all entries of a task over the same documents.
        partial: What limited a partial run to a subset of the data.
        marks: Why its results are not ranked.
        figures: lm-eval's metrics as it wrote them.
        row: The evaluation's place among all.
        result: The result.
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


@dataclass(frozen=True)
class Task:
    """A task or a group of tasks on the board.

    Attributes:
        key: Its key, unique on the board.
        title: Its name, with the settings that differ where several have the same name.
        task: Its name.
        is_group: Whether it is a group; its values are lm-eval's own.
        members: Names of a group's tasks.
        settings: What its results depend on.
        documents: How many documents its results are compared over, if known.
        data_digest: The hash of these documents, if known.
        is_shared: Whether all complete rows have its main metric over the same documents.
        notes: What limits the comparison of its results.
        entries: The result of each evaluation, by the evaluation's index.
        set_aside: Indices and results that are not shown, as their evaluation has a newer or
            complete one.
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
    set_aside: tuple[tuple[int, TaskResult], ...] = field(metadata=NOT_WRITTEN)


def tasks_of(evaluations: Sequence[Evaluation], folder: Path) -> list[Task]:
    """The groups and tasks of all evaluations: groups first, then by how many have them.

    Args:
        evaluations: The evaluations; results without metrics are ignored.
        folder: The folder of all.
    """
    found: list[Task] = []
    for is_group in (True, False):
        results = [
            (row, result)
            for row, one in enumerate(evaluations)
            for result in (one.groups if is_group else one.tasks).values()
            if result.metrics
        ]
        shared = sorted(shared_tasks(results), key=lambda task: -len(task.results))
        for task in shared:
            found.append(_task(f"t{len(found)}", task, is_group, folder))
    return found


def _task(key: str, task: SharedTask, is_group: bool, folder: Path) -> Task:
    results = list(task.results.values())
    own = document_digests(results)
    digest, documents = _compared_documents(results, own)
    entries = {
        row: _entry(key, row, result, own_digest, (digest, documents), folder)
        for (row, result), own_digest in zip(task.results.items(), own, strict=True)
    }
    members = (member.task for one in results for member in one.members)
    return Task(
        key=key,
        title=task.title,
        task=task.task,
        is_group=is_group,
        members=tuple(dict.fromkeys(members)) if is_group else (),
        settings={**task.settings, **task.data},
        documents=documents,
        data_digest=digest,
        is_shared=False,
        notes=tuple(_notes(list(entries.values()), digest, documents)),
        entries=entries,
        set_aside=task.set_aside,
    )


def _entry(
    key: str,
    row: int,
    result: TaskResult,
    digest: str | None,
    compared: tuple[str | None, int | None],
    folder: Path,
) -> Entry:
    run = result.run
    version = run.results.get("lm_eval_version")
    return Entry(
        task=key,
        file=run.path.relative_to(folder).as_posix(),
        date=_date(run),
        lm_eval_version=None if version is None else str(version),
        documents=result.all_documents,
        data_digest=digest,
        partial=result.parts,
        marks=tuple(_marks(result, digest, compared)),
        figures=result.figures,
        row=row,
        result=result,
    )


def _compared_documents(
    results: Sequence[TaskResult], digests: Sequence[str | None]
) -> tuple[str | None, int | None]:
    """Hash and number of the documents that most complete results cover; of equals, the larger set.

    A result over other documents is not comparable, and is not ranked.
    """
    of_all = Counter(
        (digest, one.all_documents)
        for one, digest in zip(results, digests, strict=True)
        if not one.parts
    )
    # Without any hash only their number is known.
    known = {pair: n for pair, n in of_all.items() if pair[0] is not None} or of_all
    if not known:
        return None, None
    return max(known.items(), key=lambda item: (item[1], item[0][1] or 0, str(item)))[0]


def _marks(
    result: TaskResult, own: str | None, compared: tuple[str | None, int | None]
) -> Iterator[str]:
    digest, documents = compared
    number = result.all_documents
    by_digest = None not in (digest, own) and digest != own
    by_number = None not in (documents, number) and documents != number
    if result.parts:
        yield PARTIAL
    # A subset of the documents does not count as other documents.
    elif by_digest or by_number:
        yield OTHER_DOCUMENTS
    if result.in_sample:
        yield IN_SAMPLE


def _notes(entries: Sequence[Entry], digest: str | None, documents: int | None) -> Iterator[str]:
    others = sum(OTHER_DOCUMENTS in entry.marks for entry in entries)
    if others:
        which = f" (SHA-256 {digest[:12]}…)" if digest else ""
        number = "" if documents is None else f"{documents} "
        yield (
            f"Not all rows cover the same documents. Rows over the {number}documents that most "
            f"rows have{which} are ranked; {others} over other documents "
            f"{'is' if others == 1 else 'are'} marked and not ranked."
        )
    if _are_compared_by_hash(entries, documents):
        yield (
            "Rows without samples are compared by lm-eval's hashes of the documents, which also "
            "differ where the same documents are in another order."
        )
    for what in ("documents", "answers"):
        without = [_without_score(entry.result, what) for entry in entries]
        if any(without):
            yield (
                f"{sum(map(bool, without))} of {len(entries)} rows exclude {what} without a score, "
                f"at most {max(without)}. The remaining {what} may be easier."
            )
    unknown = sum(not entry.partial and entry.data_digest is None for entry in entries)
    if digest is not None and unknown:
        yield (
            f"{unknown} of {len(entries)} runs do not record which documents they cover; only the "
            "number of documents was compared."
        )


def _without_score(result: TaskResult, what: str) -> int:
    """How many documents or answers of a task or group have no score, as far as recorded."""
    counts = [one.metadata.get(f"{what}_without_score") for one in result.members]
    return sum(count for count in counts if isinstance(count, int))


def _are_compared_by_hash(entries: Sequence[Entry], documents: int | None) -> bool:
    """Whether rows over as many other documents may be over the same ones, which nothing tells."""
    alike = [e for e in entries if e.documents == documents and e.data_digest is not None]
    has_others = any(OTHER_DOCUMENTS in entry.marks for entry in alike)
    return has_others and any(entry.result.content_digest is None for entry in alike)


def _date(run: Run) -> str:
    """When a run was made, in ISO 8601: in UTC, or as its file's name has it."""
    return _STAMP.sub(r"\1:\2:\3", run.stamp) if run.started is None else iso_date(run.started)
