import json
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tests.report.written_runs import (
    choice,
    choice_sample,
    judged_sample,
    prompted,
    rated,
    rated_sample,
    write_run,
)
from ultrarm_eval.errors import DataError
from ultrarm_eval.pairs import PreferencePair
from ultrarm_eval.report.report import make_report
from ultrarm_eval.runs.evaluation import read_evaluations
from ultrarm_eval.runs.json_values import as_plain
from ultrarm_eval.runs.sample import read_sample

WHERE = "samples.jsonl, line 3"
RB2 = {"suite": "rewardbench2", "ties": "the benchmark's own rule"}
RATED = rated_sample(
    0,
    rated(0, ["a", "bb", "c"], ["1", "9/2", None], source="flan", aspects={"h": ["2", None, "3"]}),
    [0.25, -1.0, 3.0],
    {},
)
CHOSEN = choice_sample(0, choice(0, ["a", "b"], ["c"], subset="math"), [1.0, 2.0, 3.0], RB2)
ANSWERED = judged_sample(0, prompted(0, "the reference"), ["x", "y"], [1.0, 2.0], 0.5)


def test_a_document_with_ratings():
    found = read_sample(RATED, {"ties": "wrong"}, WHERE)
    assert found.kind == "preference"
    assert found.rewards == [0.25, -1.0, 3.0]
    np.testing.assert_array_equal(found.ratings, [1.0, 4.5, math.nan])
    assert found.pairs == (PreferencePair(1, 0),)
    assert list(found.names) == ["model-0", "model-1", "model-2"]
    assert (found.parts, found.aspects) == ({"source": "flan"}, {"h": 1.0})
    assert (found.tie_credit, found.prompt_length) == (0.0, len("question 0"))


def test_completions_that_no_metric_needs_have_no_reward():
    doc = rated(0, ["a", "b", "c"], ["1", None, "2"])
    found = read_sample(rated_sample(0, doc, [4.0, 5.0, 6.0], {}), {}, WHERE)
    np.testing.assert_array_equal(found.rewards, [4.0, math.nan, 6.0])
    assert found.pairs == (PreferencePair(2, 0),)


def test_log_likelihoods_are_rewards():
    sample = {**RATED, "filtered_resps": [["-12.5", "True"], ["-3.0", "False"], ["-7", "False"]]}
    assert read_sample(sample, {}, WHERE).rewards == [-12.5, -3.0, -7.0]


def test_an_item_of_a_benchmark():
    found = read_sample(CHOSEN, RB2, WHERE)
    assert found.kind == "preference"
    assert found.ratings == [1.0, 1.0, 0.0]
    assert found.pairs == [PreferencePair(0, 2), PreferencePair(1, 2)]
    assert found.parts == {"category": "math"}
    assert found.tie_credit == 0.5


def test_answers_beside_a_reference():
    found = read_sample(ANSWERED, {}, WHERE)
    assert found.kind == "reference"
    assert found.completions == ["x", "y", "the reference"]
    assert found.names == [None, None, "model-r"]
    assert found.rewards == [1.0, 2.0, 0.5]
    assert found.pairs == [PreferencePair(0, 2), PreferencePair(1, 2)]


@pytest.mark.parametrize(
    "sample", [{}, {"doc": "text"}, {"doc": {"question": "x"}}, {**ANSWERED, "judged": []}]
)
def test_samples_of_other_tasks_are_none_of_ours(sample):
    assert read_sample(sample, {}, WHERE) is None


def test_equal_prompts_have_one_key_whatever_the_order_of_their_fields():
    def key(*turns):
        doc = {**rated(0, ["a", "b"], ["1", "2"]), "prompt": list(turns)}
        return read_sample(rated_sample(0, doc, [1.0, 2.0], {}), {}, WHERE).prompt_key

    assert key({"role": "user", "content": "x"}) == key({"content": "x", "role": "user"})
    assert key({"role": "user", "content": "x"}) != key({"role": "system", "content": "x"})
    assert key() is None


class TestRefusals:
    @pytest.mark.parametrize("field", ["filtered_resps", "doc"])
    def test_what_is_missing_is_named(self, field):
        sample = {**RATED, field: {"format": RATED["doc"]["format"]}}
        with pytest.raises(
            DataError, match=r"samples.jsonl, line 3: this sample is not in its task's format"
        ):
            read_sample(sample, {}, WHERE)

    def test_more_or_fewer_rewards_than_were_asked_for(self):
        for sample in (RATED, CHOSEN):
            for rest in (
                sample["filtered_resps"][:-1],
                [*sample["filtered_resps"], ["1", "False"]],
            ):
                with pytest.raises(DataError, match="not in its task's format"):
                    read_sample({**sample, "filtered_resps": rest}, RB2, WHERE)

    @pytest.mark.parametrize("reward", ["inf", "-inf", "1e101"])
    def test_rewards_without_a_finite_margin(self, reward):
        for sample in (RATED, CHOSEN):
            answers = [[reward, "False"], *sample["filtered_resps"][1:]]
            with pytest.raises(
                DataError, match="line 3: a completion has the reward (-?inf|1e.101)"
            ):
                read_sample({**sample, "filtered_resps": answers}, RB2, WHERE)

    @pytest.mark.parametrize("correct", [0, 3, -(10**400)])
    def test_an_item_without_right_or_without_wrong_answers(self, correct):
        sample = {**CHOSEN, "doc": {**CHOSEN["doc"], "correct": correct}}
        with pytest.raises(
            DataError, match="correct is .*, with 3 completions; at least one must be right"
        ):
            read_sample(sample, RB2, WHERE)


NUMBERS = [True, 0, -1, 10**400, 1e308, math.nan, math.inf, "1/0", "1e400", "5", "9" * 5000]
VALUES = st.sampled_from([*NUMBERS, None, "", "x", [], {}, ["x"], [["y"]], {"a": 1}, [1, 2]])


def places(value, path=()):
    """Where anything stands in a JSON value."""
    if isinstance(value, list):
        value = dict(enumerate(value))
    for key, one in value.items() if isinstance(value, dict) else ():
        yield (*path, key)
        yield from places(one, (*path, key))


@pytest.mark.slow
@settings(
    max_examples=examples(60),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data(), sample=st.sampled_from([RATED, CHOSEN, ANSWERED]))
def test_an_edited_sample_is_left_out_or_read_and_breaks_nothing(tmp_path, data, sample):
    edited = json.loads(json.dumps(sample))
    *path, last = data.draw(st.sampled_from(list(places(edited))))
    inside = edited
    for key in path:
        inside = inside[key]
    inside[last] = data.draw(VALUES)
    for file in tmp_path.iterdir():
        file.unlink()
    write_run(tmp_path, [sample, edited], RB2)
    (judge,) = as_plain(make_report(read_evaluations(tmp_path), pairs=2))["judges"]
    (task,) = judge["tasks"]
    # An edited name of its filter makes a sample that is none of the figures'.
    left_out = ("lines_damaged", "documents_without_score")
    others = sum(task["counts"].get(name, 0) for name in left_out)
    assert 1 <= task["data"]["documents"] <= 2 - others
    json.dumps(task, allow_nan=False)
