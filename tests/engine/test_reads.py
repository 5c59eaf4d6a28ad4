"""Values made of readings at several tokens: the same whatever is shared and however it is cut."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from ultrarm_eval.engine.reads import Reads
from ultrarm_eval.engine.torch_engine import BatchLimits, TorchEngine
from ultrarm_eval.errors import TextDoesNotFitError
from ultrarm_eval.settings import BATCHINGS
from ultrarm_eval.text_format.tokens import Tokens

WIDTH = 2
LIMIT = 12


def state(ids):
    """What a causal network gives at the last of some ids: it depends on all, and their order."""
    total = 1
    for number in ids:
        total = (total * 31 + number + 7) % 9973
    return [total, total % 13]


class CausalNetwork:
    """A network of integers, run as the engine runs one; so large a batch is too large for it."""

    model = None
    written = 0

    def __init__(self, limit=10**9):
        self.limit, self.computed = limit, 0

    def _require_room(self, tokens):
        if tokens > self.limit:
            raise RuntimeError("out of memory")
        self.computed += tokens

    def score_row(self, row):
        self._require_room(len(row.ids))
        layout, found = row.layout, []
        for at, segment in zip(layout.read_at, layout.read_segments(), strict=True):
            slices = [*layout.contexts[segment], (layout.spans[segment][0], at + 1)]
            path = np.concatenate([np.arange(*one) for one in slices])
            assert row.positions[path].tolist() == list(range(len(path)))
            found.append(state(row.ids[path].tolist()))
        return torch.tensor(found[: len(row.texts)], dtype=torch.float64)

    def score_padded(self, texts):
        self._require_room(len(texts) * max(map(len, texts)))
        return torch.tensor([state(text) for text in texts], dtype=torch.float64)

    def score_alone(self, text):
        return torch.tensor(state(text), dtype=torch.float64)


def compose(outputs):
    """A value that depends on every reading and their order, and all readings."""
    weights = np.arange(1, len(outputs) + 1)
    return float(weights @ outputs[:, 0] - outputs[-1, 1]), outputs.tolist()


@st.composite
def many_texts(draw):
    """Distinct texts of few ids, so that they share beginnings, with ascending places."""
    found = {}
    for _ in range(draw(st.integers(1, 8))):
        ids = draw(st.lists(st.integers(0, 2), min_size=1, max_size=10))
        places = draw(st.lists(st.integers(0, len(ids) - 1), max_size=4))
        text = Tokens.of(ids, reads=sorted(places))
        found[text] = text
    return list(found)


def expected(text):
    """What one pass over a text gives."""
    ids = list(text)
    places = text.reads or (len(ids) - 1,)
    return compose(np.array([state(ids[: at + 1]) for at in places], dtype=np.float64))


@settings(max_examples=examples(100), deadline=None)
@given(
    many_texts(),
    st.sampled_from(BATCHINGS),
    st.integers(1, 40),
    st.one_of(st.none(), st.integers(1, 4)),
    st.sampled_from([LIMIT, 10**9]),
)
def test_values_are_those_of_one_pass(texts, batching, budget, most, limit):
    network = CausalNetwork(limit)
    limits = BatchLimits(budget, most)
    engine = TorchEngine(lambda: network, lambda: limits, batching, compose=compose)
    found = {}
    tokens = 0
    for batch in engine.compute(texts):
        tokens += batch.tokens
        for place, value, detail in zip(batch.texts, batch.values, batch.details, strict=True):
            assert place not in found
            found[place] = (value, detail)
    assert [found[place] for place in range(len(texts))] == [expected(text) for text in texts]
    assert tokens > 0
    if batching != "padded":
        assert tokens == network.computed


@settings(max_examples=examples(100), deadline=None)
@given(many_texts(), st.randoms(use_true_random=False))
def test_a_text_is_whole_once_whatever_comes_first(texts, random):
    reads = Reads(texts)
    assert len(set(reads.ends)) == len(reads.ends)
    order = list(range(len(reads.ends)))
    random.shuffle(order)
    whole = {}
    while order:
        some = [order.pop() for _ in range(random.randint(1, len(order)))]
        outputs = np.array([state(reads.ends[end]) for end in some], dtype=np.float64)
        for place, found in reads.add(some, outputs):
            assert place not in whole
            whole[place] = compose(found)
    assert whole == {place: expected(text) for place, text in enumerate(texts)}
    for end, place in enumerate(reads.text_of):
        assert reads.ends[end] in texts[place].prefixes()


@given(many_texts())
def test_alone_is_the_same(texts):
    engine = TorchEngine(CausalNetwork, lambda: BatchLimits(8), compose=compose)
    assert [engine.compute_alone(text) for text in texts] == [expected(text)[0] for text in texts]


def test_what_does_not_fit_alone_is_called_by_the_text_it_is_read_in():
    texts = [Tokens.of([1, 2], reads=[0, 1]), Tokens.of(range(LIMIT + 4), reads=[0, LIMIT + 2])]
    limits = BatchLimits(100)
    engine = TorchEngine(lambda: CausalNetwork(LIMIT), lambda: limits, "packed", compose=compose)
    with pytest.raises(TextDoesNotFitError) as error:
        list(engine.compute(texts))
    assert error.value.text == 1
