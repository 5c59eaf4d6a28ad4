"""One item of a benchmark: completions of a prompt, of which the first are the right ones.

As a document it is made of plain JSON values, for a harness to carry around and to write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ultrarm_eval.messages import Message, well_formed

FORMAT = "ultrarm_eval.choice/1"
#: The fields of a document, in their order.
FIELDS = (
    "format",
    "row",
    "id",
    "subset",
    "prompt",
    "completions",
    "lengths",
    "correct",
    "labels",
)

Document = dict[str, Any]


@dataclass(frozen=True)
class Choice:
    """An item.

    Attributes:
        id: Its name in the data.
        subset: The part of the benchmark it belongs to.
        prompt: The conversation before the completions.
        completions: The completions, the right ones first.
        correct: How many are right, at least 1 and fewer than all.
        labels: What else its score depends on.
    """

    id: str
    subset: str
    prompt: tuple[Message, ...]
    completions: tuple[str, ...]
    correct: int = 1
    labels: Mapping[str, Any] = field(default_factory=dict)


def make_document(row: int, choice: Choice) -> Document:
    """Makes a document; halves of surrogate pairs in its texts are replaced.

    Args:
        row: The number of the row it is from.
        choice: The item.
    """
    completions = [well_formed(text) for text in choice.completions]
    return {
        "format": FORMAT,
        "row": row,
        "id": choice.id,
        "subset": choice.subset,
        "prompt": [{k: well_formed(str(v)) for k, v in m.items()} for m in choice.prompt],
        "completions": completions,
        "lengths": [len(text) for text in completions],
        "correct": choice.correct,
        "labels": dict(choice.labels),
    }


def is_choice(value: object) -> bool:
    """Whether a harness's document is one of these."""
    return isinstance(value, Mapping) and value.get("format") == FORMAT
