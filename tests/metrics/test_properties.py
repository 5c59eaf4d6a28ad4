import copy
import math
from fractions import Fraction

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau

from tests.conftest import examples
from tests.metrics.measured_rows import measure
from tests.metrics.reference import ASPECTS, WITH_STDERR, surprise
from tests.metrics.rows import (
    MIN_GAPS,
    PREFERENCES,
    Judge,
    completion,
    judges,
    options,
    row,
    texts_row,
    usable_rows,
)
from ultrarm_eval.documents.document import Document
from ultrarm_eval.errors import ScoringError
from ultrarm_eval.metrics.within_prompt import (
    best_of_n,
    bradley_terry_loss,
    completions_to_score,
    kendall_tau,
    prompt_metrics,
)
from ultrarm_eval.rules import ComparisonRules

quick = settings(max_examples=examples(50), deadline=None)
HALF = ("half",)


def length_of(_prompt, text):
    return float(len(text))


def figures_of(rows, judge, chosen):
    measured = measure(rows, judge, **chosen)
    return measured.figures, measured.undefined


def assert_equal_but_for_rounding(figures, others):
    assert sorted(figures) == sorted(others)
    for name, value in figures.items():
        wanted = None if value is None else pytest.approx(value, rel=1e-9, abs=1e-12)
        assert others[name] == wanted, name


class TestWhatAMetricMustNotSee:
    @given(usable_rows(), judges(), options(), st.randoms(use_true_random=False))
    @quick
    def test_the_order_of_completions_changes_nothing(self, rows, judge, chosen, random):
        shuffled = copy.deepcopy(rows)
        for one in shuffled:
            random.shuffle(one["completions"])
        (figures, undefined), (others, as_well) = (
            figures_of(given_rows, judge, chosen) for given_rows in (rows, shuffled)
        )
        assert_equal_but_for_rounding(figures, others)
        assert undefined == as_well

    @given(usable_rows(), judges(), options())
    @quick
    def test_the_order_of_prompts_changes_nothing(self, rows, judge, chosen):
        (figures, undefined), (others, as_well) = (
            figures_of(given_rows, judge, chosen) for given_rows in (rows, rows[::-1])
        )
        assert_equal_but_for_rounding(figures, others)
        assert undefined == as_well

    @given(usable_rows(), judges(), options(), st.sampled_from(["gpt-4", "", None, 7]))
    @quick
    def test_the_names_of_models_change_nothing(self, rows, judge, chosen, name):
        renamed = copy.deepcopy(rows)
        for one in renamed:
            one["models"] = [name] * len(one["completions"])
            for given_completion in one["completions"]:
                if isinstance(given_completion, dict):
                    given_completion["model"] = name
        assert figures_of(renamed, judge, chosen) == figures_of(rows, judge, chosen)

    @given(usable_rows(), judges(), options(), st.sampled_from([-1024.0, -0.5, 0.25, 65536.0]))
    @quick
    def test_a_constant_added_to_every_reward_changes_nothing(self, rows, judge, chosen, shift):
        shifted = Judge(judge.rewards, shift=shift)
        assert figures_of(rows, shifted, chosen) == figures_of(rows, judge, chosen)

    @given(usable_rows(), judges(), options(), st.sampled_from([0.125, 4.0]))
    @quick
    def test_a_factor_changes_margins_and_their_loss_alone(self, rows, judge, chosen, factor):
        figures, undefined = figures_of(rows, judge, chosen)
        scaled, as_well = figures_of(rows, Judge(judge.rewards, factor=factor), chosen)
        assert scaled.pop("margin") == pytest.approx(factor * figures.pop("margin"))
        for name in ("nll", "nll_stderr", "margin_stderr"):
            del figures[name], scaled[name]
        assert (figures, undefined) == (scaled, as_well)


class TestNegatedRewards:
    @given(usable_rows(), judges(), options(ties=HALF))
    @quick
    def test_accuracies_and_kendalls_tau_turn_over(self, rows, judge, chosen):
        figures, undefined = figures_of(rows, judge, chosen)
        turned, as_well = figures_of(rows, Judge(judge.rewards, factor=-1.0), chosen)
        accuracies = ["acc", "acc_pairs", "acc_length_controlled", *(f"acc_{a}" for a in ASPECTS)]
        for name in accuracies:
            value = figures[name]
            wanted = None if value is None else pytest.approx(1 - value, abs=1e-12)
            assert turned[name] == wanted, name
        for name in ("kendall_tau", "margin"):
            assert turned[name] == pytest.approx(-figures[name], abs=1e-12), name
        for name in ("tie_rate", "acc_longest"):
            assert turned[name] == figures[name], name
        assert undefined == as_well

    @given(usable_rows(), judges(), options(ties=HALF))
    @quick
    def test_the_loss_of_both_directions_differs_by_the_margin(self, rows, judge, chosen):
        figures, _ = figures_of(rows, judge, chosen)
        turned, _ = figures_of(rows, Judge(judge.rewards, factor=-1.0), chosen)
        assert turned["nll"] - figures["nll"] == pytest.approx(figures["margin"], abs=1e-9)


class TestTies:
    @given(usable_rows(), judges(), options(ties=HALF))
    @quick
    def test_half_is_wrong_plus_half_of_the_ties(self, rows, judge, chosen):
        half, _ = figures_of(rows, judge, chosen)
        wrong, _ = figures_of(rows, judge, {**chosen, "ties": "wrong"})
        assert half["acc"] == pytest.approx(wrong["acc"] + half["tie_rate"] / 2, abs=1e-12)
        for name in ("tie_rate", "margin", "nll", "best_of_n", "kendall_tau", "acc_longest"):
            assert half[name] == wrong[name], name

    @given(usable_rows(), st.integers(-100, 100), options())
    @quick
    def test_a_constant_judge_gets_what_ties_are_worth(self, rows, reward, chosen):
        credit = {"half": 0.5, "wrong": 0.0}[chosen["ties"]]
        figures, undefined = figures_of(rows, lambda *_: float(reward), chosen)
        assert figures["nll"] == pytest.approx(math.log(2))
        constants = {
            "acc": credit,
            "acc_pairs": credit,
            "tie_rate": 1.0,
            "margin": 0.0,
            "kendall_tau": 0.0,
        }
        assert {name: figures[name] for name in constants} == constants
        assert figures["acc_length_controlled"] in (credit, None)
        for aspect in ASPECTS:
            assert figures[f"acc_{aspect}"] in (credit, None)
        assert "kendall_tau" not in undefined

    @pytest.mark.parametrize(
        ("ratings", "share"),
        [((5, 1), 1 / 2), ((5, 5, 1), 2 / 3), ((4, 1, 3, 2), 1 / 4), ((3, 3, 3, 2, "N/A"), 3 / 4)],
    )
    def test_a_constant_judge_picks_among_all_rated_completions(self, ratings, share):
        rows = [texts_row(*((f"{i}", rating) for i, rating in enumerate(ratings)))]
        assert measure(rows, lambda *_: 1.0).figures["best_of_n"] == pytest.approx(share)

    def test_the_best_is_picked_by_lot_among_the_highest_rewards_alone(self):
        rows = [texts_row(("best", 5), ("same", 1), ("low!", 5), ("and too", 3))]
        rewards = {"best": 2.0, "same": 2.0, "low!": 0.0, "and too": 2.0}
        figures = measure(rows, lambda _, text: rewards[text]).figures
        assert figures["best_of_n"] == pytest.approx(1 / 3)

    def test_zero_and_minus_zero_tie(self):
        rows = [texts_row(("a", 5), ("b", 1))]
        figures = measure(rows, lambda _, text: -0.0 if text == "a" else 0.0).figures
        assert (figures["tie_rate"], figures["kendall_tau"], figures["best_of_n"]) == (1, 0, 0.5)


class TestPickLongest:
    @given(usable_rows(), options())
    @quick
    def test_length_control_takes_its_advantage_away(self, rows, chosen):
        figures, _ = figures_of(rows, length_of, chosen)
        assert figures["acc_length_controlled"] in (0.5, None)

    @given(usable_rows(), options(ties=HALF))
    @quick
    def test_its_accuracy_is_that_of_the_longest(self, rows, chosen):
        figures, _ = figures_of(rows, length_of, chosen)
        assert figures["acc_pairs"] == figures["acc_longest"]

    @given(usable_rows(), judges(), options())
    @quick
    def test_accuracy_of_the_longest_is_the_datas_and_not_the_judges(self, rows, judge, chosen):
        figures, _ = figures_of(rows, judge, chosen)
        others, _ = figures_of(rows, length_of, {**chosen, "ties": "half"})
        assert figures["acc_longest"] == others["acc_pairs"]

    def test_both_sides_weigh_the_same_however_many_pairs_they_have(self):
        # Chosen longer: three pairs, two of them right; chosen shorter: one, wrong; equal: left out.
        rows = [
            texts_row(("longer", 5), ("low", 1)),
            texts_row(("longest", 5), ("low", 1)),
            texts_row(("high", 1), ("longer but low", 5)),
            texts_row(("low", 5), ("high", 1)),
            texts_row(("high", 5), ("four", 1)),
        ]
        rewards = {"longer": 1.0, "longest": 1.0, "low": 0.0, "high": 2.0, "longer but low": 1.0}
        figures = measure(rows, lambda _, text: rewards.get(text, 0.5)).figures
        assert figures["acc_length_controlled"] == pytest.approx((2 / 3 + 0) / 2)
        assert figures["acc_longest"] == pytest.approx((3 + 0.5) / 5)


class TestAspects:
    @pytest.mark.few(1)
    @pytest.mark.parametrize("aspect", ASPECTS)
    @given(usable_rows(), judges(), options())
    @settings(max_examples=20, deadline=None)
    def test_preferring_by_an_aspect_gives_its_accuracy(self, aspect, rows, judge, chosen):
        by_aspect = measure(rows, judge, **{**chosen, "preference": aspect})
        name = f"acc_{aspect}"
        assert by_aspect.figures["acc"] == pytest.approx(by_aspect.figures[name], abs=1e-12)
        assert name not in by_aspect.undefined

    @pytest.mark.few(1)
    @pytest.mark.parametrize("aspect", ASPECTS)
    @given(usable_rows(), judges(), st.sampled_from(("half", "wrong")), st.sampled_from(MIN_GAPS))
    @settings(max_examples=20, deadline=None)
    def test_an_aspects_accuracy_of_a_prompt_does_not_depend_on_the_preference(
        self, aspect, rows, judge, ties, min_gap
    ):
        by_aspect = measure(rows, judge, aspect, ties, min_gap).by_row
        by_mean = measure(rows, judge, "fine_grained", ties, min_gap).by_row
        expected = {i: by_aspect[i]["acc"] if i in by_aspect else None for i in by_mean}
        assert {i: metrics[f"acc_{aspect}"] for i, metrics in by_mean.items()} == expected

    @given(usable_rows(), judges(), options())
    @quick
    def test_it_is_the_mean_over_the_prompts_that_have_it(self, rows, judge, chosen):
        measured = measure(rows, judge, **chosen)
        for name in (f"acc_{aspect}" for aspect in ASPECTS):
            values = [metrics[name] for metrics in measured.by_row.values()]
            defined = [value for value in values if value is not None]
            assert measured.undefined.get(name, 0) == len(values) - len(defined)
            mean = pytest.approx(math.fsum(defined) / len(defined)) if defined else None
            assert measured.figures[name] == mean

    def test_only_the_means_over_all_prompts_have_a_standard_error(self):
        figures = measure([texts_row(("a", 5), ("b", 1))] * 2, length_of).figures
        assert {name for name in figures if name.endswith("_stderr")} == {
            f"{name}_stderr" for name in WITH_STDERR
        }


class TestLoss:
    @given(st.floats(-1e4, 1e4))
    @example(1e4)
    @example(-1e4)
    @example(0.0)
    @example(745.2)
    @example(-745.2)
    def test_it_is_exact_for_margins_of_any_size(self, margin):
        expected = surprise(margin, digits=350)
        assert bradley_terry_loss(margin) == pytest.approx(expected, rel=1e-13, abs=1e-300)

    @pytest.mark.parametrize(
        ("margin", "loss"),
        [(1e4, 0.0), (-1e4, 1e4), (1e308, 0.0), (-1e308, 1e308), (0, math.log(2))],
    )
    def test_it_neither_overflows_nor_becomes_nan(self, margin, loss):
        rows = [texts_row(("a", 5), ("b", 1))]
        figures = measure(rows, lambda _, text: margin if text == "a" else 0.0).figures
        assert (figures["nll"], figures["margin"]) == (loss, margin)

    def test_a_prompts_loss_is_the_mean_over_its_pairs(self):
        rows = [texts_row(("a", 5), ("b", 3), ("c", 1)), texts_row(("c", 5), ("a", 1))]
        rewards = {"a": 3.0, "b": 2.0, "c": 0.0}
        first = (surprise(1) + surprise(3) + surprise(2)) / 3
        figures = measure(rows, lambda _, text: rewards[text]).figures
        assert figures["nll"] == pytest.approx((first + surprise(-3)) / 2)


class TestRatingsNoFloatCouldTellApart:
    ROWS = (
        row(
            completion("best", "N/A", "7." + "0" * 29 + "2"),
            completion("second", "N/A", "7." + "0" * 29 + "1"),
            completion("last", "N/A", "7"),
        ),
    )

    def test_they_order_pairs_ranks_and_the_best(self):
        rewards = {"best": 3.0, "second": 2.0, "last": 1.0}
        measured = measure(self.ROWS, lambda _, text: rewards[text], "overall")
        assert measured.counts["pairs"] == 3
        figures = measured.figures
        assert figures["acc"] == figures["best_of_n"] == 1.0
        assert figures["kendall_tau"] == pytest.approx(1.0)

    def test_the_second_best_is_not_the_best(self):
        figures = measure(self.ROWS, lambda _, text: float(text == "second"), "overall").figures
        assert figures["best_of_n"] == 0.0

    def test_equal_means_of_different_ratings_are_equal(self):
        # 10/3 from three ratings; thirds have no exact float.
        rows = [
            row(
                completion("a", ["5", "4", "1", "N/A"]),
                completion("b", ["3", "N/A", "3", "4"]),
                completion("c", ["3", "3", "4", "3"]),
            )
        ]
        measured = measure(rows, length_of)
        assert measured.counts["pairs"] == 2
        assert measured.figures["best_of_n"] == pytest.approx(2 / 3)

    def test_two_thirds_and_a_bit_more_are_two_ratings(self):
        close = [Fraction(2, 3), Fraction(2, 3) + Fraction(1, 10**40)]
        assert float(close[0]) == float(close[1])
        assert kendall_tau(close, [0.0, 1.0]) == pytest.approx(1.0)
        assert best_of_n(close, [1.0, 0.0]) == 0.0


ranked = st.lists(st.tuples(st.integers(1, 5), st.sampled_from([-1.5, 0.0, 0.25, 7.0])), min_size=2)


@given(ranked)
@quick
def test_kendalls_tau_is_scipys(items):
    ratings, rewards = zip(*items, strict=True)
    assume(len(set(ratings)) > 1 and len(set(rewards)) > 1)
    expected = kendalltau(ratings, rewards, variant="b").statistic
    assert kendall_tau([Fraction(r) for r in ratings], rewards) == expected


class TestCompletionsThatAreScored:
    def asked(self, rows, **chosen):
        texts = set()
        measure(rows, lambda _, text: texts.add(text) or 0.0, **chosen)
        return texts

    @pytest.mark.parametrize("preference", PREFERENCES)
    def test_they_are_rated_by_the_preference_or_in_a_pair_of_an_aspect(self, preference):
        rows = [
            row(
                completion("both", "5", 9),
                completion("another", "3", 2),
                completion("overall alone", "N/A", 3),
                completion("aspects alone", "1", None),
                completion("nothing", "N/A", None),
            )
        ]
        needed = {"both", "another", "aspects alone"}
        if preference == "overall":
            needed.add("overall alone")
        assert self.asked(rows, preference=preference) == needed

    def test_a_pair_of_an_aspect_has_to_have_the_least_gap_too(self):
        rows = [
            row(
                completion("nine", "N/A", 9),
                completion("five", "N/A", 5),
                completion("five by aspects", "5", None),
                completion("four by aspects", "4", None),
            )
        ]
        rated = {"nine", "five"}
        by_aspects = {"five by aspects", "four by aspects"}
        assert self.asked(rows, preference="overall", min_gap=1) == rated | by_aspects
        assert self.asked(rows, preference="overall", min_gap=2) == rated


class TestNaN:
    def document(self, ratings):
        rated = tuple(None if one is None else Fraction(one) for one in ratings)
        return Document((), ("a", "b", "c"), row=0, preference="score", ratings={"score": rated})

    @pytest.mark.parametrize("place", [0, 1, 2])
    @pytest.mark.parametrize("min_gap", [0, 3])
    def test_a_reward_that_is_no_number_is_an_error_wherever_it_stands(self, place, min_gap):
        # With a least gap of 3 the last completion is in no pair, but best_of_n needs its reward.
        document, rules = self.document(["5", "1", "3"]), ComparisonRules(min_gap=Fraction(min_gap))
        rewards = dict.fromkeys(completions_to_score(document, rules), 1.0)
        with pytest.raises(ScoringError, match="NaN"):
            prompt_metrics(document, {**rewards, place: math.nan}, rules)
