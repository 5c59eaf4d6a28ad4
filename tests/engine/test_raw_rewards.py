"""Which values of probe texts are known to be raw, for servers and for vLLM in this process."""

import math
from types import SimpleNamespace

import pytest
import torch

from ultrarm_eval.engine import vllm_engine
from ultrarm_eval.engine.raw_rewards import may_be_activated, why_not_raw
from ultrarm_eval.engine.vllm_engine import VllmEngine
from ultrarm_eval.errors import ConfigurationError

OUTSIDE = tuple(3 * math.sin(i) for i in range(12))
INSIDE = tuple(0.5 + value / 8 for value in OUTSIDE)
#: A sigmoid changes these as little as rounding does: its fixed point is 0.65905.
FIXED = tuple(0.65905 + value / 3000 for value in OUTSIDE)


def sigmoid(values):
    return tuple(1 / (1 + math.exp(-value)) for value in values)


#: What is returned without and with the activation by what does not return raw rewards.
NOT_RAW = {
    "no activated values": (INSIDE, None),
    "the same": (INSIDE, INSIDE),
    "the softmax of a single label both times": ((1.0,) * 12, (1.0,) * 12),
    "the same near the fixed point": (FIXED, FIXED),
    "twice a sigmoid": (INSIDE, sigmoid(sigmoid(INSIDE))),
    "another activation": (INSIDE, tuple(1 - value for value in INSIDE)),
    "the two exchanged": (sigmoid(OUTSIDE), OUTSIDE),
}


@pytest.mark.parametrize("activated", [None, OUTSIDE, sigmoid(OUTSIDE)])
def test_a_value_outside_of_0_and_1_is_raw(activated):
    assert not may_be_activated(OUTSIDE)
    assert why_not_raw(OUTSIDE, OUTSIDE, activated) is None


@pytest.mark.parametrize("activated", [sigmoid(INSIDE), (1.0,) * 12])
def test_values_inside_are_raw_if_the_activation_changes_them_as_it_should(activated):
    assert may_be_activated(INSIDE)
    assert why_not_raw(INSIDE, INSIDE, activated) is None


@pytest.mark.parametrize("case", NOT_RAW)
def test_values_inside_are_not_raw_otherwise(case):
    raw, activated = NOT_RAW[case]
    assert "all its values for 12 probe texts are between 0 and 1" in why_not_raw(
        raw, raw, activated
    )


def test_a_sigmoid_may_be_rounded_to_bfloat16():
    rounded = torch.tensor(sigmoid(INSIDE)).bfloat16().tolist()
    assert why_not_raw(INSIDE, INSIDE, rounded) is None


def test_activated_values_may_differ_by_the_rounding_that_was_seen():
    rounded = tuple(value + 0.01 for value in sigmoid(INSIDE))
    assert why_not_raw(INSIDE, INSIDE, rounded) is not None
    assert why_not_raw(INSIDE, tuple(value - 0.004 for value in INSIDE), rounded) is None


class Process:
    """vLLM's process, as far as its rewards of probe texts are asked for."""

    def __init__(self, raw, activated, *, is_regression=False):
        self.raw, self.activated, self.is_regression = raw, activated, is_regression

    def rewards(self, texts, *, activated):
        assert len(texts) == len(self.raw)
        return list(self.activated if activated else self.raw)


@pytest.fixture
def check(monkeypatch):
    """Checks a process as the engine does when it starts it."""
    monkeypatch.setattr(vllm_engine, "probe_texts", lambda model: [(1, i) for i in range(12)])
    engine = object.__new__(VllmEngine)
    engine._model = SimpleNamespace(checkpoint=SimpleNamespace(name="a/model"))
    return engine._require_raw


def test_vllm_is_used_if_its_rewards_are_raw(check):
    check(Process(OUTSIDE, sigmoid(OUTSIDE)))
    check(Process(INSIDE, sigmoid(INSIDE)))
    check(Process(INSIDE, INSIDE, is_regression=True))


@pytest.mark.few(3)
@pytest.mark.parametrize("case", [case for case in NOT_RAW if NOT_RAW[case][1] is not None])
def test_vllm_is_refused_if_its_rewards_may_have_passed_through_a_sigmoid(check, case):
    with pytest.raises(ConfigurationError, match="^a/model: vLLM .*after a sigmoid.*engine=torch"):
        check(Process(*NOT_RAW[case]))
