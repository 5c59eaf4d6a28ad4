"""A comparison for a terminal, and the same in Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ultrarm_eval.compare.comparison import ACCURACY_OF_PAIRS, Comparison, Row
from ultrarm_eval.compare.parts import Part
from ultrarm_eval.compare.statements import small_parts_note, statements
from ultrarm_eval.data.counts import counted
from ultrarm_eval.show.formats import (
    NONE,
    count,
    difference,
    difference_interval,
    number,
    p_value,
    quantity,
)
from ultrarm_eval.show.table import Table
from ultrarm_eval.show.text import markdown
from ultrarm_eval.terminal import printable

# What begins a list, a rule or a heading at the start of a line.
_STARTS = re.compile(r"^(\d*)([-+=.)])")
_ESCAPED = r"\1\\\2"
_TESTS = {"mcnemar": "McNemar, exact", "sign-flip": "sign-flip", "unpaired z": "unpaired z"}


def as_text(comparison: Comparison) -> str:
    """The comparison as aligned tables."""
    runs, *others = _tables(comparison)
    parts = [runs.as_text(head=False)]
    if comparison.cautions:
        parts.append(_block("Cautions", comparison.cautions))
    parts.append(_block("Findings", _said(comparison)))
    for table in others:
        note = f"{table.note}\n" if table.note else ""
        parts.append(f"{table.title}\n{note}{table.as_text()}")
    return "\n".join(part for part in parts if part)


def as_markdown(comparison: Comparison) -> str:
    """The comparison as a Markdown document."""
    runs, *others = _tables(comparison)
    parts = ["# Comparison of runs\n", runs.as_markdown(none="-")]
    if comparison.cautions:
        parts.append("## Cautions\n\n" + _listed(comparison.cautions))
    if comparison.rows:
        parts.append("## Findings\n\n" + _listed(_said(comparison)))
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
        *_if(has_parts, "Subset"),
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
        "adjusted p",
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
            count(found.documents),
            quantity(found.figure_a, shares),
            quantity(found.figure_b, shares),
            difference(found.value, shares, signed=True),
            difference_interval(found.interval, shares, signed=True),
            p_value(found.p_value),
            p_value(row.adjusted_p),
            NONE if found.test is None else _TESTS[found.test],
        )

    note = (
        "Differences of shares are in percentage points. Intervals and tests are clustered by "
        f"prompt; p-values are adjusted for {counted(comparison.tests, 'test')} with Holm's method."
    )
    if any(row.part.members for row in rows):
        note += (
            " A group's value is aggregated from its tasks as in lm-eval; each group is one more "
            "test."
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
        *_if(has_right, f"{first} accuracy"),
        *_if(has_right, f"{second} accuracy"),
        f"{first} label kappa",
        f"{second} label kappa",
    )
    rows = tuple(
        (
            row.task,
            f"{row.a}, {row.b}",
            count(found.pairs),
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
        "Over the pairs that both runs judged. Kappa: Cohen's kappa of the preferences, with each "
        "pair counted in both orders; of errors: of being correct, incorrect or undecided. "
        "Rewards, margins: Spearman's rank correlation. "
        "Label kappa: each judge against the labels."
    )
    if has_right:
        note += f" {ACCURACY_OF_PAIRS}"
    return Table(columns, 2, rows, "Agreement between judges", note)


def _unmatched(comparison: Comparison) -> Table:
    first, second = _pair_names(comparison)
    rows = tuple(
        (
            one.task,
            f"{one.a}, {one.b}",
            _numbers(one.first_a, one.only_a),
            _numbers(one.first_b, one.only_b),
            count(one.matched),
            count(one.only_a),
            count(one.only_b),
        )
        for one in comparison.unmatched
    )
    columns = (
        "Task",
        "Runs",
        f"Indices in {first}",
        f"Indices in {second}",
        "Matched",
        f"Only {first}",
        f"Only {second}",
    )
    return Table(columns, 4, rows, "Unmatched documents", "Excluded from the comparison.")


def _not_shared(comparison: Comparison) -> Table:
    rows = tuple((one.task, ", ".join(one.runs)) for one in comparison.not_shared)
    return Table(("Task", "In"), 2, rows, "Tasks missing from some runs")


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
    return Table(columns, len(columns), rows, "Settings that differ")


def _pair_names(comparison: Comparison) -> tuple[str, str]:
    if len(comparison.runs) == 2:
        return comparison.runs[0].letter, comparison.runs[1].letter
    return "first", "second"


def _numbers(first: Sequence[str], total: int) -> str:
    shown = ", ".join(first)
    return f"{shown}, …" if total > len(first) else shown or NONE


def _if(condition: bool, text: str) -> tuple[str, ...]:
    return (text,) if condition else ()
