"""The type of reward model in the example of docs/plugins-judges.md, found by `judge=auto`."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.reward_models.as_published import TEXTS, equal, judge_of
from tests.reward_models.tiny import llama3
from tests.reward_models.tiny.heads import dense, random_dense
from tests.reward_models.tiny.weights import (
    below,
    hidden_states,
    random_body,
    read_config,
    read_weights,
    with_prefix,
    write_config,
    write_weights,
)
from ultrarm_eval.cli.judge_options import add_judge_options, chosen_judge
from ultrarm_eval.errors import CheckpointError
from ultrarm_eval.hookspecs import hookimpl
from ultrarm_eval.judges.auto import recognise
from ultrarm_eval.judges.inspection import inspect_checkpoint
from ultrarm_eval.plugins import PluginRegistry, make_plugin_manager

EXAMPLE = Path(__file__).parents[1] / "fixtures" / "example_plugin"
PROMPTS, COMPLETIONS = map(list, zip(*TEXTS, strict=True))
ASKING = (
    "checkpoints.known_kinds",
    "judges.advice",
    "judges.loading",
    "judges.inspection",
)


def register(monkeypatch: pytest.MonkeyPatch, plugin: Any) -> None:
    manager = make_plugin_manager(load_entry_points=False)
    manager.register(plugin, name="example")
    found = PluginRegistry(manager)
    for module in ASKING:
        monkeypatch.setattr(f"ultrarm_eval.{module}.registry", lambda: found)


@pytest.fixture
def _example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLE)
    from ultrarm_eval_example import plugin

    register(monkeypatch, plugin)


def built(folder: Path, *, heads: tuple[str, ...] = ("helpful", "harmful")) -> Path:
    config = {"architectures": ["ExampleForTwoScores"], **llama3.body_config()}
    write_config(folder, config)
    llama3.write_llama3_tokenizer(folder, pad_token="<|eot_id|>")
    generator = torch.Generator().manual_seed(0)
    tensors = with_prefix("model.", random_body(config, generator))
    for head in heads:
        tensors |= random_dense(generator, f"{head}_head", 16, 1, bias=False, scale=3)
    write_weights(folder, tensors)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("two-scores"))


def scores(folder: Path, ids: list[int]) -> list[float]:
    tensors = read_weights(folder)
    states = hidden_states(read_config(folder), below("model.", tensors), ids)
    return [float(dense(tensors, f"{one}_head", states[-1])) for one in ("helpful", "harmful")]


@pytest.mark.usefixtures("_example")
def test_auto_finds_it_and_says_how_it_reads(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        judge = judge_of(folder)
    assert "is the example's model of two scores (judge=two-scores)" in caplog.text
    found = dict(judge.judgements(PROMPTS, COMPLETIONS))
    for number, text in enumerate(TEXTS):
        helpful, harmful = scores(folder, list(judge.encoded(*text)))
        assert found[number].reward == equal(helpful - harmful)
        objectives = found[number].extra["objectives"]
        assert objectives == pytest.approx({"helpful": helpful, "harmful": harmful}, abs=1e-5)


@pytest.mark.usefixtures("_example")
def test_commands_look_into_it_as_into_ours(folder: Path) -> None:
    found = inspect_checkpoint(str(folder), device="cpu")
    assert (found["judge"], found["kind"]) == ("two-scores", "the example's model of two scores")
    assert found["head"] == {"helpful_head.weight": [1, 16], "harmful_head.weight": [1, 16]}
    command = argparse.ArgumentParser()
    add_judge_options(command, ("device",))
    options = command.parse_args(["--pretrained", str(folder), "--device", "cpu"])
    plan, _ = chosen_judge(options).make_batched().plan(PROMPTS, COMPLETIONS)
    assert plan.texts == len(TEXTS)


@pytest.mark.usefixtures("_example")
def test_a_head_that_it_lacks_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"lack 'harmful_head\.weight'.*example's model"):
        recognise(str(built(tmp_path / "checkpoint", heads=("helpful",))))


def test_two_judges_that_recognise_one_checkpoint_are_both_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(EXAMPLE)
    from ultrarm_eval_example import plugin

    class Both:
        @hookimpl
        def register_judges(self, register: Any) -> None:
            plugin.register_judges(register)
            register("a-second", "ultrarm_eval_example.two_scores:TwoScoresJudge")

    register(monkeypatch, Both())
    with pytest.raises(CheckpointError, match="several judges.*two-scores, a-second"):
        recognise(str(folder))


def test_without_the_package_nothing_reads_it(folder: Path) -> None:
    with pytest.raises(CheckpointError, match="does not recognize.*ExampleForTwoScores"):
        recognise(str(folder))


def test_a_kind_that_fails_is_left_out_by_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.syspath_prepend(EXAMPLE)
    from ultrarm_eval_example.two_scores import TwoScoresJudge, TwoScoresModel

    class Failing(TwoScoresModel):
        def recognises(self, survey: Any) -> bool:
            raise KeyError("no_such_field")

    class Plugin:
        @hookimpl
        def register_judges(self, register: Any) -> None:
            register("two-scores", TwoScoresJudge)
            register("failing", type("Judge", (TwoScoresJudge,), {"architecture": Failing()}))

    register(monkeypatch, Plugin())
    with caplog.at_level(logging.WARNING):
        assert recognise(str(folder)) == "two-scores"
    assert "Skipping judge=failing for judge=auto: recognises()" in caplog.text
