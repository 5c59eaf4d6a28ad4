from hypothesis import given
from hypothesis import strategies as st

from tests.text_format.token_texts import as_tokens, distinct_texts
from ultrarm_eval.engine.tree import prefix_forest


def path_of(tree, index, texts):
    ids = []
    while index >= 0:
        segment = tree[index]
        ids = [*texts[segment.text][segment.start : segment.stop], *ids]
        assert segment.parent < index
        index = segment.parent
    return tuple(ids)


@given(distinct_texts(), st.integers(1, 6))
def test_every_text_is_the_path_to_the_one_segment_it_ends_in(texts, least_shared):
    forest = prefix_forest(as_tokens(texts), least_shared=least_shared)
    found = {
        segment.ends: path_of(tree, index, texts)
        for tree in forest
        for index, segment in enumerate(tree)
        if segment.ends >= 0
    }
    assert found == dict(enumerate(texts))
    assert sum(s.ends >= 0 for tree in forest for s in tree) == len(texts)
    assert all(segment.length > 0 for tree in forest for segment in tree)


@given(distinct_texts())
def test_sharing_everything_leaves_as_many_tokens_as_there_are_prefixes(texts):
    forest = prefix_forest(as_tokens(texts), least_shared=1)
    prefixes = {text[: end + 1] for text in texts for end in range(len(text))}
    assert sum(segment.length for tree in forest for segment in tree) == len(prefixes)


def test_a_short_common_start_is_not_worth_a_segment():
    texts = as_tokens([(1, 2, 3, 4), (1, 2, 5, 6)])
    assert len(prefix_forest(texts, least_shared=3)) == 2
    (tree,) = prefix_forest(texts, least_shared=2)
    assert [segment.length for segment in tree] == [2, 2, 2]


def test_a_text_that_begins_another_ends_where_it_ends():
    (tree,) = prefix_forest(as_tokens([(1, 2, 3), (1, 2)]), least_shared=2)
    assert [(s.length, s.parent, s.ends) for s in tree] == [(2, -1, 1), (1, 0, 0)]


def test_no_texts_have_no_trees():
    assert prefix_forest([]) == []
