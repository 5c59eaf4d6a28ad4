from hypothesis import given
from hypothesis import strategies as st

from ultrarm_eval.board.columns import rank_ranges
from ultrarm_eval.stats.interval import Interval

ENDS = st.tuples(st.floats(0, 1), st.floats(0, 0.3)).map(lambda x: Interval(x[0], x[0] + x[1]))


def test_ranks_are_as_far_apart_as_intervals_say():
    intervals = [Interval(0.8, 0.9), Interval(0.75, 0.85), Interval(0.5, 0.6), Interval(0.1, 0.2)]
    assert rank_ranges(intervals, higher_is_better=True) == [(1, 2), (1, 2), (3, 3), (4, 4)]
    assert rank_ranges(intervals, higher_is_better=False) == [(3, 4), (3, 4), (2, 2), (1, 1)]


@given(st.lists(ENDS, max_size=12))
def test_they_are_what_counting_gives(intervals):
    found = rank_ranges(intervals, higher_is_better=True)
    for one, (first, last) in zip(intervals, found, strict=True):
        assert first == 1 + sum(other.low > one.high for other in intervals)
        assert last == len(intervals) - sum(other.high < one.low for other in intervals)
        assert 1 <= first <= last <= len(intervals)
