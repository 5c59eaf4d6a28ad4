"""No metric depends on whether the built-in `sum` compensates rounding errors (Python 3.12)."""

import builtins
import itertools
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.sums import SUMS, compensated, one_by_one
from ultrarm_eval.benchmarks.figures import WeightedMean, weighted_subsets
from ultrarm_eval.benchmarks.rm_bench import credit
from ultrarm_eval.cli.judge import _with_error
from ultrarm_eval.cli.main import main
from ultrarm_eval.judges.critique import _mean
from ultrarm_eval.judges.drift_causes import _correlation, _spread
from ultrarm_eval.stats.clustered import Stratum, stratified_interval

DEMO = Path(__file__).parents[1] / "results" / "demo"
TENTHS = (0.1,) * 10


def test_the_sums_are_those_of_old_and_of_new_pythons():
    assert one_by_one(TENTHS) == 0.9999999999999999
    assert compensated(TENTHS) == 1.0
    assert sum(TENTHS) in (one_by_one(TENTHS), compensated(TENTHS))
    assert (
        compensated(map(np.float64, TENTHS)) == sum(map(np.float64, TENTHS)) == one_by_one(TENTHS)
    )
    assert compensated([1, 2], 3) == one_by_one([1, 2], 3) == 6
    assert compensated([Fraction(1, 3)] * 3) == 1


@pytest.mark.few(1)
@pytest.mark.parametrize("command", [["report", "run"], ["compare", "run", "run_without_template"]])
def test_a_commands_figures(command, tmp_path, monkeypatch):
    name, *runs = command
    written = []
    for number, add in enumerate(SUMS.values()):
        with monkeypatch.context() as patched:
            patched.setattr(builtins, "sum", add)
            output = tmp_path / f"{number}.json"
            assert main([name, *(str(DEMO / run) for run in runs), "-o", str(output)]) == 0
        written.append(output.read_text(encoding="utf-8"))
    assert written[0] == written[1]


def test_means_are_rounded_once():
    assert WeightedMean(1.0, ((0,),) * 10, TENTHS).mean == 0.1
    assert _mean(["text"] * 10, TENTHS).reward == 0.1
    assert _with_error("reward", TENTHS) == {"reward": 0.1, "reward_stderr": 0.0}
    thirds = {f"s{i}": 0.1 for i in range(10)}
    (first, *_) = weighted_subsets(thirds, [(subset, 1.0) for subset in thirds])
    assert first.weight == 0.1


def test_the_credit_of_three_kinds_is_rounded_once():
    for rewards in itertools.product(range(3), repeat=6):
        found = credit(None, rewards, 0.5)
        pairs = [(a, b) for a in rewards[:3] for b in rewards[3:]]
        exact = Fraction(sum(2 * (a > b) + (a == b) for a, b in pairs), 18)
        assert found == pytest.approx(float(exact), abs=1.2e-16)


def test_errors_of_few_answers_have_the_digits_of_the_exact_ones():
    values = [1 / 3, 1 / 7, 0.9, 0.2, 1 / 11]
    exact = [Fraction(value) for value in values]
    mean = sum(exact) / 5
    variance = sum((value - mean) ** 2 for value in exact) / 4
    found = _with_error("reward", values)
    assert found["reward"] == pytest.approx(float(mean), rel=3e-16)
    assert found["reward_stderr"] == pytest.approx(math.sqrt(variance / 5), rel=3e-16)


def test_what_is_said_of_a_drift():
    values = [one / 7 for one in range(40)]
    others = [one * one / 11 for one in range(40)]
    found = []
    for add in SUMS.values():
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(builtins, "sum", add)
            found.append((_correlation(values, others), _spread(values, others)))
    assert found[0] == found[1]
    assert found[0] == pytest.approx(
        (np.corrcoef(values, others)[0, 1], np.sqrt(np.mean(np.subtract(values, others) ** 2)))
    )
    # A reward that is none has no correlation, whatever stands beside it.
    assert _correlation([math.inf, -math.inf, 1.0], [1.0, 2.0, 3.0]) == 0.0
    assert _correlation([math.nan, 1.0], [1.0, 2.0]) == 0.0


def test_the_interval_of_weighted_means():
    draw = np.random.default_rng(3)
    strata = [
        Stratum(0.1, draw.random(n) / 7, np.arange(n) + 100 * n, (0.0, 1.0)) for n in range(5, 15)
    ]
    found = []
    for add in SUMS.values():
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(builtins, "sum", add)
            found.append(stratified_interval(strata))
    assert found[0] == found[1]
