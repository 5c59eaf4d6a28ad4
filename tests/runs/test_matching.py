import random

import numpy as np
import pytest

from tests.compare.written_runs import choice, foreign, rated, sample, write_run
from ultrarm_eval.runs.evaluation import read_evaluation
from ultrarm_eval.runs.matching import match_documents, match_pairs, matched_rewards
from ultrarm_eval.runs.samples_file import read_samples


@pytest.fixture
def observed(tmp_path):
    """Writes samples as a run and reads them."""

    def written(name, samples):
        (result,) = read_evaluation(write_run(tmp_path / name, samples)).tasks.values()
        return read_samples(result)

    return written


def ids(observations, numbers):
    return [observations.documents.number[number] for number in numbers]


def test_documents_are_matched_by_what_they_are_and_not_by_their_place(observed):
    samples = [rated(i, [i, 0]) for i in range(20)]
    shuffled = random.Random(0).sample(samples, 20)
    a, b = observed("a", samples), observed("b", shuffled)
    matched = match_documents(a, b)
    assert ids(a, matched.a) == ids(b, matched.b)
    assert sorted(ids(a, matched.a)) == list(range(20))
    assert len(matched.only_a) == len(matched.only_b) == 0


@pytest.mark.parametrize("form", [rated, choice])
def test_documents_of_a_file_in_another_order_are_the_same(observed, form):
    def judged(order):
        """The samples of a file that holds the documents in an order."""
        found = []
        for row, content in enumerate(order):
            document = {**form(content, [1, 0])["doc"], "row": row}
            if "id" in document:
                document["id"] = str(row)
            found.append(sample(row, document, [content, 0]) | {"acc": 1.0})
        return found

    a, b = observed("a", judged(range(9))), observed("b", judged([5, *range(8, 0, -1)]))
    matched = match_documents(a, b)
    rewards = [one.pairs.chosen_reward.to_numpy() for one in (a, b)]
    assert sorted(rewards[0][matched.a]) == list(range(1, 9))
    assert rewards[0][matched.a].tolist() == rewards[1][matched.b].tolist()
    # Document 0 is in the first file alone, and document 5 is in the second one twice.
    assert (len(matched.only_a), len(matched.only_b)) == (1, 1)
    assert a.digest != b.digest


def test_the_order_of_the_match_does_not_depend_on_that_of_the_samples(observed):
    samples = [rated(i, [i, 0]) for i in range(20)]
    a, b = observed("a", samples), observed("b", samples[::-1])
    forth, back = match_documents(a, b), match_documents(b, a)
    assert ids(a, forth.a) == ids(b, back.a)
    assert forth.prompts.tolist() == back.prompts.tolist()


def test_what_one_run_alone_has_is_listed(observed):
    a = observed("a", [rated(i, [1, 0]) for i in (0, 1, 2, 5)])
    b = observed("b", [rated(i, [1, 0]) for i in (2, 3, 0)])
    matched = match_documents(a, b)
    assert sorted(ids(a, matched.a)) == [0, 2]
    assert ids(a, matched.only_a) == [1, 5]
    assert ids(b, matched.only_b) == [3]


def test_the_same_row_with_another_answer_is_another_document(observed):
    a = observed("a", [rated(0, [1, 0], (5, 1))])
    b = observed("b", [rated(0, [1, 0], (5, 2))])
    assert len(match_documents(a, b)) == 0


def test_of_a_document_that_is_there_more_often_the_surplus_has_no_match(observed):
    a = observed("a", [rated(0, [1, 0])] * 3 + [rated(1, [1, 0])])
    b = observed("b", [rated(1, [1, 0]), rated(0, [1, 0])])
    matched = match_documents(a, b)
    assert (len(matched), len(matched.only_a), len(matched.only_b)) == (2, 2, 0)
    assert [a.documents.occurrence[number] for number in matched.only_a] == [1, 2]


def test_documents_with_one_prompt_count_as_one_prompt(observed):
    samples = [
        rated(0, [1, 0], prompt="same"),
        rated(1, [1, 0], prompt="other"),
        rated(2, [1, 0], prompt="same"),
    ]
    a, b = observed("a", samples), observed("b", samples)
    matched = match_documents(a, b)
    of = dict(zip(ids(a, matched.a), matched.prompts.tolist(), strict=True))
    assert of[0] == of[2] != of[1]


@pytest.mark.parametrize("twice", [foreign(0, "acc", 1.0), rated(0, [1, 0], prompt="")])
def test_the_same_document_twice_is_one_prompt_even_without_a_prompt(observed, twice):
    samples = [twice, rated(1, [1, 0]), twice]
    matched = match_documents(observed("a", samples), observed("b", samples))
    assert len(matched) == 3
    assert len(np.unique(matched.prompts)) == 2


def test_pairs_are_matched_by_their_completions(observed):
    a = observed("a", [rated(0, [3, 2, 1], (5, 3, 1)), rated(1, [0, 1])])
    b = observed("b", [rated(1, [9, 8]), rated(0, [4, float("nan"), 6], (5, 3, 1))])
    documents = match_documents(a, b)
    matched = match_pairs(a, b, documents)
    rewards = {
        (
            int(a.pairs.chosen[i]),
            int(a.pairs.rejected[i]),
            a.documents.number[a.pairs.document[i]],
        ): (
            float(a.pairs.chosen_reward[i]),
            float(b.pairs.chosen_reward[j]),
        )
        for i, j in zip(matched.a, matched.b, strict=True)
    }
    assert rewards == {(0, 2, 0): (3.0, 4.0), (0, 1, 1): (0.0, 9.0)}
    # The second judge abstained on completion 1 of document 0, which is in two pairs.
    assert (matched.only_a, matched.only_b) == (2, 0)
    assert [ids(a, documents.a)[place] for place in matched.document] == [
        a.documents.number[a.pairs.document[i]] for i in matched.a
    ]


def test_each_completion_of_the_matched_pairs_is_counted_once(observed):
    a = observed("a", [rated(0, [3, 2, 1], (5, 3, 1)), choice(1, [7, 8, 9, 6])])
    b = observed("b", [rated(0, [30, 20, 10], (5, 3, 1)), choice(1, [70, 80, 90, 60])])
    documents = match_documents(a, b)
    of_a, of_b = matched_rewards(a, b, match_pairs(a, b, documents))
    assert sorted(of_a.tolist()) == [1, 2, 3, 6, 7, 8, 9]
    assert (10 * of_a).tolist() == of_b.tolist()


def test_tasks_without_pairs_have_matched_documents_and_no_matched_pairs(observed):
    samples = [foreign(i, "acc", float(i % 2)) for i in range(4)]
    a, b = observed("a", samples), observed("b", samples)
    documents = match_documents(a, b)
    assert (len(documents), len(match_pairs(a, b, documents))) == (4, 0)


def test_samples_without_hashes_are_matched_by_the_harnesss_number(observed):
    bare = [sample(i, {"question": str(i)}, []) | {"acc": 1.0} for i in range(3)]
    for one in bare:
        del one["doc_hash"]
    matched = match_documents(observed("a", bare), observed("b", bare[::-1]))
    assert matched.b.tolist() == [2, 1, 0]
