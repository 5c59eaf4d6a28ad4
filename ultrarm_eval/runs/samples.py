"""The samples of a task as tables: documents, pairs and completions, without their texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ultrarm_eval.runs.task_result import TaskResult

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Samples:
    """The samples of a task.

    A document is identified by the hash of its content, or for third-party tasks by lm-eval's, and
    its `occurrence` among the documents with this hash. The rows of `parts` and `aspects` are those
    of `documents`, and the `document` of a pair or of a completion is the index of its row.

    Attributes:
        result: The task's result.
        kind: What its pairs are, see `sample`; None for tasks without pairs.
        documents: `hash` and `occurrence`; `number`, lm-eval's index; `start`, the byte offset of
            its line in the file; `value`, its contribution to the task's main metric, or to the
            win rate where a model's answers are compared with references, NaN where undefined;
            `prompt`, equal for documents with the same prompt, in an order that does not depend on
            the file's; and `prompt_length` in characters, NaN if unknown.
        parts: Names of the subsets it belongs to, by dimension; empty where there is none.
        aspects: Accuracy by aspect; NaN where it has no pair for it.
        pairs: The `document`; `chosen` and `rejected`, the indices of the two completions in it,
            their rewards (`chosen_reward`) and lengths (`chosen_length`) in characters; `credit`, 1
            where chosen has the higher reward, 0 where it has the lower, and for a tie as the
            task's rule says; `gap`, the difference of their ratings, NaN where there are none;
            `margin`, the difference of their rewards.
        completions: Those with a reward: `document`, `reward`, `rating` (NaN where it has none) and
            `length` in characters.
        prompt_keys: What makes a prompt the same in every task, by the prompt's number.
        evidence: What its benchmark's metrics need of each document, None where it has none; empty
            where no document has any.
        digest: Identifies the documents, whatever their order, those without a score included; None
            where the samples have no hashes.
        counts: What was excluded, by reason.
        remarks: The same in words.
    """

    result: TaskResult
    kind: str | None
    documents: pd.DataFrame
    parts: pd.DataFrame
    aspects: pd.DataFrame
    pairs: pd.DataFrame
    completions: pd.DataFrame
    prompt_keys: Sequence[str] = ()
    evidence: Sequence[Any] = ()
    digest: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def by_prompt(self, *of_pairs: Numbers) -> Numbers:
        """Sums over each prompt's pairs: pairs of one prompt share completions.

        Args:
            of_pairs: Columns of numbers, one for each pair.

        Returns:
            (prompts with a pair, columns).
        """
        prompts = self.documents.prompt.to_numpy()[self.pairs.document]
        sums = pd.DataFrame(np.column_stack(of_pairs)).groupby(prompts).sum()
        return np.asarray(sums, np.float64)
