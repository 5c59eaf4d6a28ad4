import logging

import pytest

from ultrarm_eval import load_judge
from ultrarm_eval.errors import CheckpointError, ConfigurationError
from ultrarm_eval.judges import loading
from ultrarm_eval.judges.loading import make_judge, takes_setting


def test_an_unknown_judge_lists_the_registered_ones():
    with pytest.raises(ConfigurationError, match="Did you mean 'ultrarm'"):
        load_judge("demo", judge="ultra-rm")


def test_an_unknown_setting_lists_the_judges_settings():
    with pytest.raises(ConfigurationError, match=r"Did you mean 'template'.*max_batch_tokens"):
        load_judge("demo", tempalte="raw")


@pytest.mark.parametrize("model_type", ["llama", "gemma2"])
def test_without_a_named_judge_the_checkpoint_decides(write_model, model_type):
    folder = str(write_model("AutoModelForSequenceClassification", model_type, num_labels=1))
    judge = load_judge(folder, device="cpu")
    named = load_judge(folder, judge="sequence-classification", device="cpu")
    assert judge.fingerprint() == named.fingerprint()
    assert judge.score(["q"], ["a"]) == named.score(["q"], ["a"])


def test_an_unnamed_judge_of_ultrarm_keeps_its_fingerprint(checkpoint):
    named = load_judge(str(checkpoint), judge="ultrarm", device="cpu")
    assert load_judge(str(checkpoint), device="cpu").fingerprint() == named.fingerprint()


def test_without_a_checkpoint_the_default_is_the_published_ultrarm(monkeypatch):
    asked = []

    def made(judge, settings):
        asked.append((judge, settings))
        raise ConfigurationError("not on the hub")

    monkeypatch.setattr(loading, "make_judge", made)
    with pytest.raises(ConfigurationError, match="not on the hub"):
        load_judge()
    assert asked == [("ultrarm", {})]
    assert loading.default_checkpoint("ultrarm") == "openbmb/UltraRM-13b"


def test_a_checkpoint_that_cannot_be_reached_has_the_error_of_its_absence():
    with pytest.raises(CheckpointError, match="no/such/folder"):
        load_judge("./no/such/folder")


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
