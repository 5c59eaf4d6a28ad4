"""Rewards as they come, from an engine that is none of ours."""

import math

import pytest

from ultrarm_eval.engine.counts import TextCounts
from ultrarm_eval.engine.engine import Capabilities, ComputedBatch
from ultrarm_eval.engine.reward_stream import RewardStream, Scoring
from ultrarm_eval.engine.score_store import ScoreStore
from ultrarm_eval.errors import DeviceError, RewardError, TextDoesNotFitError
from ultrarm_eval.text_format.tokens import EncodedText, Tokens


class Letters:
    """An encoder: the letters of a completion, whatever its prompt is."""

    def check(self, prompts, completions):
        pass

    def encode(self, prompts, completions, numbers):
        return [EncodedText(Tokens.of(map(ord, text)), False, False) for text in completions]


class Served:
    """An engine on a server: one answer a text, the last text first."""

    name, version, capabilities = "served", "1", Capabilities()

    def __init__(self):
        self.prepared, self.asked, self.not_finite = 0, [], set()

    def prepare(self):
        self.prepared += 1

    def witness(self):
        return None

    def compute(self, texts):
        for index in reversed(range(len(texts))):
            word = "".join(map(chr, texts[index]))
            if word == "huge":
                raise TextDoesNotFitError("the server said no", index)
            self.asked.append(word)
            value = math.inf if word in self.not_finite else float(len(word))
            yield ComputedBatch([index], [value], len(word))


@pytest.fixture
def engine():
    return Served()


@pytest.fixture
def counts():
    return TextCounts(100)


def stream(engine, counts, completions, store=None):
    scoring = Scoring(Letters(), engine, counts, lambda: store)
    return RewardStream(scoring, [None] * len(completions), completions)


def test_every_text_is_asked_for_once_and_handed_out_as_it_comes(engine, counts):
    rewards = iter(stream(engine, counts, ["a", "bcd", "a", "ef"]))
    assert (next(rewards), engine.asked) == ((3, 2.0), ["ef"])
    assert list(rewards) == [(1, 3.0), (0, 1.0), (2, 1.0)]
    assert engine.asked == ["ef", "bcd", "a"]
    said = counts.as_dict()
    assert (said["texts"], said["distinct_texts"], said["computed_tokens"]) == (4, 3, 6)


def test_what_the_store_has_needs_no_engine(engine, counts, tmp_path):
    store = ScoreStore(tmp_path / "store", "of the server", {})
    assert dict(stream(engine, counts, ["a", "bcd"], store)) == {0: 1.0, 1: 3.0}
    engine.asked.clear()
    assert dict(stream(engine, counts, ["bcd", "a"], store)) == {0: 3.0, 1: 1.0}
    assert (engine.asked, engine.prepared) == ([], 1)
    assert counts.as_dict()["from_store"] == 2


def test_a_text_that_does_not_fit_is_called_by_its_place_and_its_words(engine, counts):
    with pytest.raises(DeviceError, match="Completion 1, which starts 'huge': the server said no"):
        list(stream(engine, counts, ["a", "huge", "huge"]))


def test_a_reward_that_is_not_finite_ends_the_stream_behind_those_that_are(engine, counts):
    engine.not_finite = {"bcd"}
    rewards = iter(stream(engine, counts, ["a", "bcd", "ef"]))
    assert next(rewards) == (2, 2.0)
    with pytest.raises(RewardError, match="The reward of completion 1 is inf; it starts 'bcd'"):
        next(rewards)
