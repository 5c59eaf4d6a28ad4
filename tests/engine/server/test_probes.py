"""What the probes' values show, and what they let pass."""

import itertools
import math
import random

import pytest

from ultrarm_eval.engine.server.failures import ImplausibleAnswerError, UnusableServerError
from ultrarm_eval.engine.server.probes import (
    Measured,
    Reference,
    require_agreement,
    require_raw,
    require_steady,
)
from ultrarm_eval.engine.server.protocol import SentText

TEXTS = [SentText(tuple(range(1, 5 + i))) for i in range(12)]
VALUES = tuple(3 * math.sin(i) for i in range(12))


def sigmoid(values):
    return tuple(1 / (1 + math.exp(-v)) for v in values)


def measured(values=VALUES, again=None, activated=None):
    return Measured(tuple(values), tuple(again or values), activated)


def reference(dtype="float32", values=VALUES, again=None):
    return Reference.of(TEXTS, [measured(values, again)], dtype)


def test_tolerances_follow_the_dtype_and_what_was_seen():
    spread = max(VALUES) - min(VALUES)
    tight = reference().tolerance
    assert tight == pytest.approx(1e-3 * spread)
    assert tight < reference("float16").tolerance < reference("bfloat16").tolerance
    assert reference("bfloat16").tolerance < spread / 8
    rough = reference(again=[v + 0.1 for v in VALUES])
    assert rough.tolerance == pytest.approx(0.4)
    assert reference(again=[v + 9 for v in VALUES]).tolerance == pytest.approx(spread / 8)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_riders_can_be_told_from_each_other(dtype):
    known = reference(dtype)
    values = sorted(known.values[i] for i in known.riders)
    assert len(values) >= 2
    assert all(b - a > 2 * known.tolerance for a, b in itertools.pairwise(values))
    assert len(reference().riders) == 12


def test_more_texts_take_more_probes_along():
    known = reference()
    assert [known.riding(n) for n in (1, 2, 15, 16, 64, 1000)] == [2, 6, 6, 7, 10, 12]
    assert len(set(known.choose(64))) == 10


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda v: [one + 0.02 for one in v], "another model"),
        (sigmoid, "it applies a sigmoid"),
        (lambda v: v[::-1], "another order"),
        (lambda v: [math.nan, *v[1:]], "another model"),
    ],
)
def test_values_that_changed_are_refused(change, words):
    known, probes = reference(), [0, 1, 2, 3]
    known.require(probes, [VALUES[i] + 1e-4 for i in probes])
    with pytest.raises(ImplausibleAnswerError, match=words):
        known.require(probes, list(change([VALUES[i] for i in probes])))


def test_a_shuffle_goes_unseen_as_often_as_is_said():
    """4 texts and 2 riders: 4! of 6! orders leave the riders where they are."""
    known, unseen, tries = reference(), 0, 20_000
    rng = random.Random(0)
    for _ in range(tries):
        order = rng.sample(range(6), 6)
        try:
            known.require([0, 1], [VALUES[order[0]], VALUES[order[1]]])
        except ImplausibleAnswerError:
            continue
        unseen += 1
    assert unseen / tries == pytest.approx(1 / 30, rel=0.15)


def test_a_server_whose_values_are_not_known_to_be_raw_is_refused():
    require_raw(measured(activated=VALUES))
    inside = tuple(0.5 + v / 8 for v in VALUES)
    require_raw(measured(inside, activated=sigmoid(inside)))
    with pytest.raises(UnusableServerError, match="as after a sigmoid.*use_activation"):
        require_raw(measured(inside, activated=inside))


@pytest.mark.parametrize(
    ("values", "again", "words"),
    [
        ((1.0,) * 12, None, "softmax"),
        ((-1.0, 1.0) * 6, None, "normalized"),
        ((0.3,) * 12, None, "12 different texts"),
        ((math.nan, *VALUES[1:]), None, "returns nan for a short text"),
        (VALUES, VALUES[::-1], "another order"),
        (VALUES, tuple(v + 2 for v in VALUES), "different values for the same text"),
    ],
)
def test_values_that_are_no_rewards_are_refused(values, again, words):
    with pytest.raises(UnusableServerError, match=words):
        require_steady(measured(values, again))


def test_servers_agree_up_to_rounding():
    known = reference()
    require_agreement(known, "http://a", measured([v + 1e-4 for v in VALUES]), "http://b")
    with pytest.raises(
        UnusableServerError,
        match="http://b returns 0.1 for a probe whose value is 0 according to http://a",
    ):
        require_agreement(known, "http://a", measured([0.1, *VALUES[1:]]), "http://b")
