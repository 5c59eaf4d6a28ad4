"""Two runs on a group of tasks: how its value is aggregated, and the difference."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ultrarm_eval.compare.cautions import Cautions, some_of
from ultrarm_eval.compare.composites import PairedMean, composite_difference, own_means
from ultrarm_eval.compare.parts import Part, Side, direction_of, unpaired_part
from ultrarm_eval.runs.evaluation import Evaluation
from ultrarm_eval.runs.figure import is_share
from ultrarm_eval.runs.identity import task_settings
from ultrarm_eval.runs.matching import match_documents
from ultrarm_eval.runs.samples import Samples
from ultrarm_eval.runs.shared_tasks import SharedTask, shared_tasks
from ultrarm_eval.runs.task_result import TaskResult

#: How lm-eval aggregates a group's value from those of its tasks.
BY_TASK, BY_SIZE = "mean over tasks", "mean weighted by size"
_SLACK = 1e-9
#: Reads the samples of a task for a metric and filter.
Observe = Callable[[TaskResult, str], Samples | None]


@dataclass(frozen=True)
class GroupSide:
    """A run's results on a group.

    Attributes:
        group: lm-eval's result of the group; None where the run only has its tasks.
        members: Its tasks' results.
        missing: The tasks that the run does not have.
    """

    group: TaskResult | None
    members: Mapping[str, TaskResult]
    missing: tuple[str, ...]


def shared_groups(evaluations: Sequence[Evaluation]) -> list[SharedTask]:
    """The groups that any of the runs has a value of."""
    results = [
        (place, result)
        for place, evaluation in enumerate(evaluations)
        for result in evaluation.groups.values()
        if result.main_figure is not None and result.members != (result,)
    ]
    return shared_tasks(results, by_name=True)


def group_side(group: SharedTask, place: int, evaluation: Evaluation) -> GroupSide:
    """One run's results on a group that it or another run has.

    Args:
        group: The group.
        place: The run's place among all.
        evaluation: The run.
    """
    own = group.results.get(place)
    if own is not None:
        members = own.members
        found = {_own(one): one for one in members if one.key in own.run.results["results"]}
    else:
        members = next(iter(group.results.values())).members
        found = {}
        for member in members:
            settings = task_settings(member.run, member.key)
            named = [one for one in evaluation.tasks.values() if _own(one) == _own(member)]
            alike = [one for one in named if task_settings(one.run, one.key) == settings]
            # If there is only one, a setting that differs is reported as for any task.
            chosen = alike or named
            if len(chosen) == 1:
                found[_own(member)] = chosen[0]
    return GroupSide(own, found, tuple(n for n in map(_own, members) if n not in found))


def _own(result: TaskResult) -> str:
    """The name of a task within its group."""
    return result.run.name_of(result.key).own


def group_part(
    title: str,
    letters: tuple[str, str],
    sides: tuple[GroupSide, GroupSide],
    observe: Observe,
    cautions: Cautions,
) -> Part | None:
    """The difference on a group; None, with a caution, where it cannot be compared.

    Args:
        title: The group's title.
        letters: The runs' letters.
        sides: Their results on the group; at least one has its value.
        observe: Reads samples.
        cautions: Collects cautions.
    """
    missing = [(letter, s.missing) for letter, s in zip(letters, sides, strict=True) if s.missing]
    if missing:
        each = "; ".join(f"{letter} has no {some_of(names)}" for letter, names in missing)
        cautions.add(f"The group is not compared, because tasks of it are missing: {each}.", title)
        return None
    if set(sides[0].members) != set(sides[1].members):
        cautions.add(
            f"The group is not compared, because its tasks in {letters[0]} and {letters[1]} "
            "differ.",
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


def weighting(sides: Sequence[GroupSide], key: str) -> str | None:
    """How a group's value is aggregated from its tasks, inferred from the runs' own values.

    lm-eval does not record it.

    Args:
        sides: The runs.
        key: Metric and filter.

    Returns:
        `BY_TASK` or `BY_SIZE`; None where it is another aggregate, or the runs differ.
    """
    fitting = {BY_TASK, BY_SIZE}
    for side in sides:
        if side.group is not None:
            fitting &= _fitting(side.group, side.members, key)
    if BY_TASK in fitting and BY_SIZE in fitting:
        sizes = {one.documents for side in sides for one in side.members.values()}
        # Where both agree in every run, the task sizes decide; lm-eval weights by size by default.
        return BY_TASK if len(sizes) == 1 else BY_SIZE
    return fitting.pop() if fitting else None


def _fitting(group: TaskResult, members: Mapping[str, TaskResult], key: str) -> set[str]:
    if key not in group.metrics or not all(key in one.metrics for one in members.values()):
        return set()
    value = group.figure(key).value
    figures = [one.figure(key).value for one in members.values()]
    made = {BY_TASK: math.fsum(figures) / len(figures)}
    sizes = [one.documents for one in members.values()]
    known = [size for size in sizes if size is not None]
    if len(known) == len(sizes) and any(known):
        made[BY_SIZE] = _weighted(figures, known)
    slack = _SLACK * max(1.0, abs(value))
    return {name for name, one in made.items() if abs(one - value) <= slack}


def _weighted(figures: Sequence[float], sizes: Sequence[int]) -> float:
    return math.fsum(n * v for n, v in zip(sizes, figures, strict=True)) / math.fsum(sizes)


def _means(
    sides: tuple[GroupSide, GroupSide], key: str, observe: Observe
) -> dict[str, list[PairedMean]] | None:
    """The means of each task; None where a task has no document with values of both runs."""
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
        "not every task of the group has samples of the same documents in both runs"
        if lack_samples
        else "the group's value is not a mean of its tasks' values"
    )
    first, second = sides[0].group, sides[1].group
    part = None
    if first is not None and second is not None:
        part = unpaired_part(Side(letters[0], first, None), Side(letters[1], second, None))
    what = "not compared" if part is None else "compared by its values and standard errors only"
    cautions.add(f"{letters[0]} and {letters[1]}: the group is {what}, because {why}.", title)
    return part
