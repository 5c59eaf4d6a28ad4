"""The benchmarks there are, by name."""

from __future__ import annotations

from ultrarm_eval.errors import unknown_choice
from ultrarm_eval.suites.judgebench import JUDGEBENCH
from ultrarm_eval.suites.llmbar import LLMBAR
from ultrarm_eval.suites.paper_sets import PAPER_SETS
from ultrarm_eval.suites.ppe import PPE_HUMAN
from ultrarm_eval.suites.preference_test_sets import PREFERENCE_TEST_SETS
from ultrarm_eval.suites.rewardbench import REWARDBENCH
from ultrarm_eval.suites.rewardbench2 import REWARDBENCH2
from ultrarm_eval.suites.rm_bench import RM_BENCH
from ultrarm_eval.suites.suite import Suite

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
