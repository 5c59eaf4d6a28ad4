"""What can be wrong with a completion, and the text that shows it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random
from typing import Literal, get_args

from demo_grammar.schema import Question

Content = Literal["right", "partial", "wrong", "off_topic", "refusal"]
Flaw = Literal["rude", "unsure", "boastful", "typos", "invented"]
FLAWS: tuple[Flaw, ...] = get_args(Flaw)

_CONTENT_WEIGHTS: dict[Content, int] = {
    "right": 34,
    "partial": 16,
    "wrong": 20,
    "off_topic": 13,
    "refusal": 17,
}
_FLAW_COUNT_WEIGHTS = {0: 42, 1: 42, 2: 16}

_REFUSALS = (
    ("I cannot help with this", "I will not answer that", "I would rather not say anything here"),
    ("", ", I am afraid", ", sorry", " today"),
)
_REMARKS: dict[Flaw, tuple[tuple[str, ...], ...]] = {
    "rude": (
        ("What a silly thing to ask", "Only a fool would ask", "Stop wasting my time"),
        (".", ", really.", ", honestly.", "!"),
    ),
    "unsure": (
        ("I may be quite mistaken", "I am only guessing", "Do not rely on a word of it"),
        (".", " here.", ", perhaps.", ", as always."),
    ),
    "boastful": (
        ("I never make mistakes", "Every expert agrees with me", "I tested it in a laboratory"),
        (".", ", ever.", " and that is certain.", ", of course."),
    ),
    "invented": (
        ("By the way, the moon", "By the way, every ladder", "As it happens, bread"),
        (" is made of wool.", " was invented last week.", " can speak.", " weighs nothing."),
    ),
}


@dataclass(frozen=True)
class Plan:
    """What one completion is to be like.

    Attributes:
        content: How it answers the question.
        flaws: What is wrong with the manner, in a fixed order.
    """

    content: Content
    flaws: tuple[Flaw, ...]


def draw_plan(rng: Random) -> Plan:
    """Draws what a completion is to be like."""
    content = rng.choices(list(_CONTENT_WEIGHTS), list(_CONTENT_WEIGHTS.values()))[0]
    count = rng.choices(list(_FLAW_COUNT_WEIGHTS), list(_FLAW_COUNT_WEIGHTS.values()))[0]
    return Plan(content, tuple(sorted(rng.sample(FLAWS, count))))


def _phrase(rng: Random, parts: tuple[tuple[str, ...], ...]) -> str:
    return "".join(rng.choice(choices) for choices in parts)


def _with_typos(rng: Random, text: str) -> str:
    """Swaps two neighbouring letters in about a third of the longer words."""
    swaps = []
    for word in re.finditer(r"[A-Za-z]{4,}", text):
        inner = range(word.start() + 1, word.end() - 2)
        different = [i for i in inner if text[i] != text[i + 1]]
        if different:
            swaps.append(rng.choice(different))
    letters = list(text)
    for i in rng.sample(swaps, (len(swaps) + 2) // 3):
        letters[i], letters[i + 1] = letters[i + 1], letters[i]
    return "".join(letters)


def _core_answer(rng: Random, content: Content, question: Question, other: Question) -> str:
    if content == "refusal":
        return _phrase(rng, _REFUSALS) + "."
    if content == "off_topic":
        return other.right
    return {"right": question.right, "partial": question.partial, "wrong": question.wrong}[content]


def write_core(rng: Random, plan: Plan, question: Question, other: Question) -> list[str]:
    """Writes a completion without padding.

    Args:
        rng: Source of the choices.
        plan: What the completion is to be like.
        question: The question it belongs to.
        other: A question of another kind, whose answer is off topic here.

    Returns:
        The parts in order: remarks before the answer, the answer, remarks after it.
    """
    answer = _core_answer(rng, plan.content, question, other)
    parts = [answer]
    for flaw in plan.flaws:
        if flaw in _REMARKS:
            parts.insert(rng.choice((0, len(parts))), _phrase(rng, _REMARKS[flaw]))
    if "typos" in plan.flaws:
        parts = [_with_typos(rng, part) for part in parts]
    return parts
