"""Converts documents of preference data to inspect_ai's samples, and back.

A sample is a prompt with all its completions as choices, so that a log contains everything needed
to judge it again with another judge. Ratings and rules are in its metadata.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable
from typing import Any

from inspect_ai.dataset import Sample
from inspect_ai.solver import TaskState

from ultrarm_eval.documents.document import RATED, Document
from ultrarm_eval.errors import DataError
from ultrarm_eval.exact_numbers import exact_fraction
from ultrarm_eval.inspect_plugin.conversation import as_input, as_prompt
from ultrarm_eval.inspect_plugin.metrics import PROMPT
from ultrarm_eval.rules import ComparisonRules, checked_ties
from ultrarm_eval.sources.answers import prompt_key

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# What the sample's own fields hold.
_TEXTS = ("prompt", "completions", "lengths")


def letter(choice: int) -> str:
    """The letter of a choice; its number from the 27th on."""
    return _LETTERS[choice] if choice < len(_LETTERS) else str(choice + 1)


def as_samples(documents: Iterable[Document], rules: ComparisonRules) -> list[Sample]:
    """Documents as samples; the choices with the best rating are the target.

    Args:
        documents: Documents with ratings.
        rules: How completions are compared.
    """
    found = []
    for number, document in enumerate(documents):
        ratings = document.main_ratings
        best = max(rating for rating in ratings if rating is not None)
        written = dataclasses.replace(document, aspects=()).to_json()
        metadata = {name: value for name, value in written.items() if name not in _TEXTS}
        digest = hashlib.sha256(prompt_key(document.prompt).encode("utf-8", "surrogatepass"))
        metadata |= {PROMPT: digest.hexdigest()[:16], "ties": rules.ties}
        metadata["min_gap"] = str(rules.min_gap)
        found.append(
            Sample(
                id=number if document.row is None else document.row,
                input=as_input(document.prompt),
                choices=list(document.completions),
                target=[letter(i) for i, rating in enumerate(ratings) if rating == best],
                metadata=metadata,
            )
        )
    return found


def as_document(state: TaskState) -> tuple[Document, ComparisonRules]:
    """The document and the rules of a sample.

    Raises:
        DataError: It was not made by this module.
    """
    metadata: dict[str, Any] = dict(state.metadata)
    gap = metadata.get("min_gap")
    min_gap = exact_fraction(gap) if isinstance(gap, str) else None
    if metadata.get("format") != RATED or min_gap is None:
        raise DataError(
            "this sample has no ratings of its choices in its metadata. The scorer preference "
            "is for samples of the task ultrarm_eval/preference; for answers of a model use the "
            "scorer ultrarm_eval/reward."
        )
    document = Document.from_json(
        {
            **metadata,
            "prompt": [dict(message) for message in as_prompt(state.input)],
            "completions": [choice.value for choice in state.choices],
        }
    )
    rules = ComparisonRules(document.preference, checked_ties(metadata.get("ties")), min_gap)
    return document, rules
