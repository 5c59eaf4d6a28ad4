"""The findings of a comparison: one sentence per difference, similar ones merged."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ultrarm_eval.compare.comparison import Comparison, Row
from ultrarm_eval.compare.difference import Difference
from ultrarm_eval.compare.parts import FIGURE
from ultrarm_eval.data.counts import counted
from ultrarm_eval.runs.task_result import MAIN_METRIC
from ultrarm_eval.show.formats import (
    amount,
    count,
    difference,
    difference_interval,
    p_value,
)
from ultrarm_eval.show.text import visible_name
from ultrarm_eval.stats.interval import Interval
from ultrarm_eval.stats.significance import FEWEST_PROMPTS, holm

#: Differences with adjusted p-values below this are significant.
LEVEL = 0.05
# An interval that reaches this far is uninformative: half of the possible difference of shares.
_WIDE = 0.5
# The maximum number of differences without significance in a sentence; the table has all.
_NAMED = 12
_INDEPENDENT = " The runs are treated as independent, because their documents cannot be matched."


@dataclass(frozen=True)
class Statement:
    """A finding.

    Attributes:
        text: The sentence.
        is_shown: Whether the difference is significant.
    """

    text: str
    is_shown: bool


def corrected(rows: Sequence[Row], labels: Mapping[str, str]) -> list[Row]:
    """The rows with adjusted p-values and sentences.

    Args:
        rows: All rows of a comparison.
        labels: The names of the runs in the sentences, by letter.
    """
    tested = [p for row in rows if (p := _tested(row)) is not None]
    adjusted = iter(holm(tested))
    return [
        _concluded(
            row,
            None if _tested(row) is None else next(adjusted),
            len(tested),
            labels,
        )
        for row in rows
    ]


def _tested(row: Row) -> float | None:
    """The p-value to correct; None for a subset that is too small to test."""
    return None if row.part.is_too_small else row.part.difference.p_value


def subject(row: Row) -> str:
    """The name of a row's task or subset in a sentence."""
    part, task = row.part, visible_name(row.task)
    if part.name is None:
        return task
    kind = "" if part.dimension == FIGURE else f"{part.dimension} "
    return f"{task}, {kind}{visible_name(part.name)}"


def _concluded(row: Row, adjusted_p: float | None, tests: int, labels: Mapping[str, str]) -> Row:
    part = row.part
    named = Named(
        labels[row.a],
        labels[row.b],
        subject(row),
        MAIN_METRIC if part.dimension == FIGURE else visible_name(part.metric),
        part.are_shares,
        part.higher_is_better,
    )
    if part.is_too_small:
        prompts = _prompts(part.difference.prompts or 0)
        said = f"{named.on}: {prompts} too few to compare the runs."
    else:
        said = conclusion(part.difference, adjusted_p, tests, named)
    return dataclasses.replace(row, adjusted_p=adjusted_p, conclusion=said)


def statements(comparison: Comparison, rows: Iterable[Row]) -> list[Statement]:
    """The findings of rows, significant differences first.

    Rows of the same two runs whose tests and intervals both show no significant difference are
    merged into one sentence.
    """
    said: list[Statement] = []
    alike: dict[tuple[str, str, bool], list[Row]] = {}
    for row in rows:
        if _says_nothing_else(row):
            key = row.a, row.b, row.part.difference.is_paired
            alike.setdefault(key, []).append(row)
        else:
            said.append(Statement(row.conclusion, is_shown(row.adjusted_p)))
    for of_two in alike.values():
        one = of_two[0].conclusion if len(of_two) == 1 else _together(comparison, of_two)
        said.append(Statement(one, False))
    return said


def small_parts_note(comparison: Comparison) -> str:
    """How many subsets are not tested, and why."""
    size = len(comparison.small_parts)
    return (
        f"{counted(size, 'subset')} with fewer than {FEWEST_PROMPTS} prompts "
        f"{'is' if size == 1 else 'are'} not tested and not shown: no test could be significant "
        f"there, but each would count in the correction. JSON and CSV contain "
        f"{'it' if size == 1 else 'them'}."
    )


def _says_nothing_else(row: Row) -> bool:
    """Whether neither the test of a row, even unadjusted, nor its interval shows a difference."""
    found = row.part.difference
    if row.adjusted_p is None or found.p_value is None or found.p_value < LEVEL:
        return False
    return found.interval is None or found.interval.low <= 0 <= found.interval.high


def _together(comparison: Comparison, rows: list[Row]) -> str:
    first = rows[0]
    a, b = (visible_name(comparison.label(letter)) for letter in (first.a, first.b))
    unit = "points, " if all(row.part.are_shares for row in rows) else ""
    named = "; ".join(map(_in_short, rows[:_NAMED]))
    more = f"; and {count(len(rows) - _NAMED)} more in the table" if len(rows) > _NAMED else ""
    said = (
        f"There is no significant difference between {a} and {b} on {_counted(rows)}. Differences, "
        f"{first.b} minus {first.a} ({unit}95 % interval): {named}{more}."
    )
    if not first.part.difference.is_paired:
        said += _INDEPENDENT
    return said


def _counted(rows: list[Row]) -> str:
    parts = sum(row.part.name is not None for row in rows)
    groups = sum(bool(row.part.members) for row in rows)
    counts = ((groups, "group"), (len(rows) - groups - parts, "task"), (parts, "subset"))
    return " and ".join(counted(size, what) for size, what in counts if size)


def _in_short(row: Row) -> str:
    part, found = row.part, row.part.difference
    shares, interval = part.are_shares, found.interval
    said = f"{subject(row)} {difference(found.value, shares, signed=True)}"
    if interval is not None:
        said += f" ({difference_interval(interval, shares, signed=True)})"
    return f"{said}, too few prompts" if _too_few_prompts(found, shares) else said


@dataclass(frozen=True)
class Named:
    """The names in a sentence.

    Attributes:
        a: The first run.
        b: The second run.
        on: The task or its subset.
        metric: The metric.
        are_shares: Whether its values are shares, whose differences are percentage points.
        higher_is_better: Whether a higher value is better; None where the runs do not say.
    """

    a: str
    b: str
    on: str
    metric: str
    are_shares: bool
    higher_is_better: bool | None


def is_shown(adjusted_p: float | None) -> bool:
    """Whether a difference is significant."""
    return adjusted_p is not None and adjusted_p < LEVEL


def conclusion(found: Difference, adjusted_p: float | None, tests: int, named: Named) -> str:
    """The sentence.

    The p-value adjusted for all tests decides. Where the interval, which is not adjusted, seems to
    contradict it, the sentence explains why.

    Args:
        found: The difference.
        adjusted_p: Its p-value after Holm's correction; None where there was no test.
        tests: How many tests it is corrected for.
        named: The names of the runs, the task and the metric.
    """
    if adjusted_p is None:
        said = _untested(found, named)
    elif is_shown(adjusted_p):
        said = _shown(found, adjusted_p, named)
    else:
        said = _not_shown(found, adjusted_p, tests, named)
    if not found.is_paired:
        said += _INDEPENDENT
    return said


def _shown(found: Difference, adjusted_p: float, named: Named) -> str:
    winner, other, interval = _in_favour(found, named)
    better = "higher" if named.higher_is_better is None else "better"
    said = (
        f"{winner} is significantly {better} than {other} on {named.on}{_metric(named)}, by "
        f"{amount(abs(found.value), named.are_shares)}"
    )
    if interval is None:
        return f"{said} (adjusted {_p(adjusted_p)}; {_without_interval(found)})."
    said += f" ({_between(interval, named)}, adjusted {_p(adjusted_p)})."
    if interval.low <= 0:
        said += " The interval includes 0, but the test is significant."
    return said


def _not_shown(found: Difference, adjusted_p: float, tests: int, named: Named) -> str:
    winner, _, interval = _in_favour(found, named)
    is_for_correction = found.p_value is not None and found.p_value < LEVEL
    there = f"After Holm's correction for {tests} tests there" if is_for_correction else "There"
    said = (
        f"{there} is no significant difference between {named.a} and {named.b} on {named.on}"
        f"{_metric(named)}: {amount(abs(found.value), named.are_shares)}"
    )
    if found.value:
        higher = "higher for" if named.higher_is_better is None else "in favor of"
        said += f" {higher} {winner}"
    p_values = f"adjusted {_p(adjusted_p)}" if tests > 1 else _p(adjusted_p)
    if is_for_correction:
        p_values = f"unadjusted {_p(found.p_value)}, adjusted {_p(adjusted_p)}"
    if interval is None:
        return f"{said} ({p_values}; {_without_interval(found)})."
    said += f" ({_between(interval, named)}, {p_values})."
    if interval.low > 0 and not is_for_correction:
        said += " The interval excludes 0, but the test is not significant."
    reach = max(abs(interval.low), abs(interval.high))
    if not reach:
        return said
    reached = amount(reach, named.are_shares)
    said += f" The data are compatible with a difference of up to {reached}"
    few = _too_few_prompts(found, named.are_shares)
    return f"{said}: {_prompts(few)} too few to compare the runs." if few else f"{said}."


def _without_interval(found: Difference) -> str:
    if found.is_constant:
        return "no interval, because all prompts differ alike"
    return "too few prompts for an interval"


def _too_few_prompts(found: Difference, are_shares: bool) -> int | None:
    """How many prompts a difference is over, where it says nothing about the runs."""
    if found.prompts is None or found.interval is None:
        return None
    is_wide = are_shares and max(map(abs, found.interval.ends)) >= _WIDE
    return found.prompts if found.prompts < FEWEST_PROMPTS or is_wide else None


def _prompts(number: int) -> str:
    return "1 prompt is" if number == 1 else f"{count(number)} prompts are"


def _in_favour(found: Difference, named: Named) -> tuple[str, str, Interval | None]:
    """The better (or higher) run, the other one, and the interval of the lead."""
    b_leads = (found.value > 0) == (named.higher_is_better is not False)
    leads = (named.b, named.a) if b_leads else (named.a, named.b)
    interval = found.interval
    if interval is not None and found.value < 0:
        interval = Interval(-interval.high, -interval.low, interval.level, interval.method)
    return (*leads, interval)


def _untested(found: Difference, named: Named) -> str:
    apart = amount(found.value, named.are_shares)
    return (
        f"{named.b} minus {named.a} is {apart} on {named.on}{_metric(named)}. Without standard "
        "errors or samples the difference cannot be tested."
    )


def _metric(named: Named) -> str:
    if named.metric == "acc":
        return ""
    direction = {True: "", False: ", lower is better", None: ", neither direction is better"}
    return f" ({named.metric}{direction[named.higher_is_better]})"


def _between(interval: Interval, named: Named) -> str:
    return f"95 % interval {difference_interval(interval, named.are_shares)}"


def _p(value: float | None) -> str:
    written = p_value(value)
    return f"p {written}" if written.startswith("<") else f"p = {written}"
