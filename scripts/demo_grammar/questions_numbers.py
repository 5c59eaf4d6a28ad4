"""Questions whose answer is a number."""

from __future__ import annotations

from random import Random

from demo_grammar.schema import Question
from demo_grammar.words import ERRANDS, UNITS, Words


def arithmetic(rng: Random, words: Words) -> Question:
    """A one-step word problem; the wrong answer takes the wrong step."""
    person, town = rng.choice(words.people), rng.choice(words.towns)
    things = rng.choice(words.things)
    many, few = rng.randint(12, 60), rng.randint(2, 9)
    plus = (f"{many} plus {few}", many + few)
    minus = (f"{many} minus {few}", many - few)
    times = (f"{few} times {many}", few * many)
    story, (working, total), (wrong_working, wrong_total) = rng.choice(
        (
            (f"{person} has {many} {things} and buys {few} more in {town}.", plus, minus),
            (f"{person} has {many} {things} and loses {few} of them in {town}.", minus, plus),
            (f"{person} packs {few} boxes in {town}, with {many} {things} in each.", times, plus),
        )
    )
    conclusion = rng.choice(("So there are {} {} in all.", "That makes {} {}.", "I count {} {}."))
    return Question(
        source="evol_instruct",
        instruction=f"{story} How many {things} does {person} have then?",
        right=f"It is {working}. {conclusion.format(total, things)}",
        partial=f"It is {working}. You can work out the number of {things} from that.",
        wrong=f"It is {wrong_working}. {conclusion.format(wrong_total, things)}",
    )


def conversion(rng: Random, words: Words) -> Question:
    """A conversion from a large unit to a small one; the wrong answer has a wrong factor."""
    small, large, factor = rng.choice(UNITS)
    amount = rng.randint(2, 12)
    wrong_factor = rng.choice([other for _, _, other in UNITS if other != factor])
    return Question(
        source="flan",
        instruction=(
            f"{rng.choice(words.people)} needs to know it for {rng.choice(ERRANDS)}: "
            f"how many {small} are {amount} {large}?"
        ),
        right=f"{amount} times {factor} {small}, which is {amount * factor}.",
        partial=f"Multiply the number of {large} by the number of {small} in one.",
        wrong=f"{amount} times {wrong_factor} {small}, which is {amount * wrong_factor}.",
    )


def largest(rng: Random, words: Words) -> Question:
    """The largest of a few numbers."""
    person = rng.choice(words.people)
    numbers = rng.sample(range(11, 99), 4)
    ascending = sorted(numbers)
    listed = ", ".join(map(str, numbers))
    return Question(
        source="flan",
        instruction=f"{person} wrote down the numbers {listed}. Which of them is the largest?",
        right=f"The largest number is {ascending[-1]}.",
        partial=f"The largest number is either {ascending[-1]} or {ascending[-2]}.",
        wrong=f"The largest number is {rng.choice(ascending[:-1])}.",
    )
