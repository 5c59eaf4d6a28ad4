"""The documents, pairs and completions of a task in columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class DocumentColumns:
    """One entry for each document.

    Attributes:
        keys: The document's hash and which of those with this hash it is.
        starts: Where its line begins in the file of samples, in bytes.
        numbers: The harness's number of it.
        values: What it adds to the task's main metric, or where a model's answers are compared
            with references to the win rate; NaN where that is not defined.
        prompts: Equal for documents with the same prompt, from 0 on.
        prompt_lengths: Characters of the prompt; NaN where it is not known.
        parts: Names of what it belongs to, by dimension; `` where it belongs to nothing.
        aspects: Accuracy by aspect; NaN where it has no pair for it.
        prompt_keys: What makes a prompt the same in every task, by the prompt's number.
        evidence: What its benchmark's figures need of it, None where it has none; empty where no
            document has any.
    """

    keys: list[tuple[str, int]]
    starts: Indices
    numbers: list[Any]
    values: Numbers
    prompts: Indices
    prompt_lengths: Numbers
    parts: Mapping[str, list[str]]
    aspects: Mapping[str, Numbers]
    prompt_keys: Sequence[object] = ()
    evidence: Sequence[Any] = ()

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True)
class PairColumns:
    """One entry for each pair.

    Attributes:
        document: The document it is of.
        chosen: Number of the better completion in its document.
        rejected: The same of the other one.
        chosen_reward: Reward of the better completion.
        rejected_reward: Reward of the other one.
        credit: What it is worth: 1 where the better one has the higher reward, 0 where it has the
            lower, and for equal rewards what the task's rule says.
        gap: Difference of their ratings; NaN where there are none.
        chosen_length: Characters of the better completion.
        rejected_length: Characters of the other one.
    """

    document: Indices
    chosen: Indices
    rejected: Indices
    chosen_reward: Numbers
    rejected_reward: Numbers
    credit: Numbers
    gap: Numbers
    chosen_length: Numbers
    rejected_length: Numbers

    @property
    def margin(self) -> Numbers:
        """Reward of the better completion less that of the other one."""
        equal = self.chosen_reward == self.rejected_reward
        # Equal infinities have no difference of their own.
        with np.errstate(invalid="ignore"):
            return np.where(equal, 0.0, self.chosen_reward - self.rejected_reward)

    def __len__(self) -> int:
        return len(self.document)


@dataclass(frozen=True)
class CompletionColumns:
    """One entry for each completion with a reward.

    Attributes:
        document: The document it is of.
        reward: Its reward.
        rating: Its rating; NaN where it has none.
        length: Its characters.
    """

    document: Indices
    reward: Numbers
    rating: Numbers
    length: Numbers

    def __len__(self) -> int:
        return len(self.document)
