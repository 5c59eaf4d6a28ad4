import numpy as np
import pytest

from ultrarm_eval.engine.prefixes import each_once, prefixes, read_positions


def texts(*rows):
    return [np.array(row, dtype=np.int32) for row in rows]


def as_lists(rows):
    return [row.tolist() for row in rows]


@pytest.mark.parametrize(
    ("ids", "unread", "positions"),
    [
        ([1, 5, 6], None, [0, 1, 2]),
        ([1, 5, 2, 2, 6, 2], 2, [0, 1, 1, 1, 4, 4]),
        # Something has to be read.
        ([2, 2, 5], 2, [0, 0, 2]),
    ],
)
def test_a_token_that_is_not_read_leaves_the_reward_of_the_one_before(ids, unread, positions):
    assert read_positions(*texts(ids), unread) == positions


def test_every_prefix_is_a_text():
    (ids,) = texts([1, 5, 6])
    found = prefixes(ids, closing_id=None, unread_id=None)
    assert as_lists(found) == [[1], [1, 5], [1, 5, 6]]


def test_what_closes_the_text_closes_its_prefixes():
    (ids,) = texts([1, 5, 3, 6, 3])
    found = prefixes(ids, closing_id=3, unread_id=None)
    assert as_lists(found) == [[1, 3], [1, 5, 3], [1, 5, 3], [1, 5, 3, 6, 3], [1, 5, 3, 6, 3]]
    assert {row.dtype for row in found} == {np.dtype(np.int32)}
    (unclosed,) = texts([1, 5, 3, 6])
    assert as_lists(prefixes(unclosed, closing_id=3, unread_id=None))[0] == [1]


def test_what_is_not_read_is_left_out():
    (ids,) = texts([1, 2, 5])
    assert as_lists(prefixes(ids, closing_id=None, unread_id=2)) == [[1], [1], [1, 2, 5]]


def test_the_same_text_is_there_once():
    distinct, which = each_once(texts([1, 3], [1, 5], [1, 3], [1]))
    assert as_lists(distinct) == [[1, 3], [1, 5], [1]]
    assert which == [0, 1, 0, 2]
