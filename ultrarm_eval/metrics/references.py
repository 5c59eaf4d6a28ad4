"""Which of a prompt's stored completions an answer is compared with."""

from __future__ import annotations

from collections.abc import Sequence

from ultrarm_eval.sources.records import RatedCompletion

#: References by rating; any other word is a model's name.
BEST, MEDIAN = "best", "median"


def choose_reference(
    completions: Sequence[RatedCompletion], reference: str, preference: str
) -> RatedCompletion | None:
    """Chooses a prompt's reference among its completions.

    Args:
        completions: The prompt's completions.
        reference: `best` or `median` of the rated completions (of an even number the lower one in
            the middle, and of equal ones the first), or a model's name. A name in other capitals
            is accepted where a single completion has it, for data spell `gpt-4` and `GPT-4`.
        preference: The rating that `best` and `median` go by; completions whose rating is known to
            be wrong are not among them.

    Returns:
        The reference, or None where the prompt has none.
    """
    if reference in (BEST, MEDIAN):
        return _by_rating(completions, reference, preference)
    exact = [c for c in completions if c.model == reference]
    if exact:
        return exact[0]
    name = reference.casefold()
    similar = [c for c in completions if c.model is not None and c.model.casefold() == name]
    return similar[0] if len(similar) == 1 else None


def _by_rating(
    completions: Sequence[RatedCompletion], reference: str, preference: str
) -> RatedCompletion | None:
    rated = [
        (c.ratings[preference], c)
        for c in completions
        if preference in c.ratings and preference not in c.unusable_for
    ]
    if not rated:
        return None
    if reference == BEST:
        return max(rated, key=lambda pair: pair[0])[1]
    middle = sorted(rating for rating, _ in rated)[(len(rated) - 1) // 2]
    return next(c for rating, c in rated if rating == middle)
