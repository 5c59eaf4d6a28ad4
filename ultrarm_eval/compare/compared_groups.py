"""Two runs on a group of tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ultrarm_eval.compare.cautions import Cautions
from ultrarm_eval.compare.compared_tasks import Part, Side, direction_of, unpaired_part
from ultrarm_eval.compare.composites import PairedMean, composite_difference, own_means
from ultrarm_eval.compare.shared_groups import BY_SIZE, GroupSide, weighting
from ultrarm_eval.runs.figure import is_share
from ultrarm_eval.runs.matching import match_documents
from ultrarm_eval.runs.observations import Observations
from ultrarm_eval.runs.task_result import TaskResult

# Of the tasks that a run lacks, as many are named.
_NAMED = 4
#: Reads the samples of a task for a metric and filter.
Observe = Callable[[TaskResult, str], Observations | None]


def group_part(
    title: str,
    letters: tuple[str, str],
    sides: tuple[GroupSide, GroupSide],
    observe: Observe,
    cautions: Cautions,
) -> Part | None:
    """The difference on a group; None where it cannot be compared, which is said.

    Args:
        title: The group's title.
        letters: The runs' letters.
        sides: What they say about the group; at least one has its figure.
        observe: Reads samples.
        cautions: Where what has to be known is said.
    """
    missing = [(letter, s.missing) for letter, s in zip(letters, sides, strict=True) if s.missing]
    if missing:
        each = "; ".join(f"{letter} has no {_listed(names)}" for letter, names in missing)
        cautions.add(f"The group is not compared, for a task of it is missing: {each}.", title)
        return None
    if set(sides[0].members) != set(sides[1].members):
        cautions.add(
            f"The group has other tasks in {letters[0]} than in {letters[1]}, and is not compared.",
            title,
        )
        return None
    figures = [side.group for side in sides if side.group is not None]
    main = figures[0].main_figure
    key = "" if main is None else main.key
    means = _means(sides, key, observe)
    way = weighting(sides, key)
    if means is None or way is None:
        return _unpaired(title, letters, sides, means is None, cautions)
    weights = _weights(sides, means, way)
    weighted = [one.times(weights[name]) for name, of in means.items() for one in of]
    metric = key.partition(",")[0]
    a, b = (Side(x, f, None) for x, f in zip(letters, (figures[0], figures[-1]), strict=True))
    are_shares = _are_shares(metric, means)
    return Part(
        metric,
        are_shares,
        direction_of(a, b, metric),
        None,
        None,
        composite_difference(weighted, are_shares=are_shares),
        tuple(means),
        way,
    )


def _means(
    sides: tuple[GroupSide, GroupSide], key: str, observe: Observe
) -> dict[str, list[PairedMean]] | None:
    """The means of each task; None where one has no document with values of both runs."""
    found = {}
    for name in sides[0].members:
        both = [observe(side.members[name], key) for side in sides]
        a, b = both
        means = [] if a is None or b is None else own_means(a, b, match_documents(a, b))
        if not means:
            return None
        found[name] = means
    return found


def _weights(
    sides: tuple[GroupSide, GroupSide], means: dict[str, list[PairedMean]], way: str
) -> dict[str, float]:
    if way != BY_SIZE:
        return dict.fromkeys(means, 1 / len(means))
    sizes = [{name: side.members[name].documents for name in means} for side in sides]
    if sizes[0] == sizes[1] and None not in sizes[0].values():
        counts = {name: size or 0 for name, size in sizes[0].items()}
    else:
        counts = {name: sum(one.documents for one in of) for name, of in means.items()}
    total = sum(counts.values())
    return {name: count / total for name, count in counts.items()}


def _are_shares(metric: str, means: dict[str, list[PairedMean]]) -> bool:
    values = [side for of in means.values() for one in of for side in (one.a, one.b)]
    return is_share(metric) and all(side.min() >= 0 and side.max() <= 1 for side in values)


def _unpaired(
    title: str,
    letters: tuple[str, str],
    sides: tuple[GroupSide, GroupSide],
    lack_samples: bool,
    cautions: Cautions,
) -> Part | None:
    why = (
        "not every task of the group has samples of the same documents in both"
        if lack_samples
        else "the group's figure is no mean of its tasks' figures"
    )
    first, second = sides[0].group, sides[1].group
    part = None
    if first is not None and second is not None:
        part = unpaired_part(Side(letters[0], first, None), Side(letters[1], second, None))
    what = "is not compared" if part is None else "is compared by its figures and standard errors"
    cautions.add(f"Between {letters[0]} and {letters[1]} the group {what}: {why}.", title)
    return part


def _listed(names: Sequence[str]) -> str:
    if len(names) <= _NAMED:
        return ", ".join(names)
    return f"{', '.join(names[: _NAMED - 1])} and {len(names) - _NAMED + 1} others"
