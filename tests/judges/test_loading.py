import pytest

from ultrarm_eval import load_judge
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.judges.loading import make_judge


def test_an_unknown_judge_lists_the_registered_ones():
    with pytest.raises(ConfigurationError, match="Did you mean 'ultrarm'"):
        load_judge("demo", judge="ultra-rm")


def test_an_unknown_setting_lists_the_judges_settings():
    with pytest.raises(ConfigurationError, match=r"Did you mean 'template'.*max_batch_tokens"):
        load_judge("demo", tempalte="raw")


def test_what_the_surroundings_offer_gives_way_to_the_user(checkpoint):
    judge = make_judge(
        "ultrarm",
        {"pretrained": str(checkpoint), "device": "cpu"},
        {"device": "cuda:3", "other": 1},
    )
    assert judge.settings()["device"] == "cpu"
