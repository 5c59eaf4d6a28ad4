"""What the length of the answers explains.

Lengths are in characters: what a reader of an answer sees, and the same for every judge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ultrarm_eval.metrics.pairwise import compare
from ultrarm_eval.pairs import PreferencePair


class LengthSplit(NamedTuple):
    """A judge's credit on the pairs of a prompt, by which answer is longer.

    Attributes:
        longer_credit: Credit on the pairs whose chosen answer is longer.
        longer_pairs: The number of those pairs.
        shorter_credit: Credit on the pairs whose chosen answer is shorter.
        shorter_pairs: The number of those pairs.
    """

    longer_credit: float
    longer_pairs: int
    shorter_credit: float
    shorter_pairs: int


def pick_longest(pairs: Sequence[PreferencePair], lengths: Sequence[int]) -> tuple[float, int]:
    """Credit and number of pairs of the judge that picks the longer answer.

    Equal lengths count one half, whatever a tie in reward is worth: this judge has no rewards.
    """
    outcome = compare(pairs, {i: float(length) for i, length in enumerate(lengths)})
    return outcome.credit, outcome.pairs


def split_by_length(
    pairs: Sequence[PreferencePair],
    lengths: Sequence[int],
    rewards: Mapping[int, float],
    tie_credit: float,
) -> LengthSplit:
    """A judge's credit on the pairs of a prompt, by which answer is longer.

    Pairs with equal lengths are left out.
    """
    longer = [p for p in pairs if lengths[p.chosen] > lengths[p.rejected]]
    shorter = [p for p in pairs if lengths[p.chosen] < lengths[p.rejected]]
    return LengthSplit(
        _credit(longer, rewards, tie_credit),
        len(longer),
        _credit(shorter, rewards, tie_credit),
        len(shorter),
    )


def length_controlled_accuracy(splits: Iterable[Sequence[float]]) -> float | None:
    """The mean of the accuracy where the chosen answer is longer and where it is shorter.

    Both sides weigh the same, so a judge that follows length alone gets 0.5 however often the
    better answer is the longer one.

    Args:
        splits: A `LengthSplit`, or its four numbers, of each prompt.

    Returns:
        The mean over both sides, each pooled over its pairs; None where a side has no pair.
    """
    longer_credit, longer_pairs, shorter_credit, shorter_pairs = 0.0, 0, 0.0, 0
    for split in splits:
        longer_credit += split[0]
        longer_pairs += int(split[1])
        shorter_credit += split[2]
        shorter_pairs += int(split[3])
    if not longer_pairs or not shorter_pairs:
        return None
    return (longer_credit / longer_pairs + shorter_credit / shorter_pairs) / 2


def _credit(
    pairs: Sequence[PreferencePair], rewards: Mapping[int, float], tie_credit: float
) -> float:
    return compare(pairs, rewards, tie_credit).credit if pairs else 0.0
