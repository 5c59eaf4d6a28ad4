"""The pairs that a report shows, with their texts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ultrarm_eval.messages import well_formed
from ultrarm_eval.report.pair_choice import (
    ANY,
    CLOSE,
    DISAGREEMENT,
    LOSS,
    MISTAKE,
    ChosenPair,
    PairTexts,
    choose_pairs,
    first_of_each,
    read_texts,
)
from ultrarm_eval.runs.evaluation import Evaluation
from ultrarm_eval.runs.matching import match_documents, match_pairs
from ultrarm_eval.runs.samples import Samples
from ultrarm_eval.runs.shared_tasks import shared_tasks
from ultrarm_eval.runs.task_result import TaskResult
from ultrarm_eval.show.page import size_in_page
from ultrarm_eval.show.text import visible_name

#: Why pairs are shown, in the order in which they are.
REASONS = (DISAGREEMENT, MISTAKE, LOSS, CLOSE, ANY)
#: Characters of a text that are shown.
LONGEST_TEXT = 20_000
#: Bytes of all pairs together: the page has to open at once.
MOST_BYTES = 8_000_000
# Overhead of the names around a text or a pair in a page.
_BYTES_OF_TEXT = 60
_BYTES_OF_PAIR = 200


@dataclass(frozen=True)
class ShownText:
    """A text.

    Attributes:
        text: The text, cut after `LONGEST_TEXT` characters.
        length: Its characters.
        name: Who wrote it, or the role of the turn; None if unknown.
    """

    text: str
    length: int
    name: str | None


@dataclass(frozen=True)
class SideTokens:
    """The tokens of an answer.

    Attributes:
        tokens: Their texts.
        rewards: The reward if the answer ended after the token; None where there is none.
        changes: Its change from the reward after the previous token; None where that has none.
        cut: Whether the answer's beginning was truncated.
    """

    tokens: tuple[str, ...]
    rewards: tuple[float | None, ...]
    changes: tuple[float | None, ...]
    cut: bool = False


@dataclass(frozen=True)
class ShownPair:
    """A pair with its texts.

    Attributes:
        judge: Label of the judge whose report it is in.
        task: Title of its task.
        kind: What its sides are, see `ultrarm_eval.runs.sample`.
        reason: Why it is shown.
        document: lm-eval's index of its document.
        parts: The subsets that the document belongs to.
        gap: Difference of the ratings; None where there are none.
        rewards: By judge, the reward of the chosen and of the rejected answer.
        prompt: The turns before the answers.
        chosen: The chosen answer, or the model's.
        rejected: The rejected answer, or the reference.
        tokens: The tokens of both, with the judge's reward after each, where requested.
    """

    judge: str
    task: str
    kind: str
    reason: str
    document: int | str | None
    parts: Mapping[str, str]
    gap: float | None
    rewards: Mapping[str, tuple[float, float]]
    prompt: tuple[ShownText, ...]
    chosen: ShownText
    rejected: ShownText
    tokens: tuple[SideTokens, SideTokens] | None = None

    @property
    def size(self) -> int:
        """Bytes that it takes in a page, without its tokens."""
        texts = (*self.prompt, self.chosen, self.rejected)
        names = (self.task, *self.parts, *self.parts.values(), *self.rewards)
        return (
            sum(size_in_page(one.text) + len(one.name or "") + _BYTES_OF_TEXT for one in texts)
            + sum(map(size_in_page, names))
            + _BYTES_OF_PAIR
        )


@dataclass(frozen=True)
class Candidate:
    """A pair that could be shown.

    Attributes:
        judge: Label of the judge.
        task: Title of the task.
        samples: The task's samples.
        chosen: The pair, and why.
        others: Rewards of the same pair by other judges.
    """

    judge: str
    task: str
    samples: Samples
    chosen: ChosenPair
    others: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def candidates(judge: str, task: str, samples: Samples, each: int) -> list[Candidate]:
    """The pairs of a task worth reading, for each reason the worst first."""
    if not len(samples.pairs):
        return []
    return [Candidate(judge, task, samples, chosen) for chosen in choose_pairs(samples, each)]


def disagreements(
    evaluations: Sequence[Evaluation], samples: Mapping[str, Mapping[str, Samples]], each: int
) -> list[Candidate]:
    """The pairs that two judges rank in opposite order, the most confident first.

    Rewards of different judges have different scales: a margin counts in units of the root mean
    square of its judge's margins in the task.

    Args:
        evaluations: The judges' results.
        samples: Their samples by label and title of the task.
        each: The most pairs of each task and two judges; of one document at most one.
    """
    found = []
    for both in itertools.combinations(evaluations, 2):
        results = [
            (place, result) for place, one in enumerate(both) for result in one.tasks.values()
        ]
        for task in shared_tasks(results, by_name=True):
            titles = [_title(both[place], result) for place, result in task.results.items()]
            of_both = [
                known
                for place, title in zip(task.results, titles, strict=True)
                if (known := samples[both[place].label].get(title)) is not None and known.digest
            ]
            if len(of_both) == 2:
                found += _of_two(titles[0], both, of_both, each)
    return found


def show_pairs(given: Sequence[Candidate]) -> tuple[list[ShownPair], int]:
    """Reads the texts of as many pairs as a page holds.

    Args:
        given: The candidates. Where not all fit, every task and reason keeps its first ones.

    Returns:
        The pairs by reason, of each reason the first of every task, then the second, ...; and how
        many did not fit.

    Raises:
        DataError: A file of samples was changed since it was read.
    """
    shown: dict[int, ShownPair] = {}
    left = MOST_BYTES
    for index in _in_turns(given):
        pair = _shown(given[index])
        if pair.size > left:
            # A smaller one may still fit, but then what is shown would depend on length.
            break
        left -= pair.size
        shown[index] = pair
    by_reason = sorted(shown.values(), key=lambda pair: REASONS.index(pair.reason))
    return by_reason, len(given) - len(shown)


def _in_turns(given: Sequence[Candidate]) -> Iterator[int]:
    """The candidates' indices: the first of each judge, task and reason, then the second, ..."""
    lists: dict[tuple[str, str, str], list[int]] = {}
    for index, one in enumerate(given):
        lists.setdefault((one.judge, one.task, one.chosen.reason), []).append(index)
    for turn in range(max(map(len, lists.values()), default=0)):
        yield from (indices[turn] for indices in lists.values() if turn < len(indices))


def _shown(candidate: Candidate) -> ShownPair:
    samples, pair = candidate.samples, candidate.chosen.pair
    of_pair = samples.pairs.iloc[pair]
    document, gap = int(of_pair.document), float(of_pair.gap)
    texts = read_texts(samples, pair)
    number = samples.documents.number[document]
    number = number if isinstance(number, int | str) else None
    return ShownPair(
        candidate.judge,
        candidate.task,
        str(samples.kind),
        candidate.chosen.reason,
        visible_name(number) if isinstance(number, str) else number,
        {
            visible_name(name): visible_name(part)
            for name, part in samples.parts.iloc[document].items()
            if part
        },
        None if gap != gap else round(gap, 6),
        {candidate.judge: _rewards(of_pair), **candidate.others},
        tuple(_cut(content, role) for role, content in texts.prompt),
        *_sides(texts),
    )


def _rewards(pair: pd.Series) -> tuple[float, float]:
    return float(pair.chosen_reward), float(pair.rejected_reward)


def _sides(texts: PairTexts) -> tuple[ShownText, ShownText]:
    return _cut(texts.chosen, texts.chosen_name), _cut(texts.rejected, texts.rejected_name)


def _cut(text: str, name: str | None) -> ShownText:
    shown = well_formed(text[:LONGEST_TEXT])
    return ShownText(shown, len(text), None if name is None else visible_name(name))


def _title(evaluation: Evaluation, result: TaskResult) -> str:
    return next(title for title, one in evaluation.tasks.items() if one is result)


def _of_two(
    task: str, judges: Sequence[Evaluation], samples: Sequence[Samples], each: int
) -> list[Candidate]:
    first, second = samples
    matched = match_pairs(first, second, match_documents(first, second))
    if not len(matched):
        return []
    of_first, of_second = first.pairs.iloc[matched.a], second.pairs.iloc[matched.b]
    own, theirs = (
        (of_one.margin / _size(one.pairs.margin)).to_numpy()
        for of_one, one in ((of_first, first), (of_second, second))
    )
    opposed = np.flatnonzero(own * theirs < 0)
    order = matched.a[opposed[np.argsort(-np.abs(own - theirs)[opposed], kind="stable")]]
    rewards = of_second.set_axis(matched.a)
    return [
        Candidate(
            judges[0].label,
            task,
            first,
            ChosenPair(DISAGREEMENT, pair),
            {judges[1].label: _rewards(rewards.loc[pair])},
        )
        for pair in first_of_each(order, first.pairs.document.to_numpy(), each)
    ]


def _size(margins: pd.Series) -> float:
    """The unit of a judge's margins."""
    return float(np.sqrt(np.mean(margins**2))) or 1.0
