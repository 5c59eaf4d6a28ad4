import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tests.metrics.measured_rows import measure
from tests.metrics.reference import WITH_STDERR, WITHOUT_STDERR, reference_metrics
from tests.metrics.rows import MIN_GAPS, PREFERENCES, any_rows, completion, judges, options, row
from ultrarm_eval.errors import ConfigurationError, DataError
from ultrarm_eval.rules import checked_min_gap

FIGURES = (*WITH_STDERR, *WITHOUT_STDERR, *(f"{name}_stderr" for name in WITH_STDERR))


def assert_as_in_the_reference(rows, reward, **chosen):
    expected = reference_metrics(rows, reward, **chosen)
    if not expected["documents"]:
        with pytest.raises(DataError, match="no pair is left"):
            measure(rows, reward, **chosen)
        return
    measured = measure(rows, reward, **chosen)
    assert sorted(measured.figures) == sorted(FIGURES)
    for name in FIGURES:
        value = expected[name]
        wanted = None if value is None else pytest.approx(value, rel=1e-9, abs=1e-12)
        assert measured.figures[name] == wanted, name
    assert measured.undefined == expected["undefined"]
    counts = measured.counts
    assert (counts["documents"], counts["pairs"]) == (expected["documents"], expected["pairs"])
    assert counts.get("completions_left_out_false_ten", 0) == expected["false_tens"]


@pytest.mark.product
@pytest.mark.parametrize("ties", ["half", "wrong"])
@pytest.mark.parametrize("preference", PREFERENCES)
@given(any_rows(), judges(), st.sampled_from(MIN_GAPS))
@settings(max_examples=examples(60), deadline=None)
def test_metrics_are_those_of_plain_loops(preference, ties, rows, judge, min_gap):
    assert_as_in_the_reference(rows, judge, preference=preference, ties=ties, min_gap=min_gap)


@given(any_rows(), judges(st.floats(-30, 30) | st.sampled_from([-1e4, 0.0, 1e4])), options())
@settings(max_examples=examples(60), deadline=None)
def test_metrics_of_judges_with_any_rewards_are_those_of_plain_loops(rows, judge, chosen):
    assert_as_in_the_reference(rows, judge, **chosen)


# Means 4, 3, 7/2 (one rating is N/A), 1; the fifth has no rating, and the sixth is no text.
FIVE = row(
    completion("a" * 10, ["5", "5", "4", "2"]),
    completion("b" * 20, ["1", "3", "5", "3"]),
    completion("c" * 30, ["N/A", "3", "4", "N/A"]),
    completion("d" * 10, ["1", "1", "1", "1"]),
    completion("e" * 50, ["N/A", "N/A", "N/A", "N/A"]),
    completion(None, ["5", "5", "5", "5"]),
)
REWARDS = {"a": 1.0, "b": 1.0, "c": 3.0, "d": 2.0, "e": 9.0}


def reward_of_five(_prompt, text):
    return REWARDS[text[0]]


def log_loss(margin):
    return math.log(1 + math.exp(-margin))


KNOWN = {
    # Pairs: a>b tie, a>c wrong, a>d wrong, b>d wrong, c>b right, c>d right.
    "acc": 2.5 / 6,
    "acc_pairs": 2.5 / 6,
    "tie_rate": 1 / 6,
    "margin": (0 - 2 - 1 - 1 + 2 + 1) / 6,
    "nll": (log_loss(0) + log_loss(-2) + 2 * log_loss(-1) + log_loss(2) + log_loss(1)) / 6,
    # The highest reward of a rated completion is c's, the best rating a's.
    "best_of_n": 0.0,
    # Two concordant pairs, three discordant, one of six tied in reward.
    "kendall_tau": (2 - 3) / math.sqrt(6 * 5),
    # Longest: wrong on a>b and a>c, one half for a>d, right on b>d, c>b and c>d.
    "acc_longest": 3.5 / 6,
    # Longer: b>d wrong, c>b right, c>d right; shorter: a>b tie, a>c wrong.
    "acc_length_controlled": (2 / 3 + 0.5 / 2) / 2,
    # 5, 1, -, 1: a>b tie, a>d wrong.
    "acc_instruction_following": 0.5 / 2,
    # 5, 3, 3, 1: a>b tie, a>c, a>d wrong, b>d wrong, c>d right.
    "acc_honesty": 1.5 / 5,
    # 4, 5, 4, 1: b>a tie, b>c wrong, a>d wrong, b>d wrong, c>d right.
    "acc_truthfulness": 1.5 / 5,
    # 2, 3, -, 1: b>a tie, b>d wrong, a>d wrong.
    "acc_helpfulness": 0.5 / 3,
}


@pytest.mark.parametrize("name", KNOWN)
def test_every_metric_of_a_prompt_computed_by_hand(name):
    assert measure([FIVE], reward_of_five).figures[name] == pytest.approx(KNOWN[name], abs=1e-12)
    assert reference_metrics([FIVE], reward_of_five)[name] == pytest.approx(KNOWN[name], abs=1e-12)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("acc", 2 / 6),
        ("acc_pairs", 2 / 6),
        ("acc_longest", 3.5 / 6),
        ("acc_length_controlled", (2 / 3 + 0) / 2),
        ("acc_honesty", 1 / 5),
        ("acc_helpfulness", 0.0),
    ],
)
def test_ties_that_are_wrong_earn_nothing_but_for_the_longest(name, value):
    figures = measure([FIVE], reward_of_five, ties="wrong").figures
    assert figures[name] == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize(
    ("min_gap", "pairs", "accuracy"),
    [
        # Gaps: a>c and c>b 1/2, a>b 1, b>d 2, c>d 5/2, a>d 3.
        ("0", 6, 2.5 / 6),
        ("0.5", 6, 2.5 / 6),
        ("0.51", 4, 1.5 / 4),
        ("1", 4, 1.5 / 4),
        (2, 3, 1 / 3),
        (2.5, 2, 1 / 2),
        ("3", 1, 0.0),
    ],
)
def test_a_pair_counts_from_the_least_gap_on(min_gap, pairs, accuracy):
    measured = measure([FIVE], reward_of_five, min_gap=min_gap)
    assert measured.counts["pairs"] == pairs
    assert measured.figures["acc"] == pytest.approx(accuracy)


def test_the_least_gap_holds_for_an_aspects_own_ratings():
    # Honesty is 5, 3, 3, 1: only a>d is 3 apart, and wrong; helpfulness is never 3 apart.
    measured = measure([FIVE], reward_of_five, min_gap=3)
    assert measured.figures["acc_honesty"] == 0.0
    assert measured.figures["acc_helpfulness"] is None
    assert measured.undefined == {"acc_helpfulness": 1}


def test_the_least_gap_leaves_best_of_n_and_kendalls_tau_with_all_rated_completions():
    figures = measure([FIVE], reward_of_five, min_gap=3).figures
    assert figures["best_of_n"] == KNOWN["best_of_n"]
    assert figures["kendall_tau"] == pytest.approx(KNOWN["kendall_tau"])


def test_a_gap_is_as_wide_as_the_scores_are_written():
    assert 7.1 - 6.9 < 0.2
    rows = [row(completion("a", "3", 7.1), completion("b", "3", 6.9))]
    assert measure(rows, len_of, preference="overall", min_gap=0.2).counts["pairs"] == 1
    with pytest.raises(DataError, match="at least 0.21 apart"):
        measure(rows, len_of, preference="overall", min_gap=0.21)


def len_of(_prompt, text):
    return float(len(text))


@pytest.mark.parametrize("given", ["1/3", "1e-1", "0,5", "-0.5", -1, "nan", "inf", "", True, [1]])
def test_a_gap_that_is_no_decimal_of_at_least_zero_is_refused(given):
    with pytest.raises(ConfigurationError, match=r"min_gap=.*number of at least 0"):
        checked_min_gap(given)


@pytest.mark.parametrize("given", ["0.5", 0.5, " 0.50 "])
def test_a_gap_is_a_number_or_its_decimal_spelling(given):
    assert checked_min_gap(given) == Fraction(1, 2)


class TestFalseTens:
    ROWS = (
        row(
            completion("false ten", "2", 10),
            completion("ten", ["2", "2", "2", "3"], 10),
            completion("two", "2", 2),
            completion("ten without aspects", "N/A", 10),
        ),
    )

    def test_they_take_no_part_in_any_overall_figure(self):
        measured = measure(self.ROWS, len_of, preference="overall")
        assert measured.counts["completions_left_out_false_ten"] == 1
        assert measured.counts["pairs"] == 2
        # The two tens are top-rated; of the aspects "ten" alone differs from "two", by one.
        assert measured.figures["best_of_n"] == 1.0
        assert measured.figures["acc_helpfulness"] == 0.5
        assert measured.undefined == {
            f"acc_{aspect}": 1 for aspect in ("instruction_following", "honesty", "truthfulness")
        }

    @pytest.mark.parametrize("preference", ["fine_grained", "helpfulness"])
    def test_they_are_kept_elsewhere(self, preference):
        measured = measure(self.ROWS, len_of, preference=preference)
        assert "completions_left_out_false_ten" not in measured.counts
        assert measured.counts["pairs"] == 2


def test_an_aspect_is_judged_where_the_overall_score_is_missing():
    rows = [row(completion("aaa", "5", None), completion("aa", "1", 3), completion("a", "1", 2))]
    figures = measure(rows, len_of, preference="overall").figures
    assert (figures["acc"], figures["acc_honesty"]) == (1.0, 1.0)
    assert figures["best_of_n"] == 1.0
    assert figures["kendall_tau"] == 1.0


def test_prompts_weigh_the_same_and_pairs_weigh_the_same_when_pooled():
    pair = row(completion("long", "1"), completion("a", "5"))
    # Six pairs, all of them right.
    six = row(*(completion("x" * length, str(length)) for length in (1, 2, 3, 4)))
    figures = measure([pair, six], len_of).figures
    assert figures["acc"] == 0.5
    assert figures["acc_pairs"] == pytest.approx(6 / 7)
    assert figures["acc_stderr"] == pytest.approx(0.5)


def test_length_is_counted_in_characters():
    rows = [row(completion("abcd", "5"), completion("ööö", "1"))]
    assert measure(rows, len_of).figures["acc_longest"] == 1.0


@pytest.mark.parametrize("longer", ["5", "1"])
def test_without_pairs_on_a_side_accuracy_by_length_is_not_available(longer):
    rows = [row(completion("long", longer), completion("a", "3"), completion("b", "3"))]
    assert measure(rows, len_of).figures["acc_length_controlled"] is None
