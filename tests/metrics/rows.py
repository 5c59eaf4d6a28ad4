"""Rows in UltraFeedback's raw schema with everything that is odd about them, and judges."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.metrics.reference import ASPECTS

PREFERENCES = ("fine_grained", "overall", *ASPECTS)
MIN_GAPS = (0, 0.2, "0.25", "0.5", 1, "1.5", 2.0, "3")
PROMPTS = ("What is blue?", "p", "")
# Lengths in characters and in bytes order them differently.
TEXTS = ("", "a", "b", "äöü", "abcd", "aa bb", "😀😀", "yes it is", "nö " * 5, "no " * 5, "x" * 40)

_ASPECT_RATINGS = ("1", "2", "3", "4", "5", "2", "4", 3, " 5 ", "N/A")
_INVALID_RATINGS = (None, "6", "0", "good", True, "", ["4"])
# 6.9 and 7.1 are 0.2 apart as they are written, and less as floats.
_OVERALL_SCORES = (1, 2.0, 5, 6.9, 7.1, "7.1", 7.5, 10, 10.0, None, "N/A", 0, 11, "ten")


@dataclass(frozen=True)
class Judge:
    """A judge that knows the reward of each text, less whatever the prompt has to do with it."""

    rewards: tuple[float, ...]
    factor: float = 1.0
    shift: float = 0.0

    def __call__(self, prompt: str, text: str) -> float:
        place = TEXTS.index(text) + 4 * PROMPTS.index(prompt)
        return self.factor * self.rewards[place % len(TEXTS)] + self.shift


def completion(text: Any, ratings: Any, overall: Any = None, model: str = "m") -> dict[str, Any]:
    """A completion; `ratings` is one for each aspect, or a single one for all of them."""
    each = ratings if isinstance(ratings, list | tuple) else [ratings] * len(ASPECTS)
    return {
        "model": model,
        "response": text,
        "annotations": {a: {"Rating": r} for a, r in zip(ASPECTS, each, strict=True)},
        "overall_score": overall,
    }


def row(*completions: Any, prompt: Any = PROMPTS[0], source: str = "sharegpt") -> dict[str, Any]:
    """A prompt with these completions."""
    return {
        "source": source,
        "instruction": prompt,
        "models": [c.get("model") for c in completions if isinstance(c, dict)],
        "completions": list(completions),
    }


def texts_row(*answers: tuple[str, Any], **fields: Any) -> dict[str, Any]:
    """A prompt whose completions are (text, rating for all aspects)."""
    return row(*(completion(text, str(rating)) for text, rating in answers), **fields)


#: One pair under every preference and every gap of `MIN_GAPS`.
USABLE_ROW = row(completion("yes it is", "5", 9), completion("a", "1", 1))

_texts = st.sampled_from(TEXTS)
_ordinary = st.builds(
    completion,
    _texts,
    st.one_of(
        st.sampled_from("12345"),
        st.lists(st.sampled_from(_ASPECT_RATINGS), min_size=4, max_size=4),
        st.lists(st.sampled_from(_ASPECT_RATINGS + _INVALID_RATINGS), min_size=4, max_size=4),
    ),
    st.sampled_from(_OVERALL_SCORES),
    st.sampled_from(("m", "n")),
)
_around_false_ten = st.builds(
    completion,
    _texts,
    st.one_of(
        st.just("2"), st.lists(st.sampled_from(("1", "2", "3", "N/A")), min_size=4, max_size=4)
    ),
    st.sampled_from((10, 10.0, "10", 9)),
)
_without_annotations = st.builds(
    lambda text, annotations, overall: {
        "response": text,
        "annotations": annotations,
        "overall_score": overall,
    },
    _texts,
    st.sampled_from((None, {}, {"honesty": None}, {"honesty": {"Rating": "3"}})),
    st.sampled_from(_OVERALL_SCORES),
)
_no_text = st.sampled_from((None, "text", completion(None, "5", 10), completion(7, "1")))
_completions = st.one_of(_ordinary, _ordinary, _ordinary, _around_false_ten, _without_annotations, _no_text)  # fmt: skip


@st.composite
def _rows_of_one_prompt(draw: Any) -> dict[str, Any]:
    completions = draw(st.lists(_completions, max_size=5))
    if completions and len(completions) < 5 and draw(st.booleans()):
        completions.append(draw(st.sampled_from(completions)))
    prompt = draw(st.sampled_from((*PROMPTS, *PROMPTS, None)))
    return row(*completions, prompt=prompt)


@st.composite
def any_rows(draw: Any) -> list[dict[str, Any]]:
    """Rows of every kind, some of them twice; possibly none with a pair."""
    rows = draw(st.lists(_rows_of_one_prompt(), min_size=1, max_size=5))
    return rows + draw(st.lists(st.sampled_from(rows), max_size=2))


@st.composite
def usable_rows(draw: Any) -> list[dict[str, Any]]:
    """Rows of every kind, at least one of them with a pair under any options."""
    rows = draw(any_rows())
    rows.insert(draw(st.integers(0, len(rows))), USABLE_ROW)
    return rows


def judges(rewards: Any = None) -> Any:
    """Judges whose rewards are quarters, so that sums of them are exact and ties occur."""
    quarters = st.sampled_from((-8.0, -1.5, -0.25, 0.0, 0.0, 0.25, 0.5, 2.0, 100.0))
    size = len(TEXTS)
    values = st.lists(quarters if rewards is None else rewards, min_size=size, max_size=size)
    return values.map(lambda drawn: Judge(tuple(drawn)))


def options(ties: tuple[str, ...] = ("half", "wrong")) -> Any:
    """Options of a comparison."""
    return st.fixed_dictionaries(
        {
            "preference": st.sampled_from(PREFERENCES),
            "ties": st.sampled_from(ties),
            "min_gap": st.sampled_from(MIN_GAPS),
        }
    )


def seeded_rows(seed: int, prompts: int) -> list[dict[str, Any]]:
    """Rows from a plain generator, as many as wanted."""
    draw = random.Random(seed)
    rows = []
    for number in range(prompts):
        completions = []
        for _ in range(draw.choice((0, 1, 2, 3, 4, 4, 4, 5))):
            kind = draw.random()
            ratings = [draw.choice(_ASPECT_RATINGS) for _ in ASPECTS]
            overall: Any = draw.choice(_OVERALL_SCORES)
            if kind < 0.15:
                ratings, overall = [draw.choice(("1", "2", "3")) for _ in ASPECTS], 10
            elif kind < 0.3:
                ratings = [draw.choice(_INVALID_RATINGS + _ASPECT_RATINGS) for _ in ASPECTS]
            elif kind < 0.5:
                ratings = [draw.choice("12345")] * 4
            text = draw.choice((*TEXTS, None)) if kind > 0.1 else draw.choice(TEXTS)
            completions.append(completion(text, ratings, overall))
        rows.append(row(*completions, prompt=PROMPTS[number % 2] + " ?" * (number // 9)))
    return [*rows, USABLE_ROW, USABLE_ROW]
