"""The standard error that the harness shows beside `acc` is the right one."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "stderr_coverage.py"
JUDGES = ("knows nothing", "weak", "good", "very good")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def simulation() -> Any:
    """The benchmark's own code; its folder is no package."""
    spec = importlib.util.spec_from_file_location("stderr_coverage", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    # Its dataclasses look their module up.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture
def judge(simulation: Any, request: pytest.FixtureRequest) -> Any:
    return {judge.name: judge for judge in simulation.JUDGES}[request.param]


@pytest.mark.parametrize("judge", JUDGES, indirect=True)
class TestEachJudge:
    def test_covers_the_truth_where_independent_pairs_would_not(
        self, simulation: Any, judge: Any
    ) -> None:
        found = simulation.coverage(judge, prompts=500, replications=2500, seed=0)

        assert 0.93 <= found.harness <= 0.97
        assert found.naive < 0.93
        assert found.mean_stderr == pytest.approx(found.sd, rel=0.05)

    def test_the_truth_is_what_many_prompts_give(self, simulation: Any, judge: Any) -> None:
        credit, pairs = simulation.outcomes(
            simulation.draw(judge, 300_000, np.random.default_rng(1))
        )
        acc = credit / pairs

        truth = simulation.true_accuracy(judge)
        assert acc.mean() == pytest.approx(truth.acc, abs=4 * acc.std() / len(acc) ** 0.5)
        assert credit.sum() / pairs.sum() == pytest.approx(truth.acc_pairs, abs=0.003)

    def test_its_arithmetic_is_the_packages(self, simulation: Any, judge: Any) -> None:
        prompts = simulation.draw(judge, 1000, np.random.default_rng(2))

        credit, pairs = simulation.outcomes(prompts)
        ours = [(c / n, (c, n)) for c, n in zip(credit.tolist(), pairs.tolist(), strict=True)]
        assert ours == simulation.outcomes_of_package(prompts)


def test_every_judge_is_tried(simulation: Any) -> None:
    assert tuple(judge.name for judge in simulation.JUDGES) == JUDGES


@pytest.mark.parametrize(("slope", "accuracy"), [(-1e9, 0.0), (0.0, 0.5), (1e9, 1.0)])
def test_accuracies_known_by_hand(simulation: Any, slope: float, accuracy: float) -> None:
    judge = simulation.Judge("always alike", (slope,), (1.0,))

    assert simulation.true_accuracy(judge) == pytest.approx((accuracy, accuracy), abs=1e-12)
