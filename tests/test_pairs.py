from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from ultrarm_eval.pairs import PreferencePair, compared_completions, preference_pairs


def test_every_pair_with_different_ratings_counts_once():
    pairs = preference_pairs([Fraction(4), Fraction(2), None, Fraction(4)])
    assert pairs == (PreferencePair(0, 1), PreferencePair(3, 1))


def test_equal_means_over_different_numbers_of_aspects_are_equal():
    third = (Fraction(1) + Fraction(4) + Fraction(5)) / 3  # 10/3
    other = (Fraction(3) + Fraction(3) + Fraction(4)) / 3
    assert preference_pairs([third, other]) == ()


def test_means_that_differ_less_than_a_float_can_tell_are_different():
    close = Fraction(10, 3) + Fraction(1, 10**30)
    assert float(close) == float(Fraction(10, 3))
    assert preference_pairs([Fraction(10, 3), close]) == (PreferencePair(1, 0),)


def test_no_fractions_are_compared_where_there_is_no_least_gap(monkeypatch):
    ratings = [Fraction(13, 3), Fraction(4), Fraction(26, 6)]
    for name in ("__eq__", "_richcmp"):
        monkeypatch.delattr(Fraction, name)
    assert preference_pairs(ratings) == (PreferencePair(0, 1), PreferencePair(2, 1))


@given(st.lists(st.one_of(st.none(), st.integers(1, 5).map(Fraction)), max_size=6))
def test_pairs_are_those_of_a_plain_double_loop(ratings):
    expected = {
        (i, j)
        for i, a in enumerate(ratings)
        for j, b in enumerate(ratings)
        if a is not None and b is not None and a > b
    }
    pairs = preference_pairs(ratings)
    assert {(p.chosen, p.rejected) for p in pairs} == expected
    assert len(pairs) == len(expected)
    assert compared_completions(pairs) == tuple(sorted({i for pair in expected for i in pair}))
