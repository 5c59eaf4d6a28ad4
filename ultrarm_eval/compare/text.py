"""A comparison for a terminal, and the same in Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ultrarm_eval.compare.comparison import Comparison, Row
from ultrarm_eval.compare.parts import Part
from ultrarm_eval.compare.statements import small_parts_note, statements
from ultrarm_eval.show.formats import (
    NONE,
    counted,
    difference,
    difference_interval,
    number,
    p_value,
    quantity,
)
from ultrarm_eval.show.table import Table
from ultrarm_eval.show.text import markdown
from ultrarm_eval.terminal import printable

# What begins a list, a rule or a heading where it is the first of a line.
_STARTS = re.compile(r"^(\d*)([-+=.)])")
_ESCAPED = r"\1\\\2"
_TESTS = {"mcnemar": "McNemar, exact", "sign-flip": "sign flips", "unpaired z": "z, unpaired"}


def as_text(comparison: Comparison) -> str:
    """The comparison as aligned tables."""
    runs, *others = _tables(comparison)
    parts = [runs.as_text(head=False)]
    if comparison.cautions:
        parts.append(_block("Note", comparison.cautions))
    parts.append(_block("What follows", _said(comparison)))
    for table in others:
        note = f"{table.note}\n" if table.note else ""
        parts.append(f"{table.title}\n{note}{table.as_text()}")
    return "\n".join(part for part in parts if part)


def as_markdown(comparison: Comparison) -> str:
    """The comparison as a Markdown document."""
    runs, *others = _tables(comparison)
    parts = ["# Comparison of runs\n", runs.as_markdown(none="-")]
    if comparison.cautions:
        parts.append("## Note\n\n" + _listed(comparison.cautions))
    if comparison.rows:
        parts.append("## What follows\n\n" + _listed(_said(comparison)))
    for table in others:
        note = f"{table.note}\n\n" if table.note else ""
        parts.append(f"## {table.title}\n\n{note}{table.as_markdown(none='-')}")
    return "\n".join(parts)


def _said(comparison: Comparison) -> list[str]:
    return [one.text for one in statements(comparison, comparison.shown_rows)]


def _block(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    return f"{title}\n" + "".join(f"  {printable(line)}\n" for line in lines)


def _listed(lines: Sequence[str]) -> str:
    return "".join(f"- {_STARTS.sub(_ESCAPED, markdown(line))}\n" for line in lines)


def _tables(comparison: Comparison) -> list[Table]:
    """The tables of a comparison that have rows."""
    made = [
        _runs(comparison),
        _differences(comparison),
        _agreements(comparison),
        _unmatched(comparison),
        _not_shared(comparison),
        _settings(comparison),
    ]
    return [table for table in made if table.rows]


def _whole(part: Part) -> str:
    return f"group, {part.weighting}" if part.members else "all"


def _runs(comparison: Comparison) -> Table:
    rows = tuple((run.letter, run.label, ", ".join(run.results)) for run in comparison.runs)
    return Table(("", "Run", "Results"), 3, rows)


def _differences(comparison: Comparison) -> Table:
    rows = comparison.shown_rows
    first, second = _pair_names(comparison)
    has_parts = any(row.part.name is not None or row.part.members for row in rows)
    is_pair = len(comparison.runs) == 2
    has_metrics = any(row.part.metric != "acc" for row in rows)
    texts = [
        "Task",
        *_if(has_parts, "Part"),
        *_if(has_metrics, "Metric"),
        *_if(not is_pair, "Runs"),
    ]
    numbers = (
        "Documents",
        first,
        second,
        f"{second} - {first}",
        "95 % interval",
        "p",
        "p adjusted",
        "Test",
    )

    def cells(row: Row) -> tuple[str, ...]:
        part, found = row.part, row.part.difference
        shares = part.are_shares
        name = f"{part.dimension}: {part.name}" if part.name is not None else _whole(part)
        return (
            row.task,
            *_if(has_parts, name),
            *_if(has_metrics, part.metric),
            *_if(not is_pair, f"{row.a}, {row.b}"),
            NONE if found.documents is None else str(found.documents),
            quantity(found.figure_a, shares),
            quantity(found.figure_b, shares),
            difference(found.value, shares, signed=True),
            difference_interval(found.interval, shares, signed=True),
            p_value(found.p_value),
            p_value(row.adjusted_p),
            NONE if found.test is None else _TESTS[found.test],
        )

    note = (
        "Differences of shares are in percentage points. Intervals and tests are over prompts; "
        f"adjusted p-values by Holm's method over {counted(comparison.tests, 'test')}."
    )
    if any(row.part.members for row in rows):
        note += (
            " A group's figure is made of its tasks' as the harness makes it, and its test counts "
            "as one more."
        )
    if comparison.small_parts:
        note += f" {small_parts_note(comparison)}"
    return Table((*texts, *numbers), len(texts), [cells(row) for row in rows], "Differences", note)


def _agreements(comparison: Comparison) -> Table:
    first, second = _pair_names(comparison)
    has_right = not comparison.accuracies_are_told
    columns = (
        "Task",
        "Runs",
        "Pairs",
        "Same preference",
        "Kappa",
        "Kappa of errors",
        "Rewards",
        "Margins",
        *_if(has_right, f"{first} right"),
        *_if(has_right, f"{second} right"),
        f"{first} kappa",
        f"{second} kappa",
    )
    rows = tuple(
        (
            row.task,
            f"{row.a}, {row.b}",
            str(found.pairs),
            quantity(found.same, True),
            *(
                number(value, 2)
                for value in (found.kappa, found.errors_kappa, found.rewards, found.margins)
            ),
            *_if(has_right, quantity(found.accuracy_a, True)),
            *_if(has_right, quantity(found.accuracy_b, True)),
            number(found.labels_kappa_a, 2),
            number(found.labels_kappa_b, 2),
        )
        for row in comparison.agreements
        for found in [row.agreement]
    )
    note = (
        "Over the pairs that both judged. Kappa: Cohen's, of the two preferences, every pair in "
        "both orders; of errors: of being right, wrong or undecided. Rewards, margins: Spearman's "
        "rank correlation. "
        f"{'Right, and the' if has_right else 'The'} last two kappas: each with the labels."
    )
    return Table(columns, 2, rows, "Agreement of the judges", note)


def _unmatched(comparison: Comparison) -> Table:
    first, second = _pair_names(comparison)
    rows = tuple(
        (
            one.task,
            f"{one.a}, {one.b}",
            _numbers(one.first_a, one.only_a),
            _numbers(one.first_b, one.only_b),
            str(one.matched),
            str(one.only_a),
            str(one.only_b),
        )
        for one in comparison.unmatched
    )
    columns = (
        "Task",
        "Runs",
        f"Numbers in {first}",
        f"Numbers in {second}",
        "Matched",
        f"Only {first}",
        f"Only {second}",
    )
    return Table(columns, 4, rows, "Documents without a match", "They are not compared.")


def _not_shared(comparison: Comparison) -> Table:
    rows = tuple((one.task, ", ".join(one.runs)) for one in comparison.not_shared)
    return Table(("Task", "In"), 2, rows, "Tasks that not all runs have")


def _settings(comparison: Comparison) -> Table:
    letters = tuple(run.letter for run in comparison.runs)
    rows = tuple(
        (
            one.task or "all",
            one.name,
            *(one.values.get(letter, NONE) for letter in letters),
        )
        for one in comparison.settings
    )
    columns = ("Of", "Setting", *letters)
    return Table(columns, len(columns), rows, "Settings in which the runs differ")


def _pair_names(comparison: Comparison) -> tuple[str, str]:
    if len(comparison.runs) == 2:
        return comparison.runs[0].letter, comparison.runs[1].letter
    return "first", "second"


def _numbers(first: Sequence[str], count: int) -> str:
    shown = ", ".join(first)
    return f"{shown}, …" if count > len(first) else shown or NONE


def _if(condition: bool, text: str) -> tuple[str, ...]:
    return (text,) if condition else ()
