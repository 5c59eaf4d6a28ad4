"""The benchmarks there are, by name."""

from __future__ import annotations

from ultrarm_eval.benchmarks.benchmark import Suite
from ultrarm_eval.benchmarks.judgebench import JUDGEBENCH
from ultrarm_eval.benchmarks.llmbar import LLMBAR
from ultrarm_eval.benchmarks.paper_sets import PAPER_SETS
from ultrarm_eval.benchmarks.ppe import PPE_HUMAN
from ultrarm_eval.benchmarks.preference_test_sets import PREFERENCE_TEST_SETS
from ultrarm_eval.benchmarks.rewardbench import REWARDBENCH
from ultrarm_eval.benchmarks.rewardbench2 import REWARDBENCH2
from ultrarm_eval.benchmarks.rm_bench import RM_BENCH
from ultrarm_eval.errors import unknown_choice

_SUITES = {
    suite.name: suite
    for suite in (
        REWARDBENCH,
        REWARDBENCH2,
        PREFERENCE_TEST_SETS,
        LLMBAR,
        JUDGEBENCH,
        RM_BENCH,
        PPE_HUMAN,
        *PAPER_SETS.values(),
    )
}


def suite_names() -> tuple[str, ...]:
    """The names of all."""
    return tuple(_SUITES)


def find_suite(name: str) -> Suite:
    """A benchmark by its name.

    Raises:
        ConfigurationError: There is none of that name.
    """
    if name not in _SUITES:
        raise unknown_choice("suite", name, _SUITES)
    return _SUITES[name]
