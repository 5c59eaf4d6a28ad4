"""Portions: every text once, prompts whole, tokenised before the model asks for them."""

import threading
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ultrarm_eval.engine import portions as module
from ultrarm_eval.engine import torch_engine
from ultrarm_eval.engine.portions import portions
from ultrarm_eval.errors import ScoringError
from ultrarm_eval.judges.ultrarm import UltraRMJudge
from ultrarm_eval.text_format.tokens import EncodedText, Tokens


class Words:
    """An encoder that remembers who asked, and when."""

    def __init__(self):
        self.calls = []

    def check(self, prompts, completions):
        self.checked = len(completions)

    def encode(self, prompts, completions, numbers):
        self.calls.append((threading.current_thread().name, list(numbers)))
        return [EncodedText(Tokens.of([int(c)]), False, False) for c in completions]


@pytest.fixture
def small_portions(monkeypatch):
    monkeypatch.setattr(module, "_SIZES", (3, 5))


PROMPTS = st.one_of(
    st.none(),
    st.sampled_from(["a", "b", "None"]),
    st.sampled_from(["a", "b"]).map(lambda text: [{"role": "user", "content": text}]),
)


@settings(deadline=None)
@given(prompts=st.lists(PROMPTS, max_size=30))
def test_every_text_is_in_one_portion_and_prompts_stay_whole(prompts):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_SIZES", (3, 5))
        completions = [str(i) for i in range(len(prompts))]
        found = list(portions(Words(), prompts, completions))
    places = [{t: i for t, (i,) in portion.new.items()} for portion in found]
    assert sorted(i for portion in places for i in portion.values()) == list(range(len(prompts)))
    of_prompt = Counter()
    for portion in places:
        assert {token: i for text, i in portion.items() for token in text} == {
            i: i for i in portion.values()
        }
        of_prompt.update({repr(prompts[i]) for i in portion.values()})
    assert all(count == 1 for count in of_prompt.values())


def test_the_next_portion_is_tokenised_while_this_one_is_used(small_portions):
    words = Words()
    stream = portions(words, list("abcdefghij"), [str(i) for i in range(10)])
    assert len(next(stream).texts) == 3
    # The thread has the second portion now, whether or not it is finished.
    assert len(next(stream).texts) == 5
    assert [numbers for _, numbers in words.calls[:2]] == [[0, 1, 2], [3, 4, 5, 6, 7]]
    assert all(name.startswith("encoding") for name, _ in words.calls)
    stream.close()


def test_a_text_is_new_once_and_then_where_it_was_first(small_portions):
    found = list(portions(Words(), list("abcdef"), ["7", "8", "7", "9", "8", "9"]))
    assert [{tuple(text): places for text, places in portion.new.items()} for portion in found] == [
        {(7,): [0, 2], (8,): [1]},
        {(9,): [3, 5]},
    ]
    assert [portion.again for portion in found] == [[], [(4, 1)]]


def test_nothing_asked_for_is_nothing_done():
    assert list(portions(Words(), [], [])) == []


def test_a_text_of_two_portions_is_computed_once(checkpoint, small_portions, monkeypatch):
    sizes = []
    real = torch_engine._score_batch

    def counted(runner, texts, batch):
        sizes.append(len(batch.texts))
        return real(runner, texts, batch)

    monkeypatch.setattr(torch_engine, "_score_batch", counted)
    judge = UltraRMJudge(str(checkpoint), template="raw", device="cpu")
    # Without a prompt in the text, the same answer to two prompts is one text.
    prompts, answers = list("abcdefgh"), ["blue", "sky", "the"] * 2 + ["blue", "a horse"]
    rewards = judge.score(prompts, answers)
    assert sum(sizes) == 4
    assert judge.settings()["counts"]["distinct_texts"] == 4
    assert judge.settings()["counts"]["texts"] == 8
    expected = judge.score_one_at_a_time(prompts, answers)
    assert rewards == pytest.approx(expected, abs=5e-5)
    plan, _ = judge.plan(prompts, answers)
    assert sorted(text for batch in plan.batches for text in batch.texts) == [0, 1, 2, 3]


def test_a_wrong_completion_is_named_before_anything_is_computed(checkpoint, small_portions):
    judge = UltraRMJudge(str(checkpoint), device="cpu")
    with pytest.raises(ScoringError, match="Completion 9 is of type int"):
        next(judge.score_stream(list("abcdefghij"), ["x"] * 9 + [3]))


def test_a_text_that_cannot_be_encoded_is_called_by_its_place(checkpoint, small_portions):
    judge = UltraRMJudge(str(checkpoint), device="cpu")
    judge._encoder._vocabulary_size = judge._encoder.bos_id + 1
    with pytest.raises(ScoringError, match="Text [0-9]+ has the token id"):
        judge.score(list("abcdefghij"), ["sky"] * 10)


def test_tokens_that_texts_share_are_counted_once_as_they_are_planned(checkpoint):
    judge = UltraRMJudge(str(checkpoint), device="cpu")
    prompts, answers = ["the sky is blue " * 20] * 4, ["blue", "green", "the sea", "blue"]
    judge.score(prompts, answers)
    plan, _ = judge.plan(prompts, answers)
    computed = judge.settings()["counts"]["computed_tokens"]
    assert computed == plan.computed_tokens == plan.distinct_tokens < plan.text_tokens / 2
    # What was computed once is not computed again.
    judge.score_one_at_a_time(prompts, answers)
    assert judge.settings()["counts"]["computed_tokens"] == computed
