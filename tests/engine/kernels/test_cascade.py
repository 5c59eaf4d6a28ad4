"""Attention in parts: which calls are made, how parts are merged, and what happens without it."""

import pytest
import torch

from tests.engine.kernels.test_kernels import HEADS, SIZE, expected_of, layout_of
from ultrarm_eval.engine.kernels import cascade
from ultrarm_eval.engine.kernels.cascade import CascadeAttention, shared_prefixes
from ultrarm_eval.engine.kernels.choice import SDPA, Place, checked_attention, choose_kernel
from ultrarm_eval.engine.kernels.sdpa import AttentionBySegment

# A prompt of four tokens with three answers, two of which begin alike, and a text by itself.
TEXTS = [(1, 2, 3, 4, 5), (1, 2, 3, 4, 6, 6, 7), (1, 2, 3, 4, 6, 6, 8, 9), (9, 9)]


def drawn(layout, key_heads=HEADS, dtype=torch.float32):
    tokens = layout.spans[-1][1]
    draw = torch.Generator().manual_seed(0)
    shapes = ((1, heads, tokens, SIZE) for heads in (HEADS, key_heads, key_heads))
    return [torch.randn(shape, generator=draw).to(dtype) for shape in shapes]


@pytest.fixture
def place(reward_model):
    return Place(reward_model.config, torch.device("cpu"), torch.float32)


@pytest.fixture
def calls(monkeypatch):
    """Numbers of queries and keys of each call of the operator."""
    made = []
    attend = cascade._attend

    def counting(query, key, value, is_causal, scale):
        made.append((query.shape[2], key.shape[2], is_causal))
        return attend(query, key, value, is_causal, scale)

    monkeypatch.setattr(cascade, "_attend", counting)
    return made


def test_each_prefix_is_seen_once_by_each_query_behind_it():
    layout = layout_of(TEXTS, 1)
    assert list(layout.spans) == [(0, 4), (4, 5), (5, 7), (7, 8), (8, 10), (10, 12)]
    whole = [(span, segment) for segment, span in enumerate(layout.spans)]
    found = shared_prefixes(layout, whole)
    assert sorted(found) == [((0, 4), (4, 10)), ((5, 7), (7, 10))]


def test_texts_that_go_on_from_a_prefix_attend_to_it_in_one_call(calls):
    layout = layout_of(TEXTS, 1)
    query, key, value = drawn(layout)
    attention = CascadeAttention(layout)
    attention.attend(query, key, value, 0.3)
    own, of_prefixes = calls[:6], calls[6:]
    assert own == [(n, n, n > 1) for n in (4, 1, 2, 1, 2, 2)]
    assert sorted(of_prefixes) == [(3, 2, False), (6, 4, False)]
    calls.clear()
    # Four texts are read, and the last of them once for all five times it stands there.
    attention.attend_at_ends(query[:, :, layout.read_at], key, value, 0.3)
    assert calls[:4] == [(1, n, False) for n in (1, 1, 2, 2)]
    assert sorted(calls[4:]) == [(2, 2, False), (3, 4, False)]


@pytest.mark.parametrize("key_heads", [1, 2, 4])
def test_scores_far_apart_are_merged_without_overflow(key_heads):
    layout = layout_of(TEXTS, 1)
    query, key, value = drawn(layout, key_heads)
    found = CascadeAttention(layout).attend(query, key, value, 1e4)
    torch.testing.assert_close(found[0], expected_of(layout, query, key, value, 1e4))


def test_parts_in_bfloat16_are_merged_in_float32():
    layout = layout_of(TEXTS, 1)
    half = drawn(layout, dtype=torch.bfloat16)
    found = CascadeAttention(layout).attend(*half, 0.3)
    assert found.dtype == torch.bfloat16
    exact = expected_of(layout, *(t.float() for t in half), 0.3)
    torch.testing.assert_close(found[0].float(), exact, atol=0.02, rtol=0.02)


@pytest.mark.parametrize("number", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("segment", [0, 1])
def test_keys_that_are_not_finite_weigh_what_they_do_segment_by_segment(segment, number):
    layout = layout_of(TEXTS, 1)
    query, key, value = drawn(layout)
    # Every score of the part is of one sign.
    query, key = query.abs(), key.abs()
    key[:, :, slice(*layout.spans[segment])] = number
    read = query[:, :, layout.read_at]
    merged, plain = CascadeAttention(layout), AttentionBySegment(layout)
    for found, expected in (
        (merged.attend(query, key, value, 0.3), plain.attend(query, key, value, 0.3)),
        (merged.attend_at_ends(read, key, value, 0.3), plain.attend_at_ends(read, key, value, 0.3)),
    ):
        torch.testing.assert_close(found, expected, equal_nan=True)


def test_a_torch_whose_operator_is_wrong_or_missing_attends_segment_by_segment(place, monkeypatch):
    assert choose_kernel("auto", place) == (SDPA, CascadeAttention)
    attend = cascade._attend
    with monkeypatch.context() as patch:
        patch.setattr(cascade, "_attend", lambda *given: (attend(*given)[0], 2 * attend(*given)[1]))
        assert choose_kernel("auto", place) == (SDPA, AttentionBySegment)
        assert choose_kernel(checked_attention(SDPA, place), place) == (SDPA, AttentionBySegment)
    monkeypatch.setattr(cascade, "is_available", lambda: False)
    assert choose_kernel("auto", place) == (SDPA, AttentionBySegment)
