"""Hypothesis's strategies for documents and the rewards of their completions."""

from __future__ import annotations

import math

from hypothesis import strategies as st

from tests.report.written_runs import choice, judged_sample, prompted, rated

ASPECTS = ("helpfulness", "honesty")
RATINGS = (None, "1", "2", "5/2", "8/3", "13/4", "10/3", "4", "5")

texts = st.text("ab ", max_size=4)
# Several documents may have one prompt, or none; or each its own.
prompts = st.sampled_from(["a", "bb", ("a", "b", "cc"), "", (), None])
known = st.sampled_from([-2.5, -0.25, 0.0, 0.1, 0.30000000000000004, 1.5, 7.0, 40.0])
known_or_none = st.one_of(known, st.just(math.nan))


@st.composite
def rated_documents(draw, rewards=known):
    """Documents and rewards with ties, missing ratings, empty answers and repeated prompts."""
    judged = []
    for row in range(draw(st.integers(1, 12))):
        count = draw(st.sampled_from([2, 3, 4, 4, 4]))
        ratings = draw(st.lists(st.sampled_from(RATINGS), min_size=count, max_size=count))
        # The harness makes documents of prompts with a pair alone.
        ratings[:2] = draw(st.sampled_from([["1", "5"], ["5", "1"]]))
        doc = rated(
            row,
            draw(st.lists(texts, min_size=count, max_size=count)),
            draw(st.permutations(ratings)),
            prompt=draw(prompts),
            source=draw(st.sampled_from([None, "flan", "sharegpt"])),
            aspects={
                name: draw(st.lists(st.sampled_from(RATINGS), min_size=count, max_size=count))
                for name in ASPECTS
            },
        )
        judged.append((doc, draw(st.lists(rewards, min_size=count, max_size=count))))
    # A document may stand in the data several times.
    return judged + draw(st.lists(st.sampled_from(judged), max_size=2))


@st.composite
def choices(draw, right, wrong, rewards=known):
    """Items of a benchmark with so many right and wrong answers, and rewards."""
    judged = []
    # Some benchmarks have no subsets.
    subsets = st.sampled_from(draw(st.sampled_from([["chat", "math", "code"], [""]])))
    for row in range(draw(st.integers(1, 10))):
        doc = choice(
            row,
            draw(st.lists(texts, min_size=right, max_size=right)),
            draw(st.lists(texts, min_size=wrong, max_size=wrong)),
            subset=draw(subsets),
            prompt=draw(prompts),
        )
        judged.append(
            (doc, draw(st.lists(rewards, min_size=right + wrong, max_size=right + wrong)))
        )
    return judged


@st.composite
def answered(draw, answers, rewards=known):
    """Prompts with references, so many answers, and the rewards of both."""
    found = []
    for row in range(draw(st.integers(1, 10))):
        doc = prompted(row, draw(texts), prompt=draw(prompts))
        written = draw(st.lists(texts, min_size=answers, max_size=answers))
        given = draw(st.lists(rewards, min_size=answers + 1, max_size=answers + 1))
        given = [None if math.isnan(reward) else reward for reward in given]
        found.append(judged_sample(row, doc, written, given[:-1], given[-1]))
    return found
