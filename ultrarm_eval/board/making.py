"""Makes a board of evaluations."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from ultrarm_eval.board.board import Board, Result, Row, Task
from ultrarm_eval.board.column import OTHER_DOCUMENTS, Column, columns_of, marks_of
from ultrarm_eval.board.documents import Documents, compared_documents
from ultrarm_eval.board.entry import Entry, date_of, entries_of
from ultrarm_eval.board.matched import MatchedTask, matched_tasks
from ultrarm_eval.board.mean import is_shared, shared_mean
from ultrarm_eval.board.published import PublishedBenchmark
from ultrarm_eval.errors import DataError
from ultrarm_eval.report.facts import facts_of
from ultrarm_eval.runs.evaluation import Evaluation

# How `read_evaluations` begins a remark on a file that it could not read.
_LEFT_OUT = "Left out: "
_T = TypeVar("_T")


def make_board(
    evaluations: Sequence[Evaluation],
    root: Path,
    published: Sequence[PublishedBenchmark] = (),
) -> Board:
    """Makes the board of several evaluations.

    Args:
        evaluations: The evaluations, with labels that tell them apart.
        root: The folder, or the results file, that they were read from.
        published: Figures of others to show beside.

    Raises:
        DataError: There is no figure in any of them.
    """
    shown = [one for one in evaluations if _has_figures(one)]
    left_out = [*_unreadable(evaluations, root), *_without_figures(evaluations, shown)]
    if not shown:
        raise DataError(
            f"{root}: no run here has any figure; all were interrupted before they had one. "
            "Run them again, with --use_cache to take up what they had."
        )
    entries = [entry for row, one in enumerate(shown) for entry in entries_of(row, one)]
    entries = [entry for entry in entries if entry.result.metrics]
    matched = sorted(
        matched_tasks(entries), key=lambda one: (not one.is_group, -len(one.entries), one.title)
    )
    partial = {entry.row for entry in entries if entry.partial}
    whole = [row for row in range(len(shown)) if row not in partial]
    tasks, columns = [], []
    for number, one in enumerate(matched):
        documents = compared_documents(list(one.entries.values()))
        of_task = columns_of(f"t{number}", one, documents, len(shown))
        columns += of_task
        tasks.append(_task(f"t{number}", one, documents, of_task, whole))
    of_tasks = {task.key for task in tasks if not task.is_group}
    mean = shared_mean([c for c in columns if c.is_main and c.task in of_tasks], whole)
    results = _results(matched, root if root.is_dir() else root.parent)
    rows = [_row(one, results[row], _set_aside(matched, row)) for row, one in enumerate(shown)]
    board = Board(
        tuple(tasks), tuple(rows), tuple(columns), mean, tuple(left_out), tuple(published)
    )
    return _ordered(board)


def _ordered(board: Board) -> Board:
    by = board.sorted_by
    figures, downwards = by.figures, by.higher_is_better is not False

    def place(row: int) -> tuple[int, float, str]:
        figure = figures[row]
        if figure is None:
            return 2, 0.0, board.rows[row].label
        value = -figure.value if downwards else figure.value
        return int(bool(figure.marks)), value, board.rows[row].label

    order = sorted(range(len(board.rows)), key=place)
    return replace(
        board,
        rows=_in_order(board.rows, order),
        columns=tuple(replace(c, figures=_in_order(c.figures, order)) for c in board.columns),
        mean=board.mean and replace(board.mean, figures=_in_order(board.mean.figures, order)),
    )


def _in_order(items: Sequence[_T], order: Sequence[int]) -> tuple[_T, ...]:
    return tuple(items[place] for place in order)


def _has_figures(evaluation: Evaluation) -> bool:
    return any(r.metrics for r in (*evaluation.tasks.values(), *evaluation.groups.values()))


def _unreadable(evaluations: Sequence[Evaluation], root: Path) -> Iterator[str]:
    remarks = dict.fromkeys(remark for one in evaluations for remark in one.remarks)
    for remark in remarks:
        if remark.startswith(_LEFT_OUT):
            yield remark.removeprefix(_LEFT_OUT).replace(f"{root}/", "", 1)


def _without_figures(
    evaluations: Sequence[Evaluation], shown: Sequence[Evaluation]
) -> Iterator[str]:
    labels = {one.label for one in shown}
    for one in evaluations:
        if one.label not in labels:
            yield f"{one.label}: its runs were interrupted before they had figures."


def _task(
    key: str,
    matched: MatchedTask,
    documents: Documents,
    columns: Sequence[Column],
    whole: Collection[int],
) -> Task:
    members = dict.fromkeys(name for entry in matched.entries.values() for name in entry.members)
    return Task(
        key=key,
        title=matched.title,
        task=matched.task,
        is_group=matched.is_group,
        members=tuple(members),
        settings=matched.settings,
        documents=documents.number,
        data_digest=documents.digest,
        is_shared=any(column.is_main and is_shared(column, whole) for column in columns),
        notes=tuple(_notes(matched, documents)),
    )


def _notes(matched: MatchedTask, documents: Documents) -> Iterator[str]:
    entries = matched.entries.values()
    marks = [marks_of(entry, documents) for entry in entries]
    others = sum(OTHER_DOCUMENTS in of_one for of_one in marks)
    if others:
        which = f" (digest {documents.digest[:12]})" if documents.digest else ""
        number = "" if documents.number is None else f"{documents.number} "
        yield (
            f"The rows are not all over the same documents. Those over the {number}documents that "
            f"most have{which} are ranked; {others} over others are marked and are not."
        )
    unknown = sum(not e.partial and e.data_digest is None for e in entries)
    if documents.digest is not None and unknown:
        yield (
            f"{unknown} of {len(entries)} runs do not say which documents they are over; only "
            "their number was compared."
        )


def _results(matched: Sequence[MatchedTask], folder: Path) -> dict[int, dict[str, Result]]:
    found: dict[int, dict[str, Result]] = {}
    for number, one in enumerate(matched):
        documents = compared_documents(list(one.entries.values()))
        for row, entry in one.entries.items():
            run = entry.result.run
            version = run.results.get("lm_eval_version")
            found.setdefault(row, {})[f"t{number}"] = Result(
                task=f"t{number}",
                file=run.path.relative_to(folder).as_posix(),
                date=date_of(run),
                lm_eval_version=None if version is None else str(version),
                documents=entry.documents,
                data_digest=entry.data_digest,
                partial=entry.partial,
                marks=marks_of(entry, documents),
                figures=entry.result.figures,
            )
    return found


def _row(evaluation: Evaluation, results: Mapping[str, Result], set_aside: Sequence[Entry]) -> Row:
    remarks = [one for one in evaluation.remarks if not one.startswith(_LEFT_OUT)]
    remarks += [
        f"{title}: its run was interrupted before it had figures."
        for title, result in evaluation.tasks.items()
        if not result.metrics
    ]
    remarks += [
        f"{entry.result.task}: {entry.result.run.path.name} is over the same documents as a newer "
        "or whole run, which counts."
        for entry in set_aside
    ]
    return Row(
        label=evaluation.label,
        model=evaluation.model,
        settings=evaluation.settings,
        facts=facts_of(evaluation),
        remarks=tuple(remarks),
        results=results,
    )


def _set_aside(matched: Sequence[MatchedTask], row: int) -> list[Entry]:
    return [entry for one in matched for entry in one.set_aside if entry.row == row]
