import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ultrarm_eval.compare.difference import Values, paired_difference, unpaired_difference
from ultrarm_eval.runs.figure import Figure, harness_interval


def values(a, b, prompts=None, *, are_single=False, are_shares=True):
    a, b = np.array(a, float), np.array(b, float)
    own = np.arange(len(a)) if prompts is None else np.array(prompts)
    return Values(a, b, own, are_single, are_shares)


def single_pairs(both, only_a, only_b, neither):
    """Right and wrong of two judges from the four counts of their table."""
    a = [1] * (both + only_a) + [0] * (only_b + neither)
    b = [1] * both + [0] * only_a + [1] * only_b + [0] * neither
    return values(a, b, are_single=True)


@pytest.mark.parametrize(
    "table", [(50, 5, 15, 30), (0, 8, 0, 0), (10, 3, 3, 4), (7, 0, 0, 3), (100, 40, 70, 90)]
)
def test_single_pairs_get_mcnemars_exact_test(table):
    both, only_a, only_b, _ = table
    found = paired_difference(single_pairs(*table))
    n = sum(table)
    assert found.test == "mcnemar"
    assert (found.a_higher, found.b_higher) == (only_a, only_b)
    assert found.value == pytest.approx((only_b - only_a) / n)
    assert (found.figure_a, found.figure_b) == ((both + only_a) / n, (both + only_b) / n)
    discordant = only_a + only_b
    expected = stats.binomtest(only_a, discordant).pvalue if discordant else 1.0
    assert found.p_value == pytest.approx(expected)


@pytest.mark.parametrize("table", [(50, 5, 15, 30), (0, 8, 0, 0), (10, 3, 3, 4)])
def test_mcnemars_test_is_that_of_statsmodels(table):
    tables = pytest.importorskip("statsmodels.stats.contingency_tables")
    expected = tables.mcnemar(np.reshape(table, (2, 2)), exact=True).pvalue
    assert paired_difference(single_pairs(*table)).p_value == pytest.approx(expected)


def test_the_interval_of_documents_with_prompts_of_their_own_is_students():
    a, b = [0.5, 1, 0, 1 / 3, 1, 0], [1, 1, 0, 2 / 3, 0.5, 0.5]
    found = paired_difference(values(a, b))
    differences = np.subtract(b, a)
    expected = stats.t.interval(0.95, 5, differences.mean(), stats.sem(differences))
    assert (found.interval.low, found.interval.high) == pytest.approx(expected)
    assert found.test == "sign-flip"


def test_the_interval_of_documents_that_share_prompts_is_cluster_robust():
    api = pytest.importorskip("statsmodels.api")
    random = np.random.default_rng(3)
    prompts = random.integers(0, 25, 80)
    a = random.integers(0, 2, 80)
    b = np.where(random.random(80) < 0.7, a, random.integers(0, 2, 80))
    found = paired_difference(values(a, b, np.unique(prompts, return_inverse=True)[1]))
    fit = api.OLS(b - a, np.ones(80)).fit(
        cov_type="cluster", cov_kwds={"groups": prompts, "use_correction": False}, use_t=True
    )
    clusters = len(np.unique(prompts))
    # Without its own correction of the sample size, C / (C - 1) is left.
    error = float(fit.bse[0]) * np.sqrt(clusters / (clusters - 1))
    reach = stats.t.ppf(0.975, clusters - 1) * error
    assert found.interval.high - found.value == pytest.approx(reach)
    assert (found.documents, found.prompts) == (80, clusters)


def test_the_sign_flip_test_is_scipys_permutation_test_on_the_sums_by_prompt():
    a = [1, 0, 0.5, 1, 0, 0, 1 / 6, 0.5, 1]
    b = [1, 1, 1, 0.5, 0.5, 0, 5 / 6, 1, 0]
    prompts = np.array([0, 0, 1, 1, 2, 3, 4, 5, 6])
    found = paired_difference(values(a, b, prompts))
    sums = np.bincount(prompts, np.subtract(b, a))
    expected = stats.permutation_test(
        (sums,), np.sum, permutation_type="samples", n_resamples=np.inf
    ).pvalue
    assert (found.test, found.p_value) == ("sign-flip", pytest.approx(expected))
    assert (found.a_higher, found.b_higher) == (int((sums < 0).sum()), int((sums > 0).sum()))


@pytest.mark.parametrize(
    ("a", "b", "prompts", "are_single"),
    [
        ([1, 0, 0.5], [1, 1, 0], None, True),
        ([1, 0, 0], [1, 1, 0], [0, 0, 1], True),
        ([1, 0, 0], [1, 1, 0], None, False),
    ],
    ids=["half credit", "shared prompt", "several pairs"],
)
def test_mcnemars_test_is_left_where_it_does_not_hold(a, b, prompts, are_single):
    assert paired_difference(values(a, b, prompts, are_single=are_single)).test == "sign-flip"


def test_pairs_of_one_prompt_are_no_independent_evidence():
    # Six documents of one prompt in which b is right and a wrong.
    found = paired_difference(values([0] * 6, [1] * 6, [0] * 6, are_single=True))
    assert (found.p_value, found.prompts, found.documents) == (1.0, 1, 6)
    alone = paired_difference(values([0] * 6, [1] * 6, are_single=True))
    assert alone.p_value == pytest.approx(2 / 2**6)


def test_differences_that_are_rounding_alone_are_none():
    a = [sum([1 / 6] * 6), 0.3, 0.1 + 0.2]
    found = paired_difference(values(a, [1.0, 0.1 + 0.2, 0.3]))
    assert (found.value, found.p_value, found.a_higher, found.b_higher) == (0.0, 1.0, 0, 0)


def test_equal_judges_have_an_interval_that_claims_no_certainty():
    found = paired_difference(values([1, 0, 1, 1], [1, 0, 1, 1], are_single=True))
    # By Wilson, of 0 in 4 documents a share of z^2 / (n + z^2) may differ.
    reach = stats.norm.ppf(0.975) ** 2 / (4 + stats.norm.ppf(0.975) ** 2)
    assert (found.value, found.p_value) == (0.0, 1.0)
    assert (found.interval.low, found.interval.high) == pytest.approx((-reach, reach))


def test_a_share_cannot_differ_by_more_than_all():
    found = paired_difference(values([0, 0, 0.5], [1, 1, 0.5]))
    assert found.interval.high == 1.0


@pytest.mark.parametrize("sign", [1, -1])
def test_values_that_are_no_shares_have_no_bounds(sign):
    # All between 0 and 1, which shares would be cut at.
    differences = sign * np.array([0.1, 0.9, 0.2, 0.95])
    found = paired_difference(values([7.0] * 4, 7.0 + differences, are_shares=False))
    expected = stats.t.interval(0.95, 3, differences.mean(), stats.sem(differences))
    assert (found.interval.low, found.interval.high) == pytest.approx(expected)
    assert max(abs(found.interval.low), abs(found.interval.high)) > 1


@pytest.mark.parametrize(("apart", "p_value"), [(0.0, 1.0), (1.0, 2 / 2**8), (-40.0, 2 / 2**8)])
def test_no_shares_that_all_differ_alike_say_nothing_about_others(apart, p_value):
    a = np.array([3.5, 2.0, 7.0, 1.0, 4.0, 2.5, 8.0, 90.0])
    found = paired_difference(values(a, a + apart, are_shares=False))
    assert (found.value, found.p_value) == (apart, p_value)
    assert (found.interval, found.is_constant) == (None, True)


def test_several_documents_of_one_prompt_have_no_interval():
    found = paired_difference(values([0, 1], [1, 1], [0, 0]))
    assert (found.interval, found.is_constant) == (None, False)
    alone = paired_difference(values([7.0], [9.0], are_shares=False))
    assert (alone.interval, alone.is_constant) == (None, False)


CREDITS = st.sampled_from([0.0, 0.5, 1.0, 1 / 3, 5 / 6])


@given(st.lists(st.tuples(CREDITS, CREDITS, st.integers(0, 4)), min_size=1, max_size=14))
def test_swapping_the_judges_turns_the_signs_over_and_keeps_the_test(rows):
    a, b, prompts = zip(*rows, strict=True)
    prompts = np.unique(prompts, return_inverse=True)[1]
    forth = paired_difference(values(a, b, prompts))
    back = paired_difference(values(b, a, prompts))
    assert back.value == pytest.approx(-forth.value)
    assert back.p_value == forth.p_value
    assert (back.a_higher, back.b_higher) == (forth.b_higher, forth.a_higher)
    if forth.interval is not None:
        assert back.interval.low == pytest.approx(-forth.interval.high)
        assert back.interval.high == pytest.approx(-forth.interval.low)
        assert forth.interval.low <= forth.value <= forth.interval.high


def unpaired(a, b, documents, *, are_shares=True):
    """The difference of two values, each with its standard error."""
    metric = "acc" if are_shares else "loss"
    figures = [
        Figure(
            metric,
            "none",
            value,
            error,
            documents=documents,
            interval=harness_interval(metric, value, error, documents),
        )
        for value, error in (a, b)
    ]
    return unpaired_difference(*figures, documents, are_shares=are_shares)


def test_figures_alone_are_taken_for_independent():
    found = unpaired((0.70, 0.03), (0.75, 0.04), 200)
    assert found.value == pytest.approx(0.05)
    assert found.interval.high == pytest.approx(0.05 + 1.959964 * 0.05)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(1.0))
    assert (found.test, found.documents, found.is_paired) == ("unpaired z", 200, False)


@pytest.mark.parametrize(("a", "b"), [((0.7, None), (0.8, 0.1)), ((1.0, 0.0), (1.0, 0.0))])
def test_figures_without_standard_errors_are_not_tested(a, b):
    found = unpaired(a, b, None)
    assert (found.interval, found.test, found.p_value) == (None, None, None)


def test_shares_alone_differ_by_no_more_than_all():
    found = unpaired((0.02, 0.01), (0.99, 0.02), 50)
    assert (found.interval.low, found.interval.high) == (pytest.approx(0.97 - 0.0438, abs=1e-4), 1)
    assert unpaired((0.02, 0.01), (0.99, 0.02), 50, are_shares=False).interval.high > 1


@pytest.mark.parametrize("turned", [False, True])
def test_a_standard_error_of_0_claims_no_certainty(turned):
    # All 20 documents right against 80 % of them.
    a, b = (1.0, 0.0), (0.8, 0.09)
    found = unpaired(b, a, 20) if turned else unpaired(a, b, 20)
    wilson = 1 - stats.binomtest(20, 20).proportion_ci(0.95, "wilson").low
    reach = np.hypot(wilson, stats.norm.ppf(0.975) * 0.09)
    end = found.interval.low if turned else -found.interval.high
    assert end == pytest.approx(0.2 - reach)
    # As wide an interval, as large a p-value: without the 20 it would be 0.026.
    z = 0.2 / (reach / stats.norm.ppf(0.975))
    assert found.p_value == pytest.approx(2 * stats.norm.sf(z))
    assert found.p_value > 0.05


@pytest.mark.parametrize(
    ("documents", "are_shares"), [(5, True), (None, True), (200, False)], ids=str
)
def test_a_standard_error_of_0_of_few_documents_or_no_share_says_nothing(documents, are_shares):
    found = unpaired((1.0, 0.0), (0.2, 0.02), documents, are_shares=are_shares)
    assert (found.interval, found.test, found.p_value) == (None, None, None)
