from hypothesis import given
from hypothesis import strategies as st

from ultrarm_eval.board.ranking import Spread, rank_ranges

ENDS = st.tuples(st.floats(0, 1), st.floats(0, 0.3)).map(lambda x: Spread(x[0], x[0] + x[1]))


def test_ranks_are_as_far_apart_as_intervals_say():
    spreads = [Spread(0.8, 0.9), Spread(0.75, 0.85), Spread(0.5, 0.6), Spread(0.1, 0.2)]
    assert rank_ranges(spreads, higher_is_better=True) == [(1, 2), (1, 2), (3, 3), (4, 4)]
    assert rank_ranges(spreads, higher_is_better=False) == [(3, 4), (3, 4), (2, 2), (1, 1)]


@given(st.lists(ENDS, max_size=12))
def test_they_are_what_counting_gives(spreads):
    found = rank_ranges(spreads, higher_is_better=True)
    for one, (first, last) in zip(spreads, found, strict=True):
        assert first == 1 + sum(other.low > one.high for other in spreads)
        assert last == len(spreads) - sum(other.high < one.low for other in spreads)
        assert 1 <= first <= last <= len(spreads)
