"""What follows from a difference, in one sentence."""

from __future__ import annotations

from dataclasses import dataclass

from ultrarm_eval.compare.difference import Difference
from ultrarm_eval.show.formats import amount, difference_interval, p_value
from ultrarm_eval.stats.intervals import Interval

#: Adjusted p-values below this show a difference.
LEVEL = 0.05


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
        said += " The runs are taken for independent, since the same documents cannot be compared."
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
