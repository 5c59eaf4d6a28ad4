"""Requests: every text once, bounded, and what begins alike together."""

from hypothesis import given, settings
from hypothesis import strategies as st

from ultrarm_eval.engine.server.packing import pack
from ultrarm_eval.text_format.tokens import Tokens

TEXTS = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=12), max_size=40).map(
    lambda texts: [Tokens.of(ids) for ids in dict.fromkeys(map(tuple, texts))]
)


@settings(deadline=None)
@given(texts=TEXTS, most=st.integers(1, 9), tokens=st.integers(1, 40))
def test_every_text_is_in_one_request_within_the_bounds(texts, most, tokens):
    requests = pack(texts, max_texts=most, max_tokens=tokens)
    assert sorted(i for one in requests for i in one.texts) == list(range(len(texts)))
    for one in requests:
        assert one.tokens == sum(len(texts[i]) for i in one.texts)
        assert 1 <= len(one.texts) <= most
        assert one.tokens <= tokens or len(one.texts) == 1


def answers(prompt, count, length=90):
    return [Tokens.of([prompt] * length + [i]) for i in range(1, count + 1)]


def test_the_answers_to_a_prompt_stay_together():
    texts = [one for prompt in range(20) for one in answers(prompt + 100, 4)]
    requests = pack(texts, max_texts=10, max_tokens=10_000)
    assert [len(one.texts) for one in requests] == [8] * 10
    for one in requests:
        assert len({i // 4 for i in one.texts}) == 2


def test_answers_that_do_not_fit_go_on_in_the_next():
    requests = pack(answers(5, 25), max_texts=10, max_tokens=10_000)
    assert [len(one.texts) for one in requests] == [10, 10, 5]
    assert [one.goes_on for one in requests] == [None, requests[0], requests[1]]


def test_halves_have_all_texts_and_their_tokens():
    (one,) = pack(answers(5, 5), max_texts=10, max_tokens=10_000)
    first, second = one.halves([91] * 5)
    assert (first.texts, second.texts) == (one.texts[:3], one.texts[3:])
    assert (first.tokens, second.tokens) == (273, 182)
