"""What a drift looks like: rewards with a known mistake in them, made here token by token."""

import math
from functools import partial

import pytest

from ultrarm_eval.judges.drift_causes import causes_of_drift
from ultrarm_eval.judges.loading import make_judge
from ultrarm_eval.judges.verified_texts import longest_texts, spelled_texts
from ultrarm_eval.text_format.tokens import Tokens

PROMPTS = ["What is blue?"] * 6
COMPLETIONS = ["the sky", "green </s> and blue", "one two", "a list", "the number", "word " * 30]
BOS, EOS = 1, 2


@pytest.fixture(scope="module")
def judge(checkpoint, _write_checkpoint):
    return make_judge("ultrarm", {"pretrained": str(checkpoint)})


@pytest.fixture(scope="module")
def expected(judge):
    return judge.score_one_at_a_time(PROMPTS, COMPLETIONS)


@pytest.fixture
def said(judge, expected, checkpoint):
    def of(found, allowed=1e-4):
        make = partial(_make, str(checkpoint))
        return causes_of_drift(judge, make, PROMPTS, COMPLETIONS, found, expected, allowed)

    return of


def _make(pretrained, **settings):
    return make_judge("ultrarm", {"pretrained": pretrained, **settings})


def altered(judge, change):
    texts = [list(judge.encoded(p, c)) for p, c in zip(PROMPTS, COMPLETIONS, strict=True)]
    return [judge.network.compute_alone(Tokens.of(change(ids))) for ids in texts]


def sigmoid(rewards):
    return [1 / (1 + math.exp(-one)) for one in rewards]


def test_what_agrees_looks_like_nothing(said, expected):
    assert said([one + 5e-5 for one in expected]) == []


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda ids: ids[1:], "a missing BOS"),
        (lambda ids: [BOS, *ids], "a duplicate BOS"),
        (lambda ids: [*ids, EOS], "an EOS appended to the text"),
    ],
)
def test_other_tokens_are_named_and_no_other_cause(said, judge, change, name):
    (cause,) = said(altered(judge, change))
    assert cause.startswith(f"The likely cause is {name}: ")
    (cause,) = said(sigmoid(altered(judge, change)))
    assert cause.startswith(f"The likely cause is a sigmoid applied to the rewards, and {name}: ")


@pytest.mark.parametrize(
    ("change", "name"),
    [(lambda ids: ids[2:], "a missing BOS"), (lambda ids: [BOS, 7, *ids], "a duplicate BOS")],
)
def test_all_tokens_before_texts_are_missing_or_doubled(said, judge, monkeypatch, change, name):
    # As with GLM's two tokens.
    monkeypatch.setattr(judge.encoder, "opening", (BOS, 7))
    encoded = judge.encoded

    def with_two(*text):
        return Tokens.of([BOS, 7, *list(encoded(*text))[1:]])

    monkeypatch.setattr(judge, "encoded", with_two)
    (cause,) = said(altered(judge, change))
    assert cause.startswith(f"The likely cause is {name}: ")


def test_a_sigmoid_is_named(said, expected):
    (cause,) = said(sigmoid(expected))
    assert cause.startswith("The likely cause is a sigmoid applied to the rewards: ")


def test_control_tokens_made_of_literals_are_named(said, judge, expected, checkpoint):
    parsed = _make(str(checkpoint), special_tokens="parse").score_one_at_a_time(
        PROMPTS, COMPLETIONS
    )
    assert [a == pytest.approx(b, abs=1e-4) for a, b in zip(parsed, expected, strict=True)] == [
        number != 1 for number in range(6)
    ]
    (cause,) = said(parsed)
    assert "special-token text in answers" in cause


@pytest.mark.few(1)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_another_dtype_is_named(said, checkpoint, dtype):
    found = _make(str(checkpoint), dtype=dtype).score(PROMPTS, COMPLETIONS)
    (cause,) = said(found)
    assert f"another dtype, {dtype}: " in cause


def test_another_order_is_named(said, expected):
    assert said(expected[::-1]) == ["The rewards look right but are in another order."]


@pytest.mark.slow
def test_texts_that_drift_from_a_length_on_are_named(said, judge, expected):
    length = len(judge.encoded(PROMPTS[5], COMPLETIONS[5]))
    (cause, *_) = said([*expected[:5], expected[5] + 0.5])
    assert f"have at least {length} tokens" in cause


def test_another_checkpoint_looks_like_no_mistake(said):
    (cause,) = said([3.0, -1.0, 0.5, 2.0, -4.0, 0.25])
    assert "No known mistake" in cause


def test_texts_are_added_that_spell_control_tokens_and_that_are_cut(judge):
    spelled = spelled_texts(judge, PROMPTS, COMPLETIONS)
    assert {token for token in ("<s>", "</s>", "<unk>") if any(token in c for c in spelled.completions)} == {"<s>", "</s>", "<unk>"}  # fmt: skip
    assert any(one.endswith("</s>") for one in spelled.completions)
    longest = longest_texts(judge, PROMPTS[:2], ["", "the sky"])
    lengths = [len(judge.encoded(p, c)) for p, c in zip(longest.prompts, longest.completions, strict=True)]  # fmt: skip
    assert lengths == [judge.max_length] * 2
