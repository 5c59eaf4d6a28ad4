"""The pairs that a report shows, with their texts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ultrarm_eval.messages import well_formed
from ultrarm_eval.report.worth_reading import (
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
from ultrarm_eval.runs.columns import Numbers
from ultrarm_eval.runs.matching import match_documents, match_pairs
from ultrarm_eval.runs.observations import Observations
from ultrarm_eval.show.page import size_in_page
from ultrarm_eval.show.text import visible_name

#: Why pairs are shown, in the order in which they are.
REASONS = (DISAGREEMENT, MISTAKE, LOSS, CLOSE, ANY)
#: Characters of a text that are shown.
LONGEST_TEXT = 20_000
#: Bytes of all pairs together: the page has to open at once.
MOST_BYTES = 8_000_000
# Names that a text or a pair bears beside the data, in a page.
_BYTES_OF_TEXT = 60
_BYTES_OF_PAIR = 200


@dataclass(frozen=True)
class ShownText:
    """A text.

    Attributes:
        text: The text, cut after `LONGEST_TEXT` characters.
        length: Its characters.
        name: Who wrote it, or the role of the turn; None where that is not known.
    """

    text: str
    length: int
    name: str | None


@dataclass(frozen=True)
class SideTokens:
    """The tokens of an answer.

    Attributes:
        tokens: Their texts.
        rewards: The reward if the answer ended after it; None where there is none.
        changes: What it is more or less than after the token before; None where that has none.
        cut: Whether the judge did not read the answer's beginning, which had no room.
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
        kind: What its sides are, see `ultrarm_eval.runs.judged_document`.
        reason: Why it is shown.
        document: The harness's number of its document.
        parts: What the document belongs to.
        gap: Difference of the ratings; None where there are none.
        rewards: By judge, the reward of the better answer and of the other one.
        prompt: The turns before the answers.
        chosen: The better answer, or the model's.
        rejected: The other one.
        tokens: The tokens of both, with the judge's reward after each, where that was asked for.
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
        observations: The task's samples.
        chosen: The pair, and why.
        others: Rewards of the same pair by other judges.
    """

    judge: str
    task: str
    observations: Observations
    chosen: ChosenPair
    others: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def candidates(judge: str, task: str, observations: Observations, each: int) -> list[Candidate]:
    """The pairs of a task that are worth reading, for each reason the worst first."""
    if not len(observations.pairs):
        return []
    return [
        Candidate(judge, task, observations, chosen) for chosen in choose_pairs(observations, each)
    ]


def disagreements(samples: Mapping[str, Mapping[str, Observations]], each: int) -> list[Candidate]:
    """The pairs that one judge orders one way and another the other, the surest first.

    Rewards of different judges have different scales: a margin counts in units of the root mean
    square of its judge's margins in the task.

    Args:
        samples: Samples by judge and task.
        each: The most pairs of each task and two judges; of one document at most one.
    """
    found = []
    for first, second in itertools.combinations(samples, 2):
        for task in samples[first]:
            both = [samples[judge].get(task) for judge in (first, second)]
            if all(one is not None and one.digest is not None for one in both):
                found += _of_two(
                    task, (first, samples[first][task]), (second, samples[second][task]), each
                )
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
    observations, pair = candidate.observations, candidate.chosen.pair
    pairs, documents = observations.pairs, observations.documents
    document = int(pairs.document[pair])
    texts = read_texts(observations, pair)
    gap = float(pairs.gap[pair])
    number = documents.numbers[document]
    number = number if isinstance(number, int | str) else None
    own = float(pairs.chosen_reward[pair]), float(pairs.rejected_reward[pair])
    return ShownPair(
        candidate.judge,
        candidate.task,
        str(observations.kind),
        candidate.chosen.reason,
        visible_name(number) if isinstance(number, str) else number,
        {
            visible_name(name): visible_name(column[document])
            for name, column in documents.parts.items()
            if column[document]
        },
        None if gap != gap else round(gap, 6),
        {candidate.judge: own, **candidate.others},
        tuple(_cut(content, role) for role, content in texts.prompt),
        *_sides(texts),
    )


def _sides(texts: PairTexts) -> tuple[ShownText, ShownText]:
    return _cut(texts.chosen, texts.chosen_name), _cut(texts.rejected, texts.rejected_name)


def _cut(text: str, name: str | None) -> ShownText:
    shown = well_formed(text[:LONGEST_TEXT])
    return ShownText(shown, len(text), None if name is None else visible_name(name))


def _of_two(
    task: str, first: tuple[str, Observations], second: tuple[str, Observations], each: int
) -> list[Candidate]:
    (label, observations), (other, others) = first, second
    matched = match_pairs(observations, others, match_documents(observations, others))
    if not len(matched):
        return []
    here, there = matched.a, matched.b
    pairs, of_other = observations.pairs, others.pairs
    own, theirs = _scaled(pairs.margin)[here], _scaled(of_other.margin)[there]
    opposed = np.flatnonzero(own * theirs < 0)
    order = here[opposed[np.argsort(-np.abs(own - theirs)[opposed], kind="stable")]]
    there_of = dict(zip(here.tolist(), there.tolist(), strict=True))
    return [
        Candidate(
            label,
            task,
            observations,
            ChosenPair(DISAGREEMENT, pair),
            {
                other: (
                    float(of_other.chosen_reward[there_of[pair]]),
                    float(of_other.rejected_reward[there_of[pair]]),
                )
            },
        )
        for pair in first_of_each(order, pairs.document, each)
    ]


def _scaled(margins: Numbers) -> Numbers:
    size = float(np.sqrt(np.mean(margins**2)))
    return margins / size if size else margins
