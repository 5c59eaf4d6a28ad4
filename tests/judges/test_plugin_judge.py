"""Judges of other packages that are none, or give no rewards, are named at once."""

import re
from fractions import Fraction

import numpy as np
import pytest
import torch

from ultrarm_eval import load_judge, plugins
from ultrarm_eval.errors import ConfigurationError, PluginError, RewardError, ScoringError
from ultrarm_eval.hookspecs import hookimpl
from ultrarm_eval.judges.base import Judgement, judge_name, statement
from ultrarm_eval.judges.judgements import judgement_stream, judgements_of
from ultrarm_eval.judges.loading import default_checkpoint, make_judge
from ultrarm_eval.judges.ultrarm import UltraRMJudge

WHO = re.escape("Judge 'mine' (plugin 'third-party')")
PROMPTS, TEXTS = ["a"] * 4, ["one", "two", "three", "four"]


def checked_scores(judge, prompts, texts):
    return [judgement.value for judgement in judgements_of(judge, prompts, texts)]


def checked_stream(judge, prompts, texts):
    for index, judgement in judgement_stream(judge, prompts, texts):
        yield index, judgement.value


class Whole:
    """A judge as it should be."""

    def score(self, prompts, completions):
        return [float(len(text)) for text in completions]

    def settings(self):
        return {"size": 1, "counts": {"texts": 3}}

    def fingerprint(self):
        return "whole"


@pytest.fixture
def registered(monkeypatch):
    """Registers a factory as `mine`."""

    def register_as_mine(factory):
        class Plugin:
            @hookimpl
            def register_judges(self, register):
                register("mine", factory)

        manager = plugins.make_plugin_manager(load_entry_points=False)
        manager.register(Plugin(), name="third-party")
        found = plugins.PluginRegistry(manager)
        monkeypatch.setattr("ultrarm_eval.judges.loading.registry", lambda: found)
        return found

    return register_as_mine


def judge_with(**methods):
    return type("Mine", (Whole,), methods)


def fails(self, *_):
    raise RuntimeError("out of order")


@pytest.mark.few(7)
@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ({"settings": None}, r"Mine has no method settings\(\)"),
        ({"fingerprint": "abc"}, r"no method fingerprint\(\)"),
        ({"score": None, "settings": 1}, r"no method score\(.*; and no settings\("),
        ({"score_stream": 5}, "score_stream is not a method"),
        ({"settings": fails}, r"settings\(\) failed: RuntimeError: out of order"),
        ({"settings": lambda _: None}, r"settings\(\) returned a value of type NoneType"),
        ({"settings": lambda _: {1: 2}}, "a mapping from names"),
        ({"settings": lambda _: {"a": {1, 2}}}, r"returned a=\{1, 2\}, which is not a JSON value"),
        ({"settings": lambda _: {"a": torch.float32}}, "a=torch.float32, which is not a JSON"),
        ({"settings": lambda _: {"counts": [1]}}, r"counts=\[1\]"),
        ({"settings": lambda _: {"counts": {"texts": "3"}}}, "from names to numbers"),
        (
            {"settings": lambda _: {"scoring_seconds": "3"}},
            "scoring_seconds='3', which is not a number",
        ),
        ({"fingerprint": fails}, r"fingerprint\(\) failed: RuntimeError"),
        ({"fingerprint": lambda _: 3}, r"fingerprint\(\) returned 3"),
        ({"fingerprint": lambda _: ""}, r"fingerprint\(\) returned ''"),
        ({"fingerprint": lambda _: None}, r"fingerprint\(\) returned None"),
        ({"identifies": fails}, r"identifies\(\) failed: RuntimeError"),
        ({"identifies": lambda _: [1]}, r"identifies\(\) returned a value of type list"),
        (
            {"describes": lambda _: {"a": {1}}},
            r"describes\(\) returned a=\{1\}, which is not a JSON value",
        ),
        ({"__init__": fails}, "cannot be made: RuntimeError: out of order"),
        ({"__init__": lambda self, needed: None}, "cannot be made: TypeError: .*needed"),
    ],
)
def test_what_is_no_judge_is_refused_when_it_is_made(registered, methods, message):
    registered(judge_with(**methods))
    with pytest.raises(PluginError, match=f"^{WHO}.*{message}"):
        make_judge("mine", {})


def test_a_factory_that_makes_nothing_is_refused(registered):
    registered(lambda: None)
    with pytest.raises(PluginError, match="NoneType has no method score"):
        make_judge("mine", {})


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("no_such_module_here:Judge", "ModuleNotFoundError: No module named"),
        ("json:NoSuchJudge", "AttributeError"),
        ("json:decoder.JSONDecoder.none", "AttributeError"),
        (
            "ultrarm_eval:__version__",
            "'ultrarm_eval:__version__' is a str; a factory must be callable",
        ),
    ],
)
def test_a_path_that_leads_to_no_factory_is_named(registered, path, message):
    found = registered(path)
    with pytest.raises(PluginError, match=f"^{WHO}.*{message}"):
        load_judge(judge="mine")
    with pytest.raises(PluginError, match=message):
        found.judge("mine")


def test_an_own_error_of_a_judge_keeps_its_words(registered):
    def refuses(self):
        raise ConfigurationError("penalty=-1: at least 0.")

    registered(judge_with(__init__=refuses))
    with pytest.raises(ConfigurationError, match="^penalty=-1: at least 0"):
        make_judge("mine", {})


@pytest.mark.few(6)
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([1.0, 2.0, 3.0], "returned 3 rewards for 4 answers"),
        ([1.0] * 5, "returned 5 rewards for 4 answers"),
        ([], "returned 0 rewards"),
        (None, "type NoneType"),
        ((float(i) for i in range(4)), "type generator"),
        ("1234", "type str"),
        ({0: 1.0, 1: 1.0, 2: 1.0, 3: 1.0}, "type dict"),
        (1.0, "type float"),
        ([1.0, None, 2.0, 3.0], "completion 1 None of type NoneType"),
        ([1.0, 2.0, "3", 3.0], "completion 2 '3' of type str"),
        ([1.0, True, 2.0, 3.0], "completion 1 True"),
        ([1.0, 2j, 2.0, 3.0], "completion 1 2j"),
        ([1.0, [2.0, 1.0], 2.0, 3.0], "completion 1 .* of type list"),
        (torch.ones(4, 2), "completion 0 .*of type Tensor"),
        ([1.0, float("nan"), 2.0, 3.0], "completion 1 the reward nan"),
        ([1.0, 2.0, 3.0, float("-inf")], "completion 3 the reward -inf"),
        ([1.0, np.float32("inf"), 2.0, 3.0], "completion 1 the reward inf"),
        ([1.0, 10**400, 2.0, 3.0], "completion 1 the reward inf"),
    ],
)
def test_what_is_no_list_of_rewards_is_named(registered, given, message):
    registered(judge_with(score=lambda *_: given))
    judge = make_judge("mine", {})
    with pytest.raises(ScoringError, match=f"^{WHO}.*{message}"):
        checked_scores(judge, PROMPTS, TEXTS)


def test_what_is_sound_is_not_lost_with_what_is_not(registered):
    registered(judge_with(score=lambda *_: [1.0, float("nan"), 2, None]))
    judge = make_judge("mine", {})
    with pytest.raises(RewardError) as caught:
        checked_scores(judge, PROMPTS, TEXTS)
    assert caught.value.completion == 1
    assert caught.value.judgements == {0: Judgement(1.0), 2: Judgement(2.0)}
    got = []
    with pytest.raises(ScoringError, match="completion 3 None"):
        got.extend(checked_stream(judge, PROMPTS, TEXTS))
    assert got[:2] == [(0, 1.0), (2, 2.0)]


@pytest.mark.parametrize(
    "given",
    [
        [3, 3, 5, 4],
        (3.0, 3.0, 5.0, 4.0),
        np.array([3, 3, 5, 4], dtype=np.float32),
        torch.tensor([3.0, 3.0, 5.0, 4.0], dtype=torch.bfloat16),
        torch.tensor([[3.0], [3.0], [5.0], [4.0]]),
        [Fraction(3), np.float64(3), torch.tensor(5.0), np.int64(4)],
    ],
)
def test_numbers_of_any_kind_are_rewards(registered, given):
    registered(judge_with(score=lambda *_: given))
    judge = make_judge("mine", {})
    rewards = checked_scores(judge, PROMPTS, TEXTS)
    assert rewards == [3.0, 3.0, 5.0, 4.0]
    assert all(isinstance(reward, float) for reward in rewards)
    assert sorted(checked_stream(judge, PROMPTS, TEXTS)) == list(enumerate(rewards))


@pytest.mark.few(4)
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([(0, 1.0), (0, 2.0)], "completion 0 two rewards"),
        ([(4, 1.0)], "for completion 4 of 4"),
        ([(-1, 1.0)], "for completion -1 of 4"),
        ([(0, 1.0), (1, 1.0)], "no reward to 2 of 4 completions, the first of them completion 2"),
        ([], "no reward to 4 of 4"),
        ([1.0, 2.0], r"yielded 1\.0; it must yield the index"),
        ([(0.0, 1.0)], r"yielded \(0\.0, 1\.0\)"),
        ([("0", 1.0)], "the index"),
        ([(0, 1.0, 2.0)], "the index"),
        ([(0, "1")], "completion 0 '1' of type str"),
        (None, r"score_stream\(\) failed: TypeError"),
    ],
)
def test_a_stream_that_is_none_is_named(registered, given, message):
    registered(judge_with(score_stream=lambda *_: given))
    with pytest.raises(ScoringError, match=f"^{WHO}.*{message}"):
        list(checked_stream(make_judge("mine", {}), PROMPTS, TEXTS))


def test_a_stream_may_come_in_any_order_and_in_numpy(registered):
    registered(judge_with(score_stream=lambda *_: ((np.int64(i), i) for i in (2, 0, 3, 1))))
    given = list(checked_stream(make_judge("mine", {}), PROMPTS, TEXTS))
    assert given == [(2, 2.0), (0, 0.0), (3, 3.0), (1, 1.0)]


@pytest.mark.parametrize("method", ["score", "score_stream"])
def test_what_another_packages_judge_raises_is_called_by_its_name(registered, method):
    def stream(self, prompts, completions):
        yield 0, 1.0
        raise KeyError("token")

    registered(judge_with(**{method: fails if method == "score" else stream}))
    judge = make_judge("mine", {})
    got = []
    with pytest.raises(ScoringError, match=rf"^{WHO}: {method}\(\) failed: "):
        got.extend(checked_stream(judge, PROMPTS, TEXTS))
    assert got == ([] if method == "score" else [(0, 1.0)])


def test_settings_that_fail_at_the_end_lose_no_run(registered, caplog):
    registered(Whole)
    judge = make_judge("mine", {})
    judge.judge.settings = lambda: 1 / 0
    assert judge.settings() == Whole().settings()
    assert "ZeroDivisionError" in caplog.text
    assert "third-party" in caplog.text


def test_a_model_of_the_harness_reports_a_judge_that_fails_at_the_end(registered, caplog):
    from ultrarm_eval.lm_eval_plugin.reward_lm import RewardModelLM

    registered(judge_with(__init__=lambda self, size=1: None))
    model = RewardModelLM.of_judge(make_judge("mine", {}), "mine")
    whole = model.get_model_info()
    assert whole["judge_parameters"] == ["size"]
    made = type(model.judge.judge)
    made.settings = made.fingerprint = fails
    assert model.get_model_info() == whole
    assert "The results contain the value it returned when it was made." in caplog.text


def test_what_it_states_and_cannot_state_at_the_end_loses_no_run(registered, caplog):
    said = {"identifies": lambda _: {"size": 1}, "describes": lambda _: {"speed": 2}}
    registered(judge_with(**said))
    judge = make_judge("mine", {})
    whole = statement(judge)
    type(judge.judge).identifies = fails
    type(judge.judge).describes = lambda _: {"speed": torch.float32}
    assert statement(judge) == whole
    assert "identifies() failed" in caplog.text
    assert "speed=torch.float32, which is not a JSON value" in caplog.text


@pytest.mark.parametrize("method", ["score", "score_stream"])
def test_what_a_judge_replaces_of_one_of_ours_is_asked(registered, checkpoint, method):
    class Twice(UltraRMJudge):
        def __init__(self, pretrained=None, strength=2, **settings):
            super().__init__(pretrained, **settings)
            self.strength = strength

        def settings(self):
            return {**super().settings(), "strength": self.strength}

    def score(self, prompts, completions):
        return [self.strength * r for r in super(Twice, self).score(prompts, completions)]

    def score_stream(self, prompts, completions):
        for index, reward in super(Twice, self).score_stream(prompts, completions):
            yield index, self.strength * reward

    setattr(Twice, method, {"score": score, "score_stream": score_stream}[method])
    registered(Twice)
    ours = UltraRMJudge(str(checkpoint)).score(PROMPTS, TEXTS)
    judge = make_judge("mine", {"pretrained": str(checkpoint), "strength": 3})
    assert checked_scores(judge, PROMPTS, TEXTS) == [3 * reward for reward in ours]
    assert judge.judge.score(PROMPTS, TEXTS) == [3 * reward for reward in ours]
    assert dict(checked_stream(judge, PROMPTS, TEXTS)) == {i: 3 * r for i, r in enumerate(ours)}
    assert statement(judge)["judge_identifies"]["strength"] == 3
    assert "strength" not in statement(judge)["judge_describes"]
    assert "dtype" in statement(judge)["judge_identifies"]


def test_a_judge_without_weights_is_given_no_checkpoint(registered):
    registered(Whole)
    assert default_checkpoint("mine") is None
    assert default_checkpoint("ultrarm") == "openbmb/UltraRM-13b"
    from ultrarm_eval.lm_eval_plugin.reward_lm import RewardModelLM

    lm = RewardModelLM(judge="mine")
    assert (lm.pretrained, lm.judge_name) == ("mine", "mine")
    with pytest.raises(ConfigurationError, match="'pretrained'"):
        make_judge("mine", {"pretrained": "x"})


class TestWhatItSaysOfItself:
    def test_its_parameters_identify_it(self, registered):
        methods = {
            "__init__": lambda self, strength=1: None,
            "settings": lambda _: {"strength": 1, "calls": 3, "template": "raw", "device": "cpu"},
        }
        registered(judge_with(**methods))
        judge = make_judge("mine", {})
        assert statement(judge) == {
            "judge_parameters": ["strength"],
            "judge_identifies": {"strength": 1, "template": "raw"},
            "judge_describes": {"calls": 3, "device": "cpu"},
        }

    def test_or_it_says_so(self, registered):
        said = {"identifies": lambda _: {"size": 1}, "describes": lambda _: {"speed": 2}}
        registered(judge_with(**said))
        found = statement(make_judge("mine", {}))
        assert (found["judge_identifies"], found["judge_describes"]) == ({"size": 1}, {"speed": 2})

    def test_what_it_has_beside_is_its_own(self, registered):
        registered(judge_with(tokenizer="its tokenizer", may_abstain=True))
        judge = make_judge("mine", {})
        assert (judge.tokenizer, judge.may_abstain) == ("its tokenizer", True)
        assert judge_name(judge) == "Mine"
        with pytest.raises(AttributeError):
            _ = judge.name

    def test_a_user_gets_the_judge_that_the_package_made(self, registered):
        registered(Whole)
        assert type(load_judge(judge="mine")) is Whole
