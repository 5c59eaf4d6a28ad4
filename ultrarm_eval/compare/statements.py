"""What follows from a comparison, each thing once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ultrarm_eval.compare.comparison import Comparison, Row
from ultrarm_eval.compare.conclusions import LEVEL, is_shown
from ultrarm_eval.compare.corrected import subject
from ultrarm_eval.report.slices import FEWEST_PROMPTS
from ultrarm_eval.show.formats import difference, difference_interval
from ultrarm_eval.show.text import visible_name

# Of differences that are not shown as many are spelled out; the table has all.
_NAMED = 12


@dataclass(frozen=True)
class Statement:
    """Something that follows.

    Attributes:
        text: The sentence.
        is_shown: Whether the tests show a difference.
    """

    text: str
    is_shown: bool


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
        said += " The runs are taken for independent, since the same documents cannot be compared."
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
