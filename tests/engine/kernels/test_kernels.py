"""Every attention kernel against softmax(QK'/sqrt(d))V of each text by itself, in float64."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tests.text_format.token_texts import as_tokens, distinct_texts
from ultrarm_eval.engine.kernels import flex
from ultrarm_eval.engine.kernels.cascade import CascadeAttention
from ultrarm_eval.engine.kernels.flex import FlexAttention, seen_until_position
from ultrarm_eval.engine.kernels.sdpa import AttentionBySegment
from ultrarm_eval.engine.kernels.varlen import MOST_GATHERED, VarlenAttention
from ultrarm_eval.engine.rows import TreeLayout, make_row
from ultrarm_eval.engine.tree import cut, prefix_forest

HEADS, SIZE = 4, 8


def plain(query, key, value, scale, *, lower_right=True):
    """Causal attention of (queries, heads, size) to keys of fewer heads, in float64."""
    query, key, value = (tensor.double() for tensor in (query, key, value))
    key, value = (t.repeat_interleave(query.shape[1] // t.shape[1], 1) for t in (key, value))
    scores = torch.einsum("qhd,khd->hqk", query, key) * scale
    late = len(key) - len(query) if lower_right else 0
    scores += torch.full(scores.shape[1:], -torch.inf).triu(late + 1)
    return torch.einsum("hqk,khd->qhd", scores.softmax(-1), value).float()


def variable_length(query, key, value, sequences, scale, *, lower_right=True):
    """What a variable-length kernel of a GPU computes."""
    asked, seen = sequences.query_ends.tolist(), sequences.key_ends.tolist()
    assert sequences.queries == len(query) == asked[-1]
    assert sequences.longest_query == max(np.diff(asked))
    assert sequences.longest_key == max(np.diff(seen))
    assert sequences.query_ends.dtype == sequences.key_ends.dtype == torch.int32
    parts = [
        plain(query[a:b], key[c:d], value[c:d], scale, lower_right=lower_right)
        for a, b, c, d in zip(asked, asked[1:], seen, seen[1:], strict=False)
    ]
    return torch.cat(parts)


KERNELS = {
    "sdpa": AttentionBySegment,
    "cascade": CascadeAttention,
    "varlen": partial(VarlenAttention, kernel=variable_length),
    "flex": FlexAttention,
}
# Without a GPU flex_attention is the plain formula, and says that this is slow.
pytestmark = pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")


def layout_of(texts, least_shared):
    tokens = as_tokens(texts)
    pieces = [
        piece
        for tree in prefix_forest(tokens, least_shared=least_shared)
        for piece in cut(tree, 10**6, None)
    ]
    return make_row(pieces, tokens).layout


def expected_of(layout, query, key, value, scale):
    """Each segment's rows of the attention of its whole path."""
    rows = []
    for span, context in zip(layout.spans, layout.contexts, strict=True):
        path = np.concatenate([np.arange(*stretch) for stretch in (*context, span)])
        q, k, v = (t[0].transpose(0, 1)[path] for t in (query, key, value))
        rows.append(plain(q, k, v, scale)[-(span[1] - span[0]) :])
    return torch.cat(rows)


# The plain formula of flex_attention takes seconds; the test of its compilation checks values too.
@pytest.mark.parametrize(
    "name",
    [pytest.param(one, marks=pytest.mark.slow) if one == "flex" else one for one in KERNELS],
)
@settings(deadline=None, max_examples=examples(25))
@given(
    texts=distinct_texts(),
    least_shared=st.integers(1, 4),
    key_heads=st.sampled_from([1, 2, 4]),
    scale=st.sampled_from([SIZE**-0.5, 0.9]),
)
def test_every_position_sees_its_own_text_and_no_other(name, texts, least_shared, key_heads, scale):
    layout = layout_of(texts, least_shared)
    draw = torch.Generator().manual_seed(len(texts))
    tokens = layout.spans[-1][1]
    query = torch.randn(1, HEADS, tokens, SIZE, generator=draw)
    key, value = (torch.randn(1, key_heads, tokens, SIZE, generator=draw) for _ in range(2))
    expected = expected_of(layout, query, key, value, scale)
    attention = KERNELS[name](layout)
    found = attention.attend(query, key, value, scale)
    assert found.shape == (1, tokens, HEADS, SIZE)
    torch.testing.assert_close(found[0], expected, atol=1e-5, rtol=1e-5)
    read_at = torch.tensor(layout.read_at)
    at_ends = attention.attend_at_ends(query[:, :, read_at], key, value, scale)
    torch.testing.assert_close(at_ends[0], expected[read_at], atol=1e-5, rtol=1e-5)


def test_rows_that_share_nothing_are_not_gathered():
    seen = []

    def kernel(query, key, value, sequences, scale):
        seen.append(sequences.gathered)
        return query

    attention = VarlenAttention(layout_of([(1, 2), (3,)], 1), kernel)
    tensors = [torch.zeros(1, HEADS, 3, SIZE)] * 3
    attention.attend(*tensors, 1.0)
    assert seen == [None]


def test_many_answers_of_a_long_prompt_are_gathered_in_bounded_calls():
    prompt, answers = 60, [3, 1, 4, 2, 9, 1]
    spans, at = [(0, prompt)], prompt
    for length in answers:
        spans.append((at, at + length))
        at += length
    layout = TreeLayout(
        tuple(spans), ((), *[((0, prompt),)] * len(answers)), [stop - 1 for _, stop in spans[1:]]
    )
    gathered = []

    def kernel(query, key, value, sequences, scale):
        gathered.append(len(key))
        return variable_length(query, key, value, sequences, scale)

    draw = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(1, 4, at, SIZE, generator=draw) for _ in range(3))
    expected = expected_of(layout, query, key, value, 0.3)
    attention = VarlenAttention(layout, kernel)
    found = attention.attend(query, key, value, 0.3)
    torch.testing.assert_close(found[0], expected, atol=1e-5, rtol=1e-5)
    ends = attention.attend_at_ends(query[:, :, layout.read_at], key, value, 0.3)
    torch.testing.assert_close(ends[0], expected[layout.read_at], atol=1e-5, rtol=1e-5)
    assert len(gathered) > 4
    assert max(gathered) <= MOST_GATHERED * at


def test_rows_of_other_shapes_do_not_compile_again():
    """As on a GPU, with a backend that counts instead of making kernels."""
    compiled = []

    def counting(graph, _):
        compiled.append(graph)
        return graph

    torch._dynamo.reset()
    attend = torch.compile(flex.flex_attention, backend=counting, dynamic=False, fullgraph=True)
    draw = np.random.default_rng(0)
    for count in range(1, 12):
        texts = [tuple(draw.integers(1, 9, 30).tolist()) for _ in range(count)]
        layout = layout_of(texts, 1)
        tokens = layout.spans[-1][1]
        query = torch.randn(1, HEADS, tokens, SIZE)
        attention = FlexAttention(layout)
        with pytest.MonkeyPatch.context() as patch, torch.inference_mode():
            patch.setattr(flex, "flex_attention", attend)
            found = attention.attend(query, query, query, 0.3)
        torch.testing.assert_close(
            found[0], expected_of(layout, query, query, query, 0.3), atol=1e-5, rtol=1e-5
        )
    torch._dynamo.reset()
    assert len(compiled) == 1


@pytest.mark.slow
def test_several_judges_in_a_process_have_a_kernel_each(monkeypatch):
    """More kernels than dynamo allows: of itself 8, here 2."""
    compiled = []

    def counting(graph, _):
        compiled.append(graph)
        return graph

    monkeypatch.setattr(flex, "_LEAST", 128)
    torch._dynamo.reset()
    attend = torch.compile(flex.flex_attention, backend=counting, dynamic=False, fullgraph=True)
    monkeypatch.setattr(flex, "flex_attention", attend)
    with torch._dynamo.config.patch(recompile_limit=2), torch.inference_mode():
        for heads in (2, 3, 4):
            layout = TreeLayout(((0, 100),), ((),), [99])
            query = torch.randn(1, heads, 100, SIZE)
            FlexAttention(layout).attend(query, query, query, 0.3)
    torch._dynamo.reset()
    assert len(compiled) == 3


def test_padding_is_seen_by_none_and_skipped():
    layout = layout_of([(1, 2, 3)], 1)
    until = seen_until_position(layout, 1024)
    assert until.tolist() == [3, 3, 3] + [0] * 1021
    mask = FlexAttention(layout)._block_mask(torch.device("cpu"))
    assert mask.sparsity() == pytest.approx(100 * (1 - 1 / 64))
