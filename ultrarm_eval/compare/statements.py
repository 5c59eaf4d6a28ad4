"""What follows from a comparison: the sentence of each difference, and each thing said once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ultrarm_eval.compare.comparison import Comparison, Row
from ultrarm_eval.compare.difference import Difference
from ultrarm_eval.compare.parts import FIGURE
from ultrarm_eval.runs.task_result import MAIN_METRIC
from ultrarm_eval.show.formats import amount, difference, difference_interval, p_value
from ultrarm_eval.show.text import visible_name
from ultrarm_eval.stats.interval import Interval
from ultrarm_eval.stats.significance import FEWEST_PROMPTS, holm

#: Adjusted p-values below this show a difference.
LEVEL = 0.05
# Of differences that are not shown as many are spelled out; the table has all.
_NAMED = 12
_INDEPENDENT = " The runs are taken for independent, since the same documents cannot be compared."


@dataclass(frozen=True)
class Statement:
    """Something that follows.

    Attributes:
        text: The sentence.
        is_shown: Whether the tests show a difference.
    """

    text: str
    is_shown: bool


def corrected(rows: Sequence[Row], labels: Mapping[str, str]) -> list[Row]:
    """The rows with adjusted p-values and sentences.

    Args:
        rows: All rows of a comparison.
        labels: What the sentences call the runs, by letter.
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
    """The p-value that is corrected; none of a part that is too small to show anything."""
    return None if row.part.is_too_small else row.part.difference.p_value


def subject(row: Row) -> str:
    """What sentences call what a row is of."""
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
        count = part.difference.prompts
        said = f"On {named.on} there are {count} prompts, too few to tell the runs apart."
    else:
        said = conclusion(part.difference, adjusted_p, tests, named)
    return dataclasses.replace(row, adjusted_p=adjusted_p, conclusion=said)


def statements(comparison: Comparison, rows: Iterable[Row]) -> list[Statement]:
    """What follows from rows: shown differences, and what needs a sentence of its own, first.

    Rows of the same two runs that show no difference, and whose intervals say the same, are one
    sentence.
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
    """How many parts are left out, and why."""
    count = len(comparison.small_parts)
    return (
        f"{count} {'part' if count == 1 else 'parts'} of fewer than {FEWEST_PROMPTS} prompts "
        f"{'is' if count == 1 else 'are'} left out: no test could show a difference there, and "
        "each would count in the correction. JSON and CSV have them."
    )


def _says_nothing_else(row: Row) -> bool:
    """Whether a row shows no difference, and neither its own test nor its interval seems to."""
    found = row.part.difference
    if row.adjusted_p is None or found.p_value is None or found.p_value < LEVEL:
        return False
    return found.interval is None or found.interval.low <= 0 <= found.interval.high


def _together(comparison: Comparison, rows: list[Row]) -> str:
    first = rows[0]
    a, b = (visible_name(comparison.label(letter)) for letter in (first.a, first.b))
    unit = ", in points" if all(row.part.are_shares for row in rows) else ""
    named = "; ".join(map(_told, rows[:_NAMED]))
    more = f"; and {len(rows) - _NAMED} more in the table" if len(rows) > _NAMED else ""
    said = (
        f"No difference is shown between {a} and {b} on {_counted(rows)} ({first.b} less {first.a}"
        f"{unit}, with its 95 % interval): {named}{more}."
    )
    if not first.part.difference.is_paired:
        said += _INDEPENDENT
    return said


def _counted(rows: list[Row]) -> str:
    parts = sum(row.part.name is not None for row in rows)
    groups = sum(bool(row.part.members) for row in rows)
    counts = ((groups, "group"), (len(rows) - groups - parts, "task"), (parts, "part"))
    return " and ".join(
        f"{count} {what}{'' if count == 1 else 's'}" for count, what in counts if count
    )


def _told(row: Row) -> str:
    part, found = row.part, row.part.difference
    shares, interval = part.are_shares, found.interval
    said = f"{subject(row)} {difference(found.value, shares, signed=True)}"
    if interval is not None:
        said += f" ({difference_interval(interval, shares, signed=True)})"
    return said


@dataclass(frozen=True)
class Named:
    """What a sentence calls things.

    Attributes:
        a: The first run.
        b: The second run.
        on: The task or its part.
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
    """Whether the tests show a difference."""
    return adjusted_p is not None and adjusted_p < LEVEL


def conclusion(found: Difference, adjusted_p: float | None, tests: int, named: Named) -> str:
    """The sentence.

    The p-value adjusted for all tests decides. Where the interval, which is of this difference
    alone, seems to say something else, the sentence says why.

    Args:
        found: The difference.
        adjusted_p: Its p-value after Holm's correction; None where there was no test.
        tests: How many tests it is corrected for.
        named: What things are called.
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
    apart = amount(abs(found.value), named.are_shares)
    better = "higher" if named.higher_is_better is None else "better"
    said = f"{winner} is {better} than {other} by {apart} on {named.on}{_metric(named)}"
    if interval is None:
        return f"{said}, adjusted p {p_value(adjusted_p)}; the prompts are too few for an interval."
    said += f", {_between(interval, named)}"
    if interval.low <= 0:
        said += (
            f"; the interval reaches 0, but the test does not (adjusted p {p_value(adjusted_p)})"
        )
    return f"{said}."


def _not_shown(found: Difference, adjusted_p: float, tests: int, named: Named) -> str:
    winner, _, interval = _in_favour(found, named)
    is_for_correction = found.p_value is not None and found.p_value < LEVEL
    no = f"After correction for {tests} tests no" if is_for_correction else "No"
    said = (
        f"{no} difference is shown between {named.a} and {named.b} on {named.on}{_metric(named)}: "
        f"{amount(abs(found.value), named.are_shares)}"
    )
    if found.value:
        said += (
            f" more for {winner}" if named.higher_is_better is None else f" in favour of {winner}"
        )
    if interval is None:
        return f"{said}, p {p_value(adjusted_p)}; the prompts are too few for an interval."
    said += f", {_between(interval, named)}"
    if is_for_correction:
        said += f", p {p_value(found.p_value)} taken alone and {p_value(adjusted_p)} adjusted"
    elif interval.low > 0:
        said += f", which leaves out 0, but the test finds p {p_value(found.p_value)}"
    reach = max(abs(interval.low), abs(interval.high))
    if not reach:
        return f"{said}."
    reached = amount(reach, named.are_shares)
    return f"{said}; a difference of up to {reached} is compatible with the data."


def _in_favour(found: Difference, named: Named) -> tuple[str, str, Interval | None]:
    """The better run, or the higher one, the other, and the interval of what it is ahead by."""
    b_leads = (found.value > 0) == (named.higher_is_better is not False)
    leads = (named.b, named.a) if b_leads else (named.a, named.b)
    interval = found.interval
    if interval is not None and found.value < 0:
        interval = Interval(-interval.high, -interval.low, interval.level, interval.method)
    return (*leads, interval)


def _untested(found: Difference, named: Named) -> str:
    apart = amount(found.value, named.are_shares)
    return (
        f"{named.b} less {named.a} is {apart} on {named.on}{_metric(named)}; without standard "
        "errors or samples nothing says whether that is chance."
    )


def _metric(named: Named) -> str:
    if named.metric == "acc":
        return ""
    direction = {True: "", False: ", lower is better", None: ", no direction is said to be better"}
    return f" ({named.metric}{direction[named.higher_is_better]})"


def _between(interval: Interval, named: Named) -> str:
    return f"95 % interval {difference_interval(interval, named.are_shares)}"
