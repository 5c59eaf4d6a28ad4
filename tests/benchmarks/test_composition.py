import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks import rows
from tests.benchmarks.conftest import random_reward
from tests.benchmarks.test_properties import evidence_of, questions, quick, seeds
from ultrarm_eval.benchmarks.known import find_suite
from ultrarm_eval.benchmarks.rewardbench2_ties import ties_means, ties_score

MAKE = {
    "rewardbench": rows.rewardbench,
    "rewardbench2": rows.rewardbench2,
    "rm_bench": rows.rm_bench,
    "judgebench": lambda seed: rows.judgebench(seed, "gpt") + rows.judgebench(seed, "claude"),
}


def summed(means):
    return sum(one.weight * one.mean for one in means)


@given(seeds, st.sampled_from(sorted(MAKE)), st.integers(2, 9), st.booleans())
@quick
def test_a_figure_is_the_weighted_sum_of_its_means(seed, name, values, is_part):
    content = MAKE[name](seed)
    if is_part:
        content = random.Random(seed).sample(content, len(content) // 3)
    suite = find_suite(name)
    evidence = evidence_of(name, content, random_reward(seed, values, 0.4))
    assert suite.compositions.keys() == suite.figures.keys()
    for figure, composition in suite.compositions.items():
        expected, means = suite.figures[figure](evidence), composition(evidence)
        assert bool(means) == (expected is not None)
        if means:
            assert summed(means) == pytest.approx(expected, rel=0, abs=1e-12)
            assert sum(one.weight for one in means) == pytest.approx(1)
            items = [item for one in means for item in one.items]
            assert len({place for item in items for place in item}) == sum(map(len, items))


@given(questions())
@quick
def test_ties_are_one_mean_over_questions(found):
    (mean,) = ties_means(found, range(len(found)))
    assert mean.mean == pytest.approx(ties_score(found), rel=0, abs=1e-12)
    assert sorted(place for item in mean.items for place in item) == list(range(len(found)))
    names = [{found[place][0].partition(":")[2] for place in item} for item in mean.items]
    assert all(len(one) == 1 for one in names)


def test_a_subset_that_is_no_mean_of_credits_has_a_composition():
    for name in MAKE:
        suite = find_suite(name)
        assert suite.subset_compositions.keys() == suite.subset_figures.keys()
