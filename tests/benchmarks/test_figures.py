import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks import rows
from tests.benchmarks.conftest import random_reward
from tests.benchmarks.test_properties import evidence_of, questions, quick, seeds
from ultrarm_eval.benchmarks.rewardbench2 import ties_score
from ultrarm_eval.plugins import registry

MAKE = {
    "rewardbench": rows.rewardbench,
    "rewardbench2": rows.rewardbench2,
    "rm_bench": rows.rm_bench,
    "judgebench": lambda seed: rows.judgebench(seed, "gpt") + rows.judgebench(seed, "claude"),
}


@given(seeds, st.sampled_from(sorted(MAKE)), st.integers(2, 9), st.booleans())
@quick
def test_the_means_of_a_figure_are_of_different_items_and_weigh_one(seed, name, values, is_part):
    content = MAKE[name](seed)
    if is_part:
        content = random.Random(seed).sample(content, len(content) // 3)
    evidence = evidence_of(name, content, random_reward(seed, values, 0.4))
    for figure in registry().benchmark(name).figures.values():
        means = figure(evidence)
        if means:
            assert sum(one.weight for one in means) == pytest.approx(1)
            items = [item for one in means for item in one.items]
            assert len({place for item in items for place in item}) == sum(map(len, items))


@given(questions())
@quick
def test_ties_are_one_mean_over_questions(found):
    (mean,) = ties_score(found, range(len(found)))
    assert sorted(place for item in mean.items for place in item) == list(range(len(found)))
    names = [{found[place][0].partition(":")[2] for place in item} for item in mean.items]
    assert all(len(one) == 1 for one in names)
