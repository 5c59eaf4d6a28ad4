"""Questions about a short passage of the invented world, and about a given format."""

from __future__ import annotations

from random import Random

from demo_grammar.schema import Question
from demo_grammar.words import (
    CROPS,
    MATERIALS,
    OBJECTS,
    ODD_HOURS,
    OPENING_HOURS,
    PAINTS,
    PLACES,
    RIVERS,
    RULERS,
    SIZES,
    Words,
)


def lookup(rng: Random, words: Words) -> Question:
    """A fact that the prompt states."""
    town = rng.choice(words.towns)
    river, other_river = rng.sample(RIVERS, 2)
    crop, other_crop = rng.sample(CROPS, 2)
    ruler, other_ruler = rng.sample(RULERS, 2)
    facts = [
        f"The town of {town} lies on the river {river}.",
        f"Its people grow {crop}.",
        f"It is ruled by {ruler}.",
    ]
    rng.shuffle(facts)
    question, right, partial, wrong = rng.choice(
        (
            (
                f"Which river does {town} lie on?",
                f"{town} lies on the river {river}.",
                f"{town} lies on a river.",
                f"{town} lies on the river {other_river}.",
            ),
            (
                f"What do the people of {town} grow?",
                f"The people of {town} grow {crop}.",
                f"The people of {town} work in the fields.",
                f"The people of {town} grow {other_crop}.",
            ),
            (
                f"Who rules {town}?",
                f"{town} is ruled by {ruler}.",
                f"{town} has a ruler.",
                f"{town} is ruled by {other_ruler}.",
            ),
        )
    )
    return Question(
        source="truthful_qa",
        instruction=f"{' '.join(facts)} {question}",
        right=right,
        partial=partial,
        wrong=wrong,
        has_reference=True,
    )


def false_premise(rng: Random, words: Words) -> Question:
    """A question that assumes the contrary of what the prompt states."""
    town, place = rng.choice(words.towns), rng.choice(PLACES)
    hour, odd_hour = rng.choice(OPENING_HOURS), rng.choice(ODD_HOURS)
    reason = rng.choice(("the people like it so", "an old law asks for it", "the days are short"))
    return Question(
        source="false_qa",
        instruction=(
            f"The {place} in {town} opens at {hour}. "
            f"Why does the {place} in {town} open at {odd_hour}?"
        ),
        right=f"It does not: the {place} in {town} opens at {hour}, not at {odd_hour}.",
        partial=f"It is not clear that the {place} in {town} opens at {odd_hour}.",
        wrong=f"The {place} in {town} opens at {odd_hour} because {reason}.",
        has_reference=True,
    )


def fixed_format(rng: Random, words: Words) -> Question:
    """A description that has to keep to a format."""
    owner, thing = rng.choice(words.people), rng.choice(OBJECTS)
    paint, other_paint = rng.sample(PAINTS, 2)
    size, other_size = rng.sample(SIZES, 2)
    material, other_material = rng.sample(MATERIALS, 2)
    sentence = f"{owner}'s {thing} is {size}, {paint} and made of {material}."
    false_sentence = f"{owner}'s {thing} is {other_size}, {other_paint} and of {other_material}."
    wish, right = rng.choice(
        (
            ("in three bullet points", f"- {size}\n- {paint}\n- made of {material}"),
            ("in capital letters", sentence.upper()),
            ("in one sentence that ends with the word DONE", f"{sentence[:-1]}, DONE"),
            ("in double quotes", f'"{sentence}"'),
        )
    )
    return Question(
        source="evol_instruct",
        instruction=(
            f"{owner} has a {thing}. It is {size} and {paint}, and it is made of {material}. "
            f"Describe the {thing} {wish}."
        ),
        right=right,
        partial=sentence,
        wrong=false_sentence,
    )
