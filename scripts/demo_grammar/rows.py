"""Whole rows: a question, its completions, and the quirks the real data has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from demo_grammar import questions_lists, questions_numbers, questions_text
from demo_grammar.flaws import Plan, draw_plan, write_core
from demo_grammar.padding import draw_minimum_lengths, pad
from demo_grammar.ratings import Ratings, annotate, critique, mean_rating, rate
from demo_grammar.schema import ASPECTS, NOT_RATED, Completion, Question, Row
from demo_grammar.words import Split, Words, words_of

QuestionMaker = Callable[[Random, Words], Question]
QUESTION_KINDS: tuple[QuestionMaker, ...] = (
    questions_numbers.arithmetic,
    questions_numbers.conversion,
    questions_numbers.largest,
    questions_lists.alphabetical,
    questions_lists.reversed_list,
    questions_lists.category,
    questions_lists.how_to,
    questions_text.lookup,
    questions_text.false_premise,
    questions_text.fixed_format,
)

_MODELS = tuple(f"demo-model-{letter}" for letter in "abcdef")
_PRINCIPLES = {
    "helpfulness": "You are a demo assistant. Be of use to the reader.",
    "honesty": "You are a demo assistant. Say how sure you are.",
    "truthfulness": "You are a demo assistant. Keep to what is true.",
    "verbalized_calibration": "You are a demo assistant. Put your doubts into words.",
}
_COMPLETIONS = 4
_MOST_ATTEMPTS = 1000

# Quirks of the real data, at fixed places of the held-out set.
_ROWS_WITH_THREE_COMPLETIONS = frozenset({41, 137})
_ROWS_WITH_A_TIE = frozenset({88})
_NOT_RATED_EVERY, _NOT_RATED_FIRST = 25, 7


def _draw_plans(
    rng: Random, count: int, *, with_tie: bool, with_gap: bool
) -> list[tuple[Plan, Ratings]]:
    """Draws different completions and rates them.

    Args:
        rng: Source of the choices.
        count: Number of completions.
        with_tie: Whether exactly two means are to be equal; otherwise all differ.
        with_gap: Whether one rating is to be missing.
    """
    while True:
        plans = [draw_plan(rng) for _ in range(count)]
        ratings = [rate(plan) for plan in plans]
        if with_gap:
            rng.choice(ratings)[rng.choice(ASPECTS)] = NOT_RATED
        distinct_means = len({mean_rating(rating) for rating in ratings})
        if len(set(plans)) == count and distinct_means == count - with_tie:
            return list(zip(plans, ratings, strict=True))


def _completion(model: str, principle: str, plan: Plan, ratings: Ratings, text: str) -> Completion:
    mean = mean_rating(ratings)
    return {
        "model": model,
        "principle": principle,
        "custom_system_prompt": _PRINCIPLES[principle],
        "response": text,
        "annotations": annotate(plan, ratings),
        "critique": critique(plan),
        "overall_score": float(round(2 * mean)),
        "fine-grained_score": float(mean),
    }


def _row(rng: Random, split: Split, index: int) -> Row:
    words = words_of(split)
    # In turn, not at random: every kind is equally frequent.
    maker = QUESTION_KINDS[index % len(QUESTION_KINDS)]
    question = maker(rng, words)
    others = [kind for kind in QUESTION_KINDS if kind is not maker]

    heldout = split == "heldout"
    count = _COMPLETIONS - (heldout and index in _ROWS_WITH_THREE_COMPLETIONS)
    rated_plans = _draw_plans(
        rng,
        count,
        with_tie=heldout and index in _ROWS_WITH_A_TIE,
        with_gap=heldout and index % _NOT_RATED_EVERY == _NOT_RATED_FIRST,
    )
    models = rng.sample(_MODELS, _COMPLETIONS)
    minimum_lengths = draw_minimum_lengths(rng)
    completions = []
    for (plan, ratings), model, minimum in zip(rated_plans, models, minimum_lengths, strict=False):
        core = write_core(rng, plan, question, rng.choice(others)(rng, words))
        principle = rng.choice(sorted(_PRINCIPLES))
        text = pad(rng, core, minimum)
        completions.append(_completion(model, principle, plan, ratings, text))
    return {
        "source": question.source,
        "instruction": question.instruction,
        "models": models,
        "completions": completions,
        "correct_answers": [question.right] if question.has_reference else ["None"],
        "incorrect_answers": [question.wrong] if question.has_reference else ["None"],
    }


def generate_rows(split: Split, prompts: int, seed: int) -> Iterator[Row]:
    """Generates preference data.

    Args:
        split: "train" or "heldout"; no prompt is in both, whatever the seeds.
        prompts: Number of rows; their instructions are all different.
        seed: A row depends on the seed, the split, and the rows before it.

    Yields:
        Rows in the raw UltraFeedback schema.

    Raises:
        ValueError: The grammar has fewer different prompts.
    """
    rng = Random(f"{split}/{seed}")
    seen: set[str] = set()
    for index in range(prompts):
        for _ in range(_MOST_ATTEMPTS):
            row = _row(rng, split, index)
            if row["instruction"] not in seen:
                break
        else:
            raise ValueError(f"The grammar has no {prompts} different prompts for {split!r}.")
        seen.add(row["instruction"])
        yield row
