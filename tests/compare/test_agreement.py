import numpy as np
import pytest
from scipy import stats

from tests.compare.written_runs import choice, foreign, judged, rated, write_run
from ultrarm_eval.compare.agreement import judges_agreement
from ultrarm_eval.runs.evaluation import read_evaluation
from ultrarm_eval.runs.matching import match_documents
from ultrarm_eval.runs.samples_file import read_samples


@pytest.fixture
def agreement(tmp_path):
    def of(samples_a, samples_b):
        observed = []
        for name, samples in (("a", samples_a), ("b", samples_b)):
            (result,) = read_evaluation(write_run(tmp_path / name, samples)).tasks.values()
            observed.append(read_samples(result))
        return judges_agreement(*observed, match_documents(*observed))

    return of


# Margins of two judges over the same pairs: right and right, right and wrong, and so on.
MARGINS = [(2, 1), (1, 3), (3, 0.5), (1, -1), (-2, 0.5), (-1, -4), (0, 1), (-3, 0)]


def of_judge(side, form=rated):
    return [form(i, [margins[side], 0.0]) for i, margins in enumerate(MARGINS)]


def test_known_pairs(agreement):
    found = agreement(of_judge(0), of_judge(1))
    assert (found.pairs, found.prompts) == (8, 8)
    assert found.same == 4 / 8
    assert (found.accuracy_a, found.accuracy_b) == (4.5 / 8, 5.5 / 8)
    expected = stats.spearmanr(*zip(*MARGINS, strict=True)).statistic
    assert found.margins == pytest.approx(expected)


def test_kappas_are_those_of_statsmodels(agreement):
    raters = pytest.importorskip("statsmodels.stats.inter_rater")
    found = agreement(of_judge(0), of_judge(1))

    def kappa(a, b):
        table = np.zeros((3, 3))
        np.add.at(table, (np.sign(a).astype(int) + 1, np.sign(b).astype(int) + 1), 1)
        return raters.cohens_kappa(table, return_results=False)

    a, b = np.array(MARGINS, float).T
    ones = np.ones(len(a))
    assert found.errors_kappa == pytest.approx(kappa(a, b))
    assert found.kappa == pytest.approx(kappa(np.append(a, -a), np.append(b, -b)))
    assert found.labels_kappa_a == pytest.approx(kappa(np.append(a, -a), np.append(ones, -ones)))
    assert found.labels_kappa_b == pytest.approx(kappa(np.append(b, -b), np.append(ones, -ones)))


def test_kappa_does_not_depend_on_where_the_better_answer_stands(agreement):
    first = agreement(of_judge(0, choice), of_judge(1, choice))
    turned = [
        [rated(i, [0.0, margins[side]], (1, 5)) for i, margins in enumerate(MARGINS)]
        for side in (0, 1)
    ]
    assert agreement(*turned).kappa == pytest.approx(first.kappa)
    assert agreement(*turned).labels_kappa_a == pytest.approx(first.labels_kappa_a)


def test_without_ties_kappa_is_twice_the_agreement_less_one(agreement):
    rewards = [(1, 1), (1, -1), (-1, 1), (-1, -1), (2, 3)]
    found = agreement(*([rated(i, [r[side], 0]) for i, r in enumerate(rewards)] for side in (0, 1)))
    assert found.kappa == pytest.approx(2 * 0.6 - 1)
    assert found.labels_kappa_a == pytest.approx(2 * 0.6 - 1)


def test_two_judges_that_are_mostly_right_do_not_agree_by_that_alone(agreement):
    # Each errs on two pairs of twenty, and never on the same.
    a = [rated(i, [-1 if i in (0, 1) else 1, 0]) for i in range(20)]
    b = [rated(i, [-1 if i in (2, 3) else 1, 0]) for i in range(20)]
    found = agreement(a, b)
    assert found.kappa == pytest.approx(0.6)
    assert found.errors_kappa == pytest.approx((0.8 - 0.82) / (1 - 0.82))


def test_rewards_are_compared_over_answers(agreement):
    a = [rated(0, [1.0, 2.0, 5.0], (1, 3, 5)), rated(1, [7.0, 3.0])]
    b = [rated(0, [0.1, 0.5, 0.3], (1, 3, 5)), rated(1, [0.9, 0.2])]
    expected = stats.spearmanr([1, 2, 5, 7, 3], [0.1, 0.5, 0.3, 0.9, 0.2]).statistic
    assert agreement(a, b).rewards == pytest.approx(expected)


def test_the_same_judge_agrees_fully(agreement):
    found = agreement(of_judge(0), of_judge(0)[::-1])
    assert (found.same, found.kappa, found.errors_kappa) == (1.0, 1.0, 1.0)
    assert (found.rewards, found.margins) == (pytest.approx(1.0), pytest.approx(1.0))


def test_a_constant_judge_has_no_order(agreement):
    constant = [rated(i, [0.5, 0.5]) for i in range(4)]
    found = agreement(constant, of_judge(0)[:4])
    assert (found.rewards, found.margins, found.same) == (None, None, 0.0)
    assert agreement(constant, constant).kappa is None


def test_answers_of_different_models_are_no_agreement(agreement):
    a = [judged(i, f"from a {i}", 1.0, 0.0) for i in range(3)]
    b = [judged(i, f"from b {i}", 1.0, 0.0) for i in range(3)]
    assert agreement(a, b) is None


def test_tasks_without_pairs_have_none(agreement):
    samples = [foreign(i, "acc", 1.0) for i in range(3)]
    assert agreement(samples, samples) is None
