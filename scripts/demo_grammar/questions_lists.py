"""Questions whose answer is a list."""

from __future__ import annotations

from random import Random

from demo_grammar.schema import Question
from demo_grammar.words import CATEGORIES, OCCASIONS, TASKS, Words

_NUMBER_NAMES = {3: "three", 4: "four", 5: "five"}


def _swap_last_two(items: list[str]) -> list[str]:
    return [*items[:-2], items[-1], items[-2]]


def _rearranged(
    rng: Random, words: Words, order: str, given: list[str], wanted: list[str]
) -> Question:
    """A question for the words of a list in another order."""
    stranger = rng.choice([word for word in words.list_words if word not in given])
    # One word replaced and the rest mixed up: no reading of the task makes this right.
    spoiled = [*rng.sample(given, len(given) - 1), stranger]
    rng.shuffle(spoiled)
    opening = rng.choice((f"In {order}:", "The list:", "Here you go:"))
    return Question(
        source="sharegpt",
        instruction=(
            f"{rng.choice(words.people)} has this list: {', '.join(given)}. "
            f"Put the words into {order}."
        ),
        right=f"{opening} {', '.join(wanted)}.",
        partial=f"{opening} {', '.join(_swap_last_two(wanted))}.",
        wrong=f"{opening} {', '.join(spoiled)}.",
    )


def alphabetical(rng: Random, words: Words) -> Question:
    """Words to be put into alphabetical order."""
    given = rng.sample(words.list_words, rng.randint(4, 5))
    return _rearranged(rng, words, "alphabetical order", given, sorted(given))


def reversed_list(rng: Random, words: Words) -> Question:
    """Words to be put into reverse order."""
    given = rng.sample(words.list_words, rng.randint(4, 5))
    return _rearranged(rng, words, "reverse order", given, given[::-1])


def category(rng: Random, words: Words) -> Question:
    """A number of members of a category."""
    name, other_name = rng.sample(sorted(CATEGORIES), 2)
    count = rng.choice(sorted(_NUMBER_NAMES))
    items = rng.sample(CATEGORIES[name], count)
    only_elsewhere = [item for item in CATEGORIES[other_name] if item not in CATEGORIES[name]]
    strangers = [*items[:1], *rng.sample(only_elsewhere, count - 1)]
    rng.shuffle(strangers)
    opening = rng.choice(("You could take:", "How about these:", "My list:"))
    return Question(
        source="sharegpt",
        instruction=(
            f"Name {_NUMBER_NAMES[count]} {name} for {rng.choice(words.people)}'s "
            f"{rng.choice(OCCASIONS)} in {rng.choice(words.towns)}."
        ),
        right=f"{opening} {', '.join(items)}.",
        partial=f"{opening} {', '.join(items[: count - 2])}.",
        wrong=f"{opening} {', '.join(strangers)}.",
    )


def _numbered(steps: list[str]) -> str:
    return "\n".join(f"{number}. {step}" for number, step in enumerate(steps, start=1))


def how_to(rng: Random, words: Words) -> Question:
    """The steps of a small household task, in order."""
    task, other_task = rng.sample(sorted(TASKS), 2)
    steps = list(TASKS[task])
    missing = rng.choice(steps)
    person = rng.choice(words.people)
    return Question(
        source="ultrachat",
        instruction=rng.choice(
            (
                f"{person} from {rng.choice(words.towns)} asks how to {task}. "
                "Give the steps in order.",
                f"What are the steps to {task}, in order? {person} has never done it.",
            )
        ),
        right=_numbered(steps),
        partial=_numbered([step for step in steps if step != missing]),
        wrong=_numbered([steps[3], *rng.sample(TASKS[other_task], 2), steps[0]]),
    )
