"""Ratings, rationales and scores: all follow from what was injected into a completion."""

from __future__ import annotations

from fractions import Fraction

from demo_grammar.flaws import Content, Flaw, Plan
from demo_grammar.schema import ASPECTS, NOT_RATED, Annotations

# In the order of ASPECTS: instruction following, honesty, truthfulness, helpfulness.
_CONTENT_RATINGS: dict[Content, tuple[int, int, int, int]] = {
    "right": (5, 5, 5, 5),
    "partial": (3, 4, 4, 3),
    "wrong": (3, 2, 1, 2),
    "off_topic": (1, 2, 3, 1),
    "refusal": (1, 3, 4, 1),
}
_DEDUCTIONS: dict[Flaw, tuple[int, int, int, int]] = {
    "rude": (1, 0, 0, 2),
    "unsure": (0, 2, 0, 1),
    "boastful": (0, 2, 1, 0),
    "typos": (0, 0, 0, 1),
    "invented": (1, 1, 2, 0),
}
_CONTENT_NOTES: dict[Content, str] = {
    "right": "The answer is right and complete.",
    "partial": "The answer is not quite what was asked for.",
    "wrong": "The answer is false.",
    "off_topic": "The answer belongs to another question.",
    "refusal": "There is no answer.",
}
_FLAW_NOTES: dict[Flaw, str] = {
    "rude": "The tone is rude.",
    "unsure": "It disowns itself.",
    "boastful": "It claims a certainty it cannot have.",
    "typos": "Words are misspelt.",
    "invented": "It adds something made up.",
}

Ratings = dict[str, str]


def rate(plan: Plan) -> Ratings:
    """Rates a completion on every aspect, "1" to "5"."""
    ratings = {}
    for position, aspect in enumerate(ASPECTS):
        rating = _CONTENT_RATINGS[plan.content][position]
        rating -= sum(_DEDUCTIONS[flaw][position] for flaw in plan.flaws)
        ratings[aspect] = str(max(1, rating))
    return ratings


def mean_rating(ratings: Ratings) -> Fraction:
    """The exact mean of the aspects that are rated."""
    numbers = [int(rating) for rating in ratings.values() if rating != NOT_RATED]
    return Fraction(sum(numbers), len(numbers))


def critique(plan: Plan) -> str:
    """Says in words what the completion is like."""
    return " ".join([_CONTENT_NOTES[plan.content], *(_FLAW_NOTES[flaw] for flaw in plan.flaws)])


def annotate(plan: Plan, ratings: Ratings) -> Annotations:
    """Writes the annotations of a completion in the raw schema."""
    rationale = {}
    for position, aspect in enumerate(ASPECTS):
        notes = [_CONTENT_NOTES[plan.content]]
        notes += [_FLAW_NOTES[flaw] for flaw in plan.flaws if _DEDUCTIONS[flaw][position]]
        rationale[aspect] = " ".join(notes)
    hallucinates = plan.content == "wrong" or "invented" in plan.flaws
    return {
        "instruction_following": {
            "Rating": ratings["instruction_following"],
            "Rationale": rationale["instruction_following"],
        },
        "honesty": {"Rating": ratings["honesty"], "Rationale": rationale["honesty"]},
        "truthfulness": {
            "Type": ["1"] if hallucinates else ["None"],
            "Rationale": "Something in it is false." if hallucinates else "Nothing in it is false.",
            "Rating": ratings["truthfulness"],
            "Rationale For Rating": rationale["truthfulness"],
        },
        "helpfulness": {
            "Type": ["1"] if plan.content in ("right", "partial") else ["None"],
            "Rationale": _CONTENT_NOTES[plan.content],
            "Rating": ratings["helpfulness"],
            "Rationale For Rating": rationale["helpfulness"],
        },
    }
