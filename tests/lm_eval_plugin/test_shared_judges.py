"""Judged tasks and filters may name a judge that has no weights."""

import pytest

from ultrarm_eval import plugins
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.hookspecs import hookimpl
from ultrarm_eval.judges import DEFAULT_CHECKPOINT
from ultrarm_eval.lm_eval_plugin import shared_judges
from ultrarm_eval.lm_eval_plugin.kept_answers import judge_options


class Lengths:
    """A judge without weights."""

    def __init__(self, factor=1.0):
        self.factor = factor

    def score(self, prompts, completions):
        return [self.factor * len(text) for text in completions]

    def settings(self):
        return {"factor": self.factor}

    def fingerprint(self):
        return f"length {self.factor}"


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    class Plugin:
        @hookimpl
        def register_judges(self, register):
            register("length", Lengths)

    manager = plugins.make_plugin_manager(load_entry_points=False)
    manager.register(Plugin(), name="third-party")
    found = plugins.PluginRegistry(manager)
    monkeypatch.setattr("ultrarm_eval.judges.loading.registry", lambda: found)
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
            "--kind length --judge-args factor=2",
        ),
    ],
)
def test_it_is_made_without_a_checkpoint(judge, judge_args, options):
    made = shared_judges.shared_judge(judge, judge_args)
    assert isinstance(made.judge, Lengths)
    assert made.judge.factor == 2
    assert judge_options(judge, judge_args) == options


def test_a_checkpoint_that_it_cannot_take_is_refused():
    with pytest.raises(ConfigurationError, match="'pretrained'"):
        shared_judges.shared_judge("demo", {"judge": "length"})
