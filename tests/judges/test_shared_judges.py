"""Judged tasks and filters may name a judge that has no weights."""

import pytest

from tests.conftest import LengthJudge
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.judges import DEFAULT_CHECKPOINT, shared_judges
from ultrarm_eval.judges.kept_answers import judge_options


@pytest.fixture(autouse=True)
def _registered(third_party):
    third_party(LengthJudge)
    shared_judges._made.cache_clear()
    yield
    shared_judges._made.cache_clear()


@pytest.mark.parametrize(
    ("judge", "judge_args", "options"),
    [
        ("length", {"factor": 2}, "--judge length --judge-args factor=2"),
        (
            DEFAULT_CHECKPOINT,
            {"judge": "length", "factor": 2},
            "--judge length --judge-args factor=2",
        ),
    ],
)
def test_it_is_made_without_a_checkpoint(judge, judge_args, options):
    made = shared_judges.shared_judge(judge, judge_args)
    assert made.settings() == {"factor": 2}
    assert list(made.score(["q"], ["abc"])) == [6.0]
    assert judge_options(judge, judge_args) == options


def test_a_judge_that_is_named_makes_the_other_name_a_checkpoint():
    named = judge_options("length", {"judge": "ultrarm"})
    assert named == "--pretrained length --judge ultrarm"


def test_a_checkpoint_that_it_cannot_take_is_refused():
    with pytest.raises(ConfigurationError, match="'pretrained'"):
        shared_judges.shared_judge("demo", {"judge": "length"})
