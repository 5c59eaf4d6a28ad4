import random

import numpy as np
import pytest
from scipy import stats

from tests.report.written_runs import choice, choice_sample, rated, rated_sample, samples_of
from tests.runs.observed import observed, observed_pairs
from ultrarm_eval.report import slices as sliced
from ultrarm_eval.report.pair_sums import PairSums
from ultrarm_eval.report.ranges import ranges
from ultrarm_eval.report.slices import all_documents


def all_pairs(found):
    return sliced.all_pairs(found, PairSums.of(found))


def slices(found):
    return sliced.slices(found, PairSums.of(found))


ORDERS = (
    [3.0, 2.0, 1.0],
    [3.0, 1.0, 2.0],
    [2.0, 3.0, 1.0],
    [1.0, 3.0, 2.0],
    [2.0, 1.0, 3.0],
    [1.0, 2.0, 3.0],
)


def three(row, order, **fields):
    """Three answers rated 3, 2 and 1, and their rewards."""
    return rated(row, [f"{i} of {row}" for i in range(3)], ["3", "2", "1"], **fields), ORDERS[order]


def of(found, dimension):
    return {one.name: one for one in slices(found) if one.dimension == dimension}


class TestIntervals:
    def test_of_right_and_wrong_documents_it_is_wilsons(self, tmp_path):
        whole = all_documents(observed_pairs(tmp_path, [1.0] * 7 + [-1.0] * 3))
        assert (whole.accuracy, whole.documents, whole.pairs, whole.pooled) == (0.7, 10, 10, False)
        expected = stats.binomtest(7, 10).proportion_ci(0.95, "wilson")
        assert (whole.interval.low, whole.interval.high) == pytest.approx(expected, rel=1e-9)

    @pytest.mark.parametrize("values", [[0.0, 0.9, 1.0], [0.25] * 3, [12.5] * 3])
    def test_of_a_metric_that_is_no_share_it_has_no_bounds(self, tmp_path, values):
        samples = [
            {
                "doc_id": i,
                "doc": {"q": i},
                "doc_hash": str(i),
                "filter": "none",
                "metrics": ["loss"],
                "loss": value,
            }
            for i, value in enumerate(values)
        ]
        figures = {"loss,none": sum(values) / 3, "loss_stderr,none": 0.1}
        whole = all_documents(observed(tmp_path, samples, figures=figures))
        assert whole.accuracy == pytest.approx(sum(values) / 3)
        if len(set(values)) == 1:
            assert whole.interval is None
        else:
            expected = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
            assert (whole.interval.low, whole.interval.high) == pytest.approx(expected)

    def test_of_prompts_of_their_own_it_is_students(self, tmp_path):
        drawn = random.Random(0)
        judged = [three(row, drawn.randrange(6)) for row in range(30)]
        found = observed(tmp_path, samples_of(rated_sample, judged))
        values = found.documents.value
        whole = all_documents(found)
        expected = stats.t.interval(0.95, 29, values.mean(), stats.sem(values))
        assert (whole.interval.low, whole.interval.high) == pytest.approx(expected, rel=1e-9)

    def test_of_documents_that_share_prompts_it_is_wider_than_of_as_many_prompts(self, tmp_path):
        margins = [1.0] * 12 + [-1.0] * 8
        own = all_documents(observed_pairs(tmp_path / "own", margins))
        prompts = [f"prompt {i // 4}" for i in range(20)]
        shared = all_documents(observed_pairs(tmp_path / "shared", margins, prompts))
        assert shared.accuracy == own.accuracy == 0.6
        # Five prompts that are all right or all wrong: t of their means at four degrees.
        expected = stats.t.interval(0.95, 4, 0.6, stats.sem([1, 1, 1, 0, 0]))
        assert shared.interval.low == pytest.approx(max(0.0, expected[0]))
        assert shared.interval.high == pytest.approx(min(1.0, expected[1]))
        assert shared.interval.high - shared.interval.low > own.interval.high - own.interval.low

    def test_of_pooled_pairs_it_is_that_of_a_plain_bootstrap_over_prompts(self, tmp_path):
        drawn = random.Random(1)
        judged = [three(row, drawn.randrange(6), prompt=f"prompt {row % 25}") for row in range(40)]
        # Prompts of one pair and of three: a mean over documents would be another figure.
        judged += [
            (rated(row, ["a", "b"], ["2", "1"], prompt=f"prompt {row % 25}"), [drawn.random(), 0.5])
            for row in range(40, 80)
        ]
        found = observed(tmp_path, samples_of(rated_sample, judged))
        pooled = all_pairs(found)
        of_prompt = {}
        for document, credit in zip(found.pairs.document, found.pairs.credit, strict=True):
            of_prompt.setdefault(judged[document][0]["prompt"][0]["content"], []).append(credit)
        groups = list(of_prompt.values())
        assert len(groups) == 25
        values = []
        for _ in range(4000):
            credits_drawn = [c for group in drawn.choices(groups, k=25) for c in group]
            values.append(sum(credits_drawn) / len(credits_drawn))
        low, high = np.quantile(values, [0.025, 0.975])
        assert pooled.pooled
        assert pooled.accuracy == pytest.approx(sum(map(sum, groups)) / 160)
        assert (pooled.interval.low, pooled.interval.high) == pytest.approx((low, high), abs=0.012)

    def test_the_order_of_the_lines_changes_none(self, tmp_path):
        drawn = random.Random(2)
        judged = [three(row, drawn.randrange(6), prompt=f"prompt {row % 9}") for row in range(20)]
        samples = samples_of(rated_sample, judged)
        found = [
            observed(tmp_path / name, order)
            for name, order in (("forth", samples), ("back", samples[::-1]))
        ]
        assert all_pairs(found[0]) == all_pairs(found[1])
        assert slices(found[0]) == slices(found[1])

    def test_one_prompt_says_nothing_of_others(self, tmp_path):
        found = observed_pairs(tmp_path, [1.0, -1.0], ["same", "same"])
        assert all_documents(found).interval is None
        assert all_pairs(found).interval is None


class TestParts:
    def test_sources_in_order_of_name_with_those_of_no_source(self, tmp_path):
        judged = [
            three(0, 0, source="b"),
            three(1, 5, source="a"),
            three(2, 1),
            three(3, 5, source="b"),
        ]
        parts = of(observed(tmp_path, samples_of(rated_sample, judged)), "source")
        assert {name: (one.accuracy, one.documents, one.pairs) for name, one in parts.items()} == {
            "not given": (pytest.approx(2 / 3), 1, 3),
            "a": (0.0, 1, 3),
            "b": (0.5, 2, 6),
        }
        assert list(parts) == ["not given", "a", "b"]

    def test_of_very_many_parts_the_smallest_are_one(self, tmp_path):
        judged = [three(row, 0, source=f"source {row % 60:02}") for row in range(60)]
        judged += [three(row, 5, source=f"source {row % 60:02}") for row in range(60, 100)]
        parts = of(observed(tmp_path, samples_of(rated_sample, judged)), "source")
        assert len(parts) == 50
        # Forty sources have two documents; of those with one, nine are kept in order of name.
        assert list(parts)[:2] == ["source 00", "source 01"]
        assert list(parts)[-2:] == ["source 48", "11 others"]
        assert (parts["11 others"].documents, parts["11 others"].accuracy) == (11, 1.0)
        assert parts["source 00"].accuracy == 0.5
        assert sum(one.documents for one in parts.values()) == 100

    def test_categories_of_a_benchmark(self, tmp_path):
        metadata = {"suite": "rewardbench2", "ties": "the benchmark's own rule"}
        judged = [
            (choice(0, ["a"], ["b", "c", "d"], subset="Math"), [1.0, 1.0, 0.0, 0.0]),
            (choice(1, ["a"], ["b", "c", "d"], subset="Focus"), [1.0, 0.5, 0.0, 0.0]),
        ]
        found = observed(tmp_path, samples_of(choice_sample, judged, metadata), metadata)
        parts = of(found, "category")
        assert {name: (one.accuracy, one.pairs) for name, one in parts.items()} == {
            "Focus": (1.0, 3),
            "Math": (0.5, 3),
        }
        # Of its pairs a tie is one half: five are right.
        assert all_pairs(found).accuracy == pytest.approx(5.5 / 6)
        # Right and wrong answers all differ by one, which is no gap in rating.
        assert not of(found, "rating gap")

    def test_categories_that_a_run_named_a_column_of(self, tmp_path):
        judged = [three(0, 0), three(1, 5)]
        for (doc, _), category in zip(judged, ("chat", "code"), strict=True):
            doc["category"] = category
        parts = of(observed(tmp_path, samples_of(rated_sample, judged)), "category")
        assert {name: one.accuracy for name, one in parts.items()} == {"chat": 1.0, "code": 0.0}

    def test_an_aspect_counts_over_the_documents_with_a_pair_for_it(self, tmp_path):
        aspects = ({"h": ["1", "1", "2"]}, {"h": ["1", "1", "1"]}, {"h": [None, "1", "2"]})
        judged = [three(row, 1, aspects=each) for row, each in enumerate(aspects)]
        parts = of(observed(tmp_path, samples_of(rated_sample, judged)), "aspect")
        # By reward the third answer is above the second and below the first.
        assert (parts["h"].accuracy, parts["h"].documents) == (pytest.approx((0.5 + 1) / 2), 2)
        assert parts["h"].pairs is None

    def test_which_answer_is_longer(self, tmp_path):
        doc = rated(0, ["long one", "short", "short"], ["2", "1", "3"])
        parts = of(observed(tmp_path, samples_of(rated_sample, [(doc, [2.0, 1.0, 0.0])])), "length")
        assert {name: (one.accuracy, one.pairs) for name, one in parts.items()} == {
            "chosen is longer": (1.0, 1),
            "chosen is shorter": (0.0, 1),
            "equally long": (0.0, 1),
        }

    def test_gaps_that_are_equal_fractions_are_one_range(self, tmp_path):
        # As floats 13/3 - 10/3 and 8/3 - 5/3 are not 1.
        docs = [
            rated(0, ["a", "b"], ["13/3", "10/3"]),
            rated(1, ["a", "b"], ["8/3", "5/3"]),
            rated(2, ["a", "b"], ["2", "1"]),
            rated(3, ["a", "b"], ["4", "1"]),
        ]
        judged = [(doc, [1.0, 0.0]) for doc in docs]
        parts = of(observed(tmp_path, samples_of(rated_sample, judged)), "rating gap")
        assert {name: one.pairs for name, one in parts.items()} == {"1": 3, "3": 1}

    def test_prompts_by_their_length_in_characters_of_all_turns(self, tmp_path):
        judged = [
            three(row, 5 * (row % 2), prompt=("a" * row, "b" * row, "c")) for row in range(1, 11)
        ]
        parts = of(observed(tmp_path, samples_of(rated_sample, judged)), "prompt length")
        assert {name: (one.documents, one.accuracy) for name, one in parts.items()} == {
            "3 to 5 characters": (2, 0.5),
            "7 to 9 characters": (2, 0.5),
            "11 to 13 characters": (2, 0.5),
            "15 to 17 characters": (2, 0.5),
            "19 to 21 characters": (2, 0.5),
        }


class TestRanges:
    def test_few_values_are_a_range_each(self):
        names = [name for name, _ in ranges(np.array([2.0, 0.5, 2.0, 1234567.0]), "")]
        assert names == ["0.5", "2", "1234567"]

    def test_every_value_is_in_one_range(self):
        drawn = np.random.default_rng(0)
        for size in (6, 7, 35, 1000):
            values = drawn.integers(0, 50, size).astype(float)
            masks = np.array([mask for _, mask in ranges(values, "x")])
            assert (masks.sum(axis=0) == 1).all()
            assert masks.any(axis=1).all()
            assert len(masks) <= 5

    def test_they_hold_about_as_many_values_each(self):
        masks = [mask for _, mask in ranges(np.arange(1000.0), "x")]
        assert [int(mask.sum()) for mask in masks] == [200] * 5

    def test_a_value_that_is_most_of_them_is_one_range(self):
        values = np.array([1.0] * 90 + [2, 3, 4, 5, 6, 7])
        assert [(name, int(mask.sum())) for name, mask in ranges(values, "x")] == [
            ("1 x", 90),
            ("2 to 7 x", 6),
        ]

    def test_also_where_it_is_the_highest(self):
        values = np.array([7.0] * 90 + [1, 2, 3, 4, 5, 6])
        assert [(name, int(mask.sum())) for name, mask in ranges(values, "x")] == [
            ("1 to 7 x", 96),
        ]


def test_documents_without_a_value_are_in_no_part(tmp_path):
    metadata = {"suite": "rewardbench2", "ties": "the benchmark's own rule"}
    sample = choice_sample(0, choice(0, ["a"], ["b"], subset="Ties"), [2.0, 1.0], metadata)
    sample["acc"] = ["Ties", 1.0]
    found = observed(tmp_path, [sample], metadata, figures={"acc,none": 0.5})
    assert all_documents(found) is None
    assert {one.dimension for one in slices(found)} == {"length"}
    assert all_pairs(found).accuracy == 1.0


def test_a_benchmark_without_subsets_has_no_categories(tmp_path):
    metadata = {"suite": "llmbar", "ties": "half"}
    judged = [(choice(row, ["a"], ["b"], subset=""), [1.0, 0.0]) for row in range(3)]
    found = observed(tmp_path, samples_of(choice_sample, judged, metadata), metadata)
    assert not of(found, "category")
