from hypothesis import given
from hypothesis import strategies as st

from ultrarm_eval.engine.batches import plan_batches


@given(
    st.lists(st.integers(1, 300), max_size=60),
    st.integers(1, 600),
    st.one_of(st.none(), st.integers(1, 9)),
)
def test_every_text_stands_in_one_batch_within_the_limits(lengths, max_tokens, max_texts):
    batches = plan_batches(lengths, max_tokens=max_tokens, max_texts=max_texts)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        padded = len(batch) * max(lengths[i] for i in batch)
        assert padded <= max_tokens or len(batch) == 1
        assert max_texts is None or len(batch) <= max_texts


def test_longest_texts_come_first():
    assert plan_batches([1, 9, 5], max_tokens=10) == [[1], [2, 0]]
