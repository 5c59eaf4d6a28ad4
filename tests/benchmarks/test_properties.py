import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.benchmarks import reference, rows
from tests.benchmarks.conftest import random_reward
from tests.conftest import examples
from ultrarm_eval.benchmarks.figures import best_of_k_credit, value_of
from ultrarm_eval.benchmarks.rewardbench2 import ties_score as ties_means
from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.rows import Location
from ultrarm_eval.plugins import registry

quick = settings(max_examples=examples(60), deadline=None)
# Whole numbers: sums and differences of them are exact.
rewards = st.integers(-8, 8).map(float)
seeds = st.integers(0, 10_000)


@st.composite
def questions(draw):
    """Rows of Ties: id, rewards of right answers, rewards of wrong ones."""
    found = []
    for number in range(draw(st.integers(1, 6))):
        kinds = draw(st.sampled_from([("ref", "tied"), ("tied", "ref"), ("ref",), ("tied",)]))
        for kind in kinds:
            most = 1 if kind == "ref" else 5
            right = draw(st.lists(rewards, min_size=min(2, most), max_size=most))
            wrong = draw(st.lists(rewards, min_size=1, max_size=5))
            found.append((f"{kind}:{number}", right, wrong))
    return found


def evidence_of(suite_name, content, reward):
    """What a benchmark's figures are made of."""
    suite = registry().benchmark(suite_name)
    evidence = []
    for number, row in enumerate(content):
        document = suite.read_row(row, Location("rows", number), DataCounts())
        given_rewards = [reward(text) for text in document.completions]
        earned = suite.credit(document, given_rewards, 0.0)
        evidence.append(suite.evidence(document, given_rewards, earned))
    return evidence


def figures(suite_name, content, reward):
    """A benchmark's figures by its own functions, without a harness."""
    evidence = evidence_of(suite_name, content, reward)
    made = registry().benchmark(suite_name).figures
    return {name: value_of(figure(evidence)) for name, figure in made.items()}


def ties_score(found):
    """The score of rows of Ties."""
    return value_of(ties_means(found, range(len(found))))


def nearly(found):
    return {name: pytest.approx(value, rel=0, abs=1e-12) for name, value in found.items()}


@given(questions(), st.randoms(use_true_random=False))
@quick
def test_the_order_of_rows_and_answers_is_nothing_to_ties(found, rng):
    mixed = [
        (name, rng.sample(right, len(right)), rng.sample(wrong, len(wrong)))
        for name, right, wrong in rng.sample(found, len(found))
    ]
    assert ties_score(mixed) == pytest.approx(ties_score(found), rel=0, abs=1e-12)


@given(questions(), st.integers(-1000, 1000), st.sampled_from([0.25, 1, 8]))
@quick
def test_rewards_on_another_scale_are_nothing_to_ties(found, shift, factor):
    moved = [
        (name, [factor * r + shift for r in right], [factor * r + shift for r in wrong])
        for name, right, wrong in found
    ]
    assert ties_score(moved) == pytest.approx(ties_score(found), rel=0, abs=1e-12)


@given(questions())
@quick
def test_ties_are_between_their_bounds_and_as_in_the_reference(found):
    score = ties_score(found)
    assert -0.01 <= score <= 1.01 + 1e-12
    by_text = {}
    content = []
    for name, right, wrong in found:
        texts = {}
        for side, values in (("chosen", right), ("rejected", wrong)):
            texts[side] = [f"{name} {side} {i}" for i in range(len(values))]
            by_text.update(zip(texts[side], values, strict=True))
        content.append({"id": name, **texts})
    expected = reference.ties_score(content, by_text.__getitem__)
    assert score == pytest.approx(expected, rel=0, abs=1e-12)


@given(questions(), st.integers(1, 50).map(float))
@quick
def test_worse_wrong_answers_never_lower_the_score_of_ties(found, less):
    better = [(name, right, [r - less for r in wrong]) for name, right, wrong in found]
    assert ties_score(better) >= ties_score(found) - 1e-12


@given(st.lists(rewards, min_size=2, max_size=6))
def test_one_point_is_shared_by_the_answers_of_a_best_of_four(values):
    places = [[values[i], *values[:i], *values[i + 1 :]] for i in range(len(values))]
    assert sum(map(best_of_k_credit, places)) == pytest.approx(1, abs=1e-12)


@given(seeds, st.integers(2, 9))
@quick
def test_rm_benchs_kinds_and_domains_have_one_mean(seed, values):
    content, reward = rows.rm_bench(seed), random_reward(seed, values)
    found = figures("rm_bench", content, reward)
    kinds = [found[name] for name in ("easy", "normal", "hard")]
    domains = [found[name] for name in ("chat", "math", "code", "safety")]
    assert sum(kinds) / 3 == pytest.approx(found["overall"], rel=0, abs=1e-12)
    assert sum(domains) / 4 == pytest.approx(found["overall"], rel=0, abs=1e-12)
    for name in ("chat", "math", "code", "safety"):
        matrix = reference.rm_bench_matrix(
            [row for row in content if row["domain"].startswith(name)], reward
        )
        assert found[name] == pytest.approx(sum(map(sum, matrix)) / 9, rel=0, abs=1e-12)


@given(seeds)
@quick
def test_a_judge_of_style_alone_gets_all_easy_and_no_hard_comparisons(seed):
    styles = ("concise", "plain", "markdown")
    found = figures(
        "rm_bench", rows.rm_bench(seed), lambda text: float(styles.index(text.split()[1]))
    )
    assert (found["easy"], found["normal"], found["hard"]) == (1, 0, 0)


@given(seeds, st.sampled_from(["rewardbench", "rewardbench2", "rm_bench", "judgebench"]))
@quick
def test_the_order_of_rows_is_nothing_to_a_figure(seed, name):
    make = {
        "rewardbench": rows.rewardbench,
        "rewardbench2": rows.rewardbench2,
        "rm_bench": rows.rm_bench,
        "judgebench": lambda seed: rows.judgebench(seed, "gpt") + rows.judgebench(seed, "claude"),
    }[name]
    content, reward = make(seed), random_reward(seed, 5, 0.4)
    mixed = random.Random(seed).sample(content, len(content))
    by_subset = sorted(content, key=lambda row: str(row.get("subset") or row.get("source")))
    found = figures(name, content, reward)
    assert figures(name, mixed, reward) == nearly(found)
    assert figures(name, by_subset, reward) == nearly(found)


@pytest.mark.slow
@given(seeds, st.integers(2, 5))
@quick
def test_more_rows_of_a_subset_do_not_change_its_weight(seed, times):
    content, reward = rows.rewardbench(seed), random_reward(seed, 5)
    more = content + [row for row in content if row["subset"] == "math-prm"] * times
    assert figures("rewardbench", more, reward) == nearly(figures("rewardbench", content, reward))


@given(seeds)
@quick
def test_judgebench_with_its_answers_swapped_differs_by_ties_alone(seed):
    content, reward = rows.judgebench(seed, "gpt"), random_reward(seed, 1_000_000)
    swapped = [
        {
            **row,
            "response_A": row["response_B"],
            "response_B": row["response_A"],
            "label": row["label"][::-1],
        }
        for row in content
    ]
    assert {row["label"] for row in swapped} == {"A>B", "B>A"}
    of_gpt = {k: v for k, v in figures("judgebench", content, reward).items() if v is not None}
    found = figures("judgebench", swapped, reward)
    assert {name: found[name] for name in of_gpt} == nearly(of_gpt)
    constant, other = (figures("judgebench", c, lambda _: 1.0)["gpt"] for c in (content, swapped))
    assert constant + other == pytest.approx(1, abs=1e-12)
