"""What tells models and tasks apart; see also test_what_counts.py and test_parts_and_groups.py."""

import pytest

from ultrarm_eval.results.identity import distinguishing, model_settings, task_settings
from ultrarm_eval.results.run import Run


def run_of(config=None, **results):
    return Run("results.json", "", {"results": {}, "config": config or {}, **results})


JUDGE = {"judge": "ultrarm", "pretrained": "demo", "template": "raw", "max_length": 1024}


@pytest.mark.parametrize(
    "changed",
    [{"template": "chat"}, {"dtype": "bfloat16"}, {"revision": "x"}, {"model_sha": "1"}],
)
def test_rewards_depend_on_these_settings_of_a_judge(changed):
    assert model_settings(run_of(JUDGE)) != model_settings(run_of(JUDGE | changed))


@pytest.mark.parametrize(
    "changed", [{"batch_size": 8}, {"device_used": "cuda:0"}, {"limit": 3}, {"revision": None}]
)
def test_and_not_on_those(changed):
    assert model_settings(run_of(JUDGE)) == model_settings(run_of(JUDGE | changed))


def test_a_judge_reads_the_system_instruction_as_a_language_model_does():
    for config in (JUDGE, {"model": "hf"}):
        instructed = run_of(config, system_instruction_sha="a")
        assert model_settings(instructed) != model_settings(run_of(config))
        assert model_settings(instructed) != model_settings(
            run_of(config, system_instruction_sha="b")
        )


@pytest.mark.parametrize(
    "arguments",
    [
        {"pretrained": "org/m", "dtype": "float16", "batch_size": "8", "empty": ""},
        "pretrained=org/m,dtype=float16,batch_size=8,empty=",
        " pretrained=org/m, dtype=float16,",
    ],
)
def test_arguments_of_a_model_as_text_and_as_a_mapping(arguments):
    run = run_of({"model": "hf", "model_args": arguments}, chat_template_sha="abc")
    found = {"model": "hf", "dtype": "float16", "chat_template": "abc"}
    assert model_settings(run) == found


@pytest.mark.parametrize("arguments", [None, 3, [], ""])
def test_arguments_that_are_none(arguments):
    assert model_settings(run_of({"model": "hf", "model_args": arguments})) == {"model": "hf"}


def test_a_value_of_an_argument_may_have_an_equals_sign():
    run = run_of({"model": "x", "model_args": "base_url=http://h/?a=b"})
    assert model_settings(run)["base_url"] == "http://h/?a=b"


def test_what_a_tasks_figures_depend_on():
    metadata = {
        "version": 1.0,
        "ties": "half",
        "min_gap": 0.5,
        "counts": {"rows": 3},
        "judge_used": {"pretrained": "demo", "template": "raw", "batch_size": 8},
    }
    run = run_of(configs={"t": {"metadata": metadata}}, **{"n-shot": {"t": 5, "u": 0}})
    assert task_settings(run, "t") == {
        "version": 1.0,
        "ties": "half",
        "min_gap": 0.5,
        "judge": "demo",
        "judge_template": "raw",
        "num_fewshot": 5,
    }
    assert task_settings(run, "u") == {}


def test_labels_are_short_and_say_what_is_missing():
    sha = "0123456789" * 4
    assert distinguishing([("m", {"sha": sha}), ("m", {})]) == [
        "m (sha=012345678901…23456789)",
        "m (sha=none)",
    ]


def test_things_that_differ_in_nothing_are_numbered():
    named = [("m", {"a": 1}), ("m", {"a": 2}), ("m", {"a": 1})]
    assert distinguishing(named) == ["m (a=1) [1]", "m (a=2)", "m (a=1) [2]"]
