import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.text_format.token_texts import as_tokens, distinct_texts
from ultrarm_eval.engine.plan import PACKED, PADDED, SHARED, make_plan, pack, pad
from ultrarm_eval.engine.tree import Piece, Segment
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.settings import BATCHINGS


@given(
    distinct_texts(max_texts=20),
    st.sampled_from(BATCHINGS),
    st.integers(1, 40),
    st.one_of(st.none(), st.integers(1, 5)),
)
def test_every_text_stands_in_one_batch_within_the_limits(texts, batching, max_tokens, max_texts):
    plan = make_plan(
        as_tokens(texts), batching=batching, max_tokens=max_tokens, max_texts=max_texts
    )
    assert sorted(i for batch in plan.batches for i in batch.texts) == list(range(len(texts)))
    for batch in plan.batches:
        assert batch.tokens <= max_tokens or len(batch.texts) == 1
        assert max_texts is None or len(batch.texts) <= max_texts
    assert plan.text_tokens == sum(map(len, texts))
    assert plan.distinct_tokens <= plan.computed_tokens


def four_completions(prompts=6, prompt_length=40, answer_length=25):
    draw = np.random.default_rng(0)
    return as_tokens(
        [*prompt, *draw.integers(0, 1000, answer_length)]
        for prompt in (draw.integers(0, 1000, prompt_length) for _ in range(prompts))
        for _ in range(4)
    )


def test_a_prompt_with_four_completions_is_computed_once():
    plan = make_plan(four_completions(), batching=SHARED, max_tokens=1000)
    assert plan.text_tokens == 6 * 4 * 65
    assert plan.computed_tokens == plan.distinct_tokens == 6 * (40 + 4 * 25)


def test_packed_rows_have_no_padding_and_share_nothing():
    plan = make_plan(four_completions(), batching=PACKED, max_tokens=1000)
    assert plan.computed_tokens == plan.text_tokens == plan.distinct_tokens == 6 * 4 * 65


def test_padded_batches_are_counted_with_their_padding():
    texts = as_tokens([(1,) * 10, (2,) * 4, (3,) * 3])
    plan = make_plan(texts, batching=PADDED, max_tokens=8)
    assert [(batch.texts, batch.tokens) for batch in plan.batches] == [((0,), 10), ((1, 2), 8)]


def test_a_prompt_whose_completions_do_not_fit_together_is_repeated():
    plan = make_plan(four_completions(prompts=1), batching=SHARED, max_tokens=100)
    assert [len(batch.texts) for batch in plan.batches] == [2, 2]
    assert plan.computed_tokens == 2 * (40 + 2 * 25)
    assert plan.distinct_tokens == 40 + 4 * 25


def test_a_prompt_with_its_completions_may_be_larger_than_a_batch_and_is_then_alone():
    plan = make_plan(
        four_completions(prompts=3), batching=SHARED, max_tokens=100, max_tree_tokens=140
    )
    assert [len(batch.texts) for batch in plan.batches] == [4, 4, 4]
    assert plan.computed_tokens == plan.distinct_tokens == 3 * (40 + 4 * 25)
    # A larger one is cut to that many and not to a batch.
    cut = make_plan(four_completions(1), batching=SHARED, max_tokens=50, max_tree_tokens=139)
    assert [len(batch.texts) for batch in cut.batches] == [3, 1]


def test_batches_are_full_at_ultrafeedbacks_lengths():
    draw = np.random.default_rng(1)
    texts = []
    for _ in range(300):
        prompt = draw.integers(0, 9999, int(np.clip(draw.lognormal(4.7, 1), 8, 600)))
        for _ in range(4):
            answer = draw.integers(0, 9999, int(np.clip(draw.lognormal(5.4, 0.8), 4, 1000)))
            texts.append([*prompt, *answer])
    plan = make_plan(as_tokens(texts), batching=SHARED, max_tokens=16384)
    assert plan.computed_tokens / plan.distinct_tokens <= 1.03
    assert len(plan.batches) <= plan.computed_tokens / 16384 * 1.03 + 1


def test_an_unknown_batching_names_the_choices():
    with pytest.raises(ConfigurationError, match="Choose one of: packed, padded, shared"):
        make_plan([], batching="flat", max_tokens=1)


def test_a_limit_of_texts_does_not_end_a_batch_that_a_smaller_piece_fits_into():
    def piece(texts, tokens):
        segments = tuple(Segment(i, 0, tokens // texts, -1, i) for i in range(texts))
        return Piece(segments, tokens, tuple(range(texts)))

    pieces = [piece(3, 30), piece(2, 20), piece(1, 10)]
    assert pack(pieces, max_tokens=100, max_texts=4) == [[0, 2], [1]]


@given(
    st.lists(st.integers(1, 300), max_size=60),
    st.integers(1, 600),
    st.one_of(st.none(), st.integers(1, 9)),
)
def test_every_text_stands_in_one_padded_batch_within_the_limits(lengths, max_tokens, max_texts):
    batches = pad(lengths, max_tokens=max_tokens, max_texts=max_texts)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        padded = len(batch) * max(lengths[i] for i in batch)
        assert padded <= max_tokens or len(batch) == 1
        assert max_texts is None or len(batch) <= max_texts


def test_longest_texts_come_first():
    assert pad([1, 9, 5], max_tokens=10) == [[1], [2, 0]]
