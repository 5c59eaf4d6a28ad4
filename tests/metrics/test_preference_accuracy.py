import math
from fractions import Fraction

import numpy as np
import pytest

from ultrarm_eval import Document, load_documents
from ultrarm_eval.errors import ConfigurationError, ScoringError
from ultrarm_eval.metrics.preference_accuracy import preference_accuracy
from ultrarm_eval.metrics.within_prompt import prompt_metrics
from ultrarm_eval.rules import ComparisonRules


def document(prompt, *ratings, texts=None):
    """A document whose completions have these ratings, and lengths 1, 2, 3, ..."""
    completions = texts or tuple("x" * (i + 1) for i in range(len(ratings)))
    turns = ({"role": "user", "content": prompt},) if prompt is not None else ()
    exact = tuple(map(Fraction, ratings))
    return Document(turns, completions, preference="score", ratings={"score": exact})


def test_a_document_counts_with_the_mean_of_its_pairs():
    documents = [document("a", 3, 2, 1), document("b", 1, 2), document("c", 2, 1)]
    # Pairs of a: 3 > 2 correct, 3 > 1 a tie, 2 > 1 wrong.
    found = preference_accuracy(documents, [[1.0, 0.0, 1.0], [0.0, 2.0], [0.0, 3.0]])

    assert found.accuracy == pytest.approx((0.5 + 1 + 0) / 3)
    assert found.tie_rate == pytest.approx((1 / 3 + 0 + 0) / 3)
    assert found.margin == pytest.approx((0 + 2 - 3) / 3)
    assert found.standard_error == pytest.approx(np.std([0.5, 1, 0], ddof=1) / math.sqrt(3))
    # The longer answer is the rejected one in the three pairs of a and in that of c.
    assert found.accuracy_longest == pytest.approx(1 / 5)
    assert (found.documents, found.prompts, found.pairs, found.excluded) == (3, 3, 5, 0)


def test_documents_with_one_prompt_are_one_cluster():
    regression = pytest.importorskip("statsmodels.api")
    prompts = ["a", "a", "a", "b", "b", "c", "d"]
    credits = [1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0]
    documents = [document(prompt, 2, 1) for prompt in prompts]
    found = preference_accuracy(documents, [[credit, 0.5] for credit in credits])

    fit = regression.OLS(credits, np.ones(7)).fit(
        cov_type="cluster", cov_kwds={"groups": np.array([0, 0, 0, 1, 1, 2, 3])}, use_t=True
    )
    assert found.accuracy == pytest.approx(5 / 7)
    assert found.standard_error == pytest.approx(fit.bse[0], rel=1e-12)
    low, high = fit.conf_int()[0]
    assert found.interval.ends == pytest.approx((max(low, 0), min(high, 1)), rel=1e-9)
    assert found.prompts == 4


def test_documents_without_a_prompt_share_none():
    documents = [document(None, 2, 1) for _ in range(4)]
    found = preference_accuracy(documents, [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])

    assert found.prompts == 4
    assert found.standard_error == pytest.approx(0.25)


def test_one_prompt_has_no_standard_error():
    found = preference_accuracy([document("a", 2, 1), document("a", 1, 2)], [[1.0, 0.0]] * 2)

    assert found.accuracy == 0.5
    assert found.standard_error is None
    assert found.interval is None


def test_abstentions_are_excluded_and_counted():
    documents = [document("a", 3, 2, 1), document("b", 2, 1)]
    found = preference_accuracy(documents, [[2.0, None, 1.0], [None, 1.0]])

    assert (found.accuracy, found.documents, found.pairs, found.excluded) == (1.0, 1, 1, 1)


def test_rules_are_those_of_the_tasks():
    documents = [document("a", 5, 2, 1), document("b", 2, 1)]
    rewards = [[1.0, 1.0, 0.0], [1.0, 0.0]]

    assert preference_accuracy(documents, rewards).accuracy == pytest.approx((2.5 / 3 + 1) / 2)
    strict = preference_accuracy(documents, rewards, ties="wrong", min_gap="1.5")
    # Of a, two pairs are far enough apart, one of them a tie; b has none.
    assert (strict.accuracy, strict.pairs, strict.excluded) == (0.5, 2, 1)


def test_on_the_demo_it_is_what_the_tasks_compute():
    documents = load_documents("demo")
    random = np.random.default_rng(0)
    rewards = [random.integers(0, 4, len(d.completions)).astype(float).tolist() for d in documents]
    each = [
        prompt_metrics(d, dict(enumerate(r)), ComparisonRules())
        for d, r in zip(documents, rewards, strict=True)
    ]
    found = preference_accuracy(documents, rewards)

    accuracies = [one["acc"] for one in each]
    assert found.accuracy == pytest.approx(np.mean(accuracies), rel=1e-12)
    assert found.standard_error == pytest.approx(np.std(accuracies, ddof=1) / math.sqrt(200))
    assert found.tie_rate == pytest.approx(np.mean([one["tie_rate"] for one in each]))
    assert found.margin == pytest.approx(np.mean([one["margin"] for one in each]))
    longest = np.array([one["acc_longest"] for one in each])
    assert found.accuracy_longest == pytest.approx(longest[:, 0].sum() / longest[:, 1].sum())


@pytest.mark.parametrize(
    ("rewards", "message"),
    [
        ([], "1 documents and rewards of 0; give one sequence of rewards for each document"),
        ([[1.0]], "Document 0: there are 2 completions and 1 rewards; give one for each"),
        ([[1.0, math.nan]], "Document 0: completion 1 has the reward NaN; give a number, or None"),
        ([[1.0, None]], "None of 1 documents has a pair in which both answers have a reward"),
    ],
)
def test_rewards_that_do_not_fit_are_refused(rewards, message):
    with pytest.raises(ScoringError, match=message):
        preference_accuracy([document("a", 2, 1)], rewards)


def test_an_unknown_rule_for_ties_is_refused():
    with pytest.raises(ConfigurationError, match="Choose one of: half, wrong"):
        preference_accuracy([document("a", 2, 1)], [[1.0, 0.0]], ties="third")
