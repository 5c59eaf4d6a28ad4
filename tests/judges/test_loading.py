import logging

import pytest

from ultrarm_eval import load_judge
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.judges.loading import make_judge, takes_setting


def test_an_unknown_judge_lists_the_registered_ones():
    with pytest.raises(ConfigurationError, match="Did you mean 'ultrarm'"):
        load_judge("demo", judge="ultra-rm")


def test_an_unknown_setting_lists_the_judges_settings():
    with pytest.raises(ConfigurationError, match=r"Did you mean 'template'.*max_batch_tokens"):
        load_judge("demo", tempalte="raw")


@pytest.mark.parametrize(
    ("setting", "judge", "named"),
    [
        ("aggregate", "process", "ultrarm"),
        ("aggregate", "process", "auto"),
        ("token", "token-logit", "ultrarm"),
        ("beta", "dpo", "auto"),
    ],
)
def test_a_setting_of_another_judge_says_whose_it_is(setting, judge, named):
    with pytest.raises(ConfigurationError, match=f"{setting} is a setting of judge={judge}[.]$"):
        load_judge("demo", judge=named, **{setting: "min"})


@pytest.mark.parametrize("judge", ["ultrarm", "eurus", "likelihood", "dpo", "critique"])
def test_what_a_judge_is_put_together_of_is_no_setting(judge):
    assert takes_setting(judge, "template")
    for part in ("encoder", "tokenizer", "head", "store"):
        assert not takes_setting(judge, part)


def test_a_judge_made_of_ours_adds_its_settings(third_party):
    from ultrarm_eval.judges.ultrarm import UltraRMJudge

    class Scaled(UltraRMJudge):
        def __init__(self, strength=1.0, **settings):
            super().__init__(**settings)

    third_party(Scaled)
    assert all(takes_setting("length", name) for name in ("strength", "template", "pretrained"))
    assert not takes_setting("length", "encoder")


def test_a_judge_made_of_ours_that_hands_nothing_on_has_its_own_settings_alone(third_party):
    from ultrarm_eval.judges.ultrarm import UltraRMJudge

    class Fixed(UltraRMJudge):
        def __init__(self, pretrained):
            super().__init__(pretrained, dtype="float32")

    third_party(Fixed)
    assert takes_setting("length", "pretrained")
    assert not takes_setting("length", "dtype")
    # What the surroundings offer to every judge is not given to it.
    assert make_judge("length", {"pretrained": "demo"}, {"device": "cpu"}).settings()["dtype"]


def test_what_the_surroundings_offer_gives_way_to_the_user(checkpoint):
    judge = make_judge(
        "ultrarm",
        {"pretrained": str(checkpoint), "device": "cpu"},
        {"device": "cuda:3", "other": 1},
    )
    assert judge.settings()["device"] == "cpu"


def test_a_device_that_lm_eval_names_of_itself_is_not_in_the_way_of_other_engines(
    checkpoint, caplog
):
    given = {"pretrained": str(checkpoint), "engine": "server", "base_url": "http://127.0.0.1:9"}
    with caplog.at_level(logging.INFO):
        judge = make_judge("ultrarm", given, offered={"device": "cuda:0", "batch_size": 1})
    assert judge.settings()["engine"] == "server"
    assert "Ignoring device=cuda:0, a setting of engine=torch" in caplog.text
    with pytest.raises(
        ConfigurationError,
        match="device is a setting of engine=torch, but this run has engine=server",
    ):
        make_judge("ultrarm", {**given, "device": "cpu"})
