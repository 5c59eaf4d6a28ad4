"""The completions of a data set that a run would score, for `plan` and `verify`."""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass

from ultrarm_eval.documents.preference import load_documents
from ultrarm_eval.messages import Prompt
from ultrarm_eval.metrics.within_prompt import completions_to_score
from ultrarm_eval.pairs import preference_pairs
from ultrarm_eval.rules import ComparisonRules


@dataclass(frozen=True)
class Requests:
    """Completions to score and the pairs among them.

    Attributes:
        prompts: The prompt of each completion.
        completions: The completions.
        pairs: Numbers of the chosen and the rejected completion of each pair.
        places: The row of each completion, for messages.
    """

    prompts: Sequence[Prompt]
    completions: Sequence[str]
    pairs: Sequence[tuple[int, int]]
    places: Sequence[object]


def add_data_revision(command: argparse.ArgumentParser) -> None:
    """Adds `--split` and `--data-revision`; `--revision` is the checkpoint's."""
    command.add_argument(
        "--split", help="split of a hub data set, or of a folder with several (default: train)"
    )
    command.add_argument("--data-revision", help="hub revision of the data")


def read_requests(
    data: str, split: str | None, revision: str | None, *, prompts: int | None = None
) -> Requests:
    """Reads data as `lm_eval --tasks ultrafeedback_pairs` would.

    Args:
        data: A file, a folder, the word of a source or a hub id.
        split: The split to use if there are several.
        revision: The hub revision.
        prompts: The size of a fixed random sample of prompts; all prompts if None.

    Raises:
        DataError: The data cannot be used.
    """
    documents = list(load_documents(data, split=split, revision=revision))
    if prompts is not None and prompts < len(documents):
        draw = random.Random(0)  # noqa: S311 - nothing secret is drawn
        documents = [documents[i] for i in sorted(draw.sample(range(len(documents)), prompts))]
    conversations: list[Prompt] = []
    completions: list[str] = []
    pairs: list[tuple[int, int]] = []
    places: list[object] = []
    for document in documents:
        place = {}
        for index in completions_to_score(document, ComparisonRules()):
            place[index] = len(completions)
            conversations.append(document.prompt)
            completions.append(document.completions[index])
            places.append(document.where or data)
        pairs += [
            (place[pair.chosen], place[pair.rejected])
            for pair in preference_pairs(document.main_ratings)
        ]
    return Requests(conversations, completions, pairs, places)
