"""Which completions of a document need a reward."""

import dataclasses
from fractions import Fraction

from ultrarm_eval.documents.document import Document
from ultrarm_eval.metrics import within_prompt
from ultrarm_eval.rules import ComparisonRules


def test_pairs_of_aspects_are_made_only_where_a_main_rating_is_missing(monkeypatch):
    made = []
    make = within_prompt.preference_pairs
    monkeypatch.setattr(within_prompt, "preference_pairs", lambda *of: made.append(of) or make(*of))
    one, two = Fraction(1), Fraction(2)
    ratings = {"overall": (one, two), "honesty": (two, one)}
    prompt = ({"role": "user", "content": "p"},)
    whole = Document(prompt, ("a", "b"), None, "overall", ratings, ("honesty",))
    assert within_prompt.completions_to_score(whole, ComparisonRules()) == (0, 1)
    assert made == []
    partly = dataclasses.replace(whole, ratings={**ratings, "overall": (one, None)})
    assert within_prompt.completions_to_score(partly, ComparisonRules()) == (0, 1)
    assert len(made) == 1
