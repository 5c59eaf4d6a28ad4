"""Portions: every text once, prompts whole, tokenised before the model asks for them."""

import threading
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ultrarm_eval.engine import encoding_ahead as module
from ultrarm_eval.engine import scorer
from ultrarm_eval.engine.encoding_ahead import encoded_ahead
from ultrarm_eval.errors import ScoringError
from ultrarm_eval.judges.ultrarm import UltraRMJudge


class Words:
    """An encoder that remembers who asked, and when."""

    def __init__(self):
        self.calls = []

    def check(self, prompts, completions):
        self.checked = len(completions)

    def encode(self, prompts, completions, numbers):
        self.calls.append((threading.current_thread().name, list(numbers)))
        return [(str(p), c) for p, c in zip(prompts, completions, strict=True)]


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
        portions = list(encoded_ahead(Words(), prompts, completions))
    assert sorted(i for portion in portions for i in portion.indices) == list(range(len(prompts)))
    of_prompt = Counter()
    for portion in portions:
        assert [text for _, text in portion.texts] == [str(i) for i in portion.indices]
        of_prompt.update({repr(prompts[i]) for i in portion.indices})
    assert all(count == 1 for count in of_prompt.values())


def test_the_next_portion_is_tokenised_while_this_one_is_used(small_portions):
    words = Words()
    stream = encoded_ahead(words, list("abcdefghij"), ["x"] * 10)
    assert len(next(stream).indices) == 3
    # The thread has the second portion now, whether or not it is finished.
    assert len(next(stream).indices) == 5
    assert [numbers for _, numbers in words.calls[:2]] == [[0, 1, 2], [3, 4, 5, 6, 7]]
    assert all(name.startswith("encoding") for name, _ in words.calls)
    stream.close()


def test_nothing_asked_for_is_nothing_done():
    assert list(encoded_ahead(Words(), [], [])) == []


def test_a_text_of_two_portions_is_computed_once(checkpoint, small_portions, monkeypatch):
    sizes = []
    real = scorer._score_batch

    def counted(runner, texts, batch):
        sizes.append(len(batch.texts))
        return real(runner, texts, batch)

    monkeypatch.setattr(scorer, "_score_batch", counted)
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
