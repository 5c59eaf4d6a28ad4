"""The raw UltraFeedback schema, as types, and what a question of the grammar carries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

ASPECTS = ("instruction_following", "honesty", "truthfulness", "helpfulness")
NOT_RATED = "N/A"

# Keys with blanks or dashes need the functional syntax.
TypedAnnotation = TypedDict(
    "TypedAnnotation",
    {"Type": list[str], "Rationale": str, "Rating": str, "Rationale For Rating": str},
)


class PlainAnnotation(TypedDict):
    """Annotation of an aspect that has no types."""

    Rating: str
    Rationale: str


class Annotations(TypedDict):
    """The four aspects of one completion."""

    instruction_following: PlainAnnotation
    honesty: PlainAnnotation
    truthfulness: TypedAnnotation
    helpfulness: TypedAnnotation


Completion = TypedDict(
    "Completion",
    {
        "model": str,
        "principle": str,
        "custom_system_prompt": str,
        "response": str,
        "annotations": Annotations,
        "critique": str,
        "overall_score": float,
        "fine-grained_score": float,
    },
)


class Row(TypedDict):
    """One prompt with its completions."""

    source: str
    instruction: str
    models: list[str]
    completions: list[Completion]
    correct_answers: list[str]
    incorrect_answers: list[str]


@dataclass(frozen=True)
class Question:
    """A prompt and its answers of known correctness.

    Attributes:
        source: Name of the data source the prompt is filed under.
        instruction: The prompt.
        right: An answer that is right and complete.
        partial: An answer that is true but incomplete, or breaks a detail of the instruction.
        wrong: An answer that is false.
        has_reference: Whether the row lists right and wrong answers, as the sources of factual
            questions do.
    """

    source: str
    instruction: str
    right: str
    partial: str
    wrong: str
    has_reference: bool = False
