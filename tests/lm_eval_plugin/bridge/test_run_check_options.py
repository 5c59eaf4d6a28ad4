"""Options of a run: each works, or is refused, or is told."""

import json
import logging
from pathlib import Path

import pytest

from tests.conftest import raw_row, write_jsonl
from tests.harness_lines import needs_chosen_samples
from ultrarm_eval.errors import ConfigurationError

TASK = "ultrafeedback_pairs"


@pytest.fixture
def rows(tmp_path):
    answers = (("the sky", 5), ("no", 1))
    made = [raw_row(instruction=f"question {i}", answers=answers) for i in range(4)]
    return str(write_jsonl(tmp_path / "rows.jsonl", made))


@pytest.fixture
def evaluated(run, model_of, rows):
    """Runs our task with options, by a judge that prefers the longer answer."""

    def evaluate(tasks=(TASK,), **options):
        return run(model_of(lambda _, text: len(text)), [*tasks], {"data": rows}, **options)

    return evaluate


@pytest.fixture
def said():
    """What our loggers say, whatever handlers they have."""
    lines = []

    class Handler(logging.Handler):
        def emit(self, record):
            lines.append(record.getMessage())

    handler = Handler()
    loggers = [logging.getLogger(name) for name in ("ultrarm_eval", "lm_eval.ultrarm_eval")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        # Loggers keep what they know of their level until this is called.
        logger.setLevel(logging.INFO)
    yield lines
    for logger, level in zip(loggers, before, strict=True):
        logger.removeHandler(handler)
        logger.setLevel(level)


class TestShots:
    @pytest.mark.product
    @pytest.mark.parametrize(
        "tasks",
        [
            [TASK],
            ["ultrafeedback_by_source"],
            ["ultrafeedback_b*"],
            ["ultrafeedback"],
            ["llmbar"],
            ["preference_pairs"],
            ["ultrafeedback_judge"],
            ["gsm8k_best_of_n", TASK],
            [{"task": TASK, "task_alias": "x"}],
        ],
        ids=str,
    )
    @pytest.mark.parametrize("shots", [1, 5, -1])
    def test_are_refused_before_a_model_or_data_are_loaded(self, tasks, shots):
        from lm_eval import simple_evaluate

        with pytest.raises(
            ConfigurationError, match=rf"--num_fewshot {shots}: .* no few-shot examples"
        ):
            simple_evaluate("no-such-model", tasks=tasks, num_fewshot=shots)

    def test_are_refused_to_a_task_that_is_given_itself(self, evaluated, rows):
        from lm_eval import simple_evaluate
        from lm_eval.tasks import TaskManager

        manager = TaskManager(include_defaults=False, metadata={"data": rows})
        load = getattr(manager, "load", None)
        loaded = load([TASK])["tasks"] if load else manager.load_task_or_group([TASK])
        with pytest.raises(ConfigurationError, match=rf"{TASK} uses no few-shot examples"):
            simple_evaluate("no-such-model", tasks=[loaded[TASK]], num_fewshot=2)

    def test_are_refused_to_anyones_task_of_our_class(
        self, evaluated, run, model_of, rows, tmp_path
    ):
        import tasks

        source = next(iter(tasks.__path__))
        (tmp_path / "pairwise.py").write_text(Path(source, "pairwise.py").read_text())
        head = "class: !function pairwise.PairwiseTask\ntest_split: test\noutput_type: multiple_choice\n"
        (tmp_path / "own.yaml").write_text(f"task: own\n{head}")
        (tmp_path / "shots.yaml").write_text(f"task: shots\n{head}num_fewshot: 3\n")
        for name, options in (("own", {"num_fewshot": 2}), ("shots", {})):
            with pytest.raises(ConfigurationError, match=f"{name} uses no few-shot examples"):
                run(
                    model_of(lambda *_: 0),
                    [name],
                    {"data": rows},
                    include_path=str(tmp_path),
                    **options,
                )

    @pytest.mark.parametrize("key", ["description", "doc_to_text", "gen_prefix"])
    def test_keys_of_a_yaml_that_our_class_does_not_read_are_refused(self, rows, key):
        from ultrarm_eval.lm_eval_plugin.comparison_task import ComparisonTask

        config = {"task": "own", "test_split": "test", "output_type": "multiple_choice"}
        with pytest.raises(ConfigurationError, match=f"own: its YAML has the key {key}, which"):
            ComparisonTask({**config, "metadata": {"data": rows}, key: "{{prompt}}"})

    def test_none_are_fine(self, evaluated):
        assert evaluated(num_fewshot=0)["results"][TASK]["acc,none"] == 1.0

    def test_others_tasks_keep_them(self):
        from lm_eval.tasks import TaskManager

        from ultrarm_eval.lm_eval_plugin.bridge.task_index import tasks_without_shots

        manager = TaskManager(include_defaults=False)
        others = ["hellaswag", "gsm8k_best_of_n", "no_such_*"]
        assert tasks_without_shots(manager, others) == []
        assert tasks_without_shots(manager, [*others, TASK]) == [TASK]


class TestTexts:
    def test_a_named_chat_template_is_refused(self, evaluated):
        with pytest.raises(
            ConfigurationError, match="--apply_chat_template tool_use.*template=NAME"
        ):
            evaluated(apply_chat_template="tool_use")

    def test_a_chat_template_that_a_judge_does_not_apply_is_told(self, evaluated, said):
        evaluated(apply_chat_template=True)
        assert any("--apply_chat_template has no effect on" in line for line in said)
        said.clear()
        evaluated()
        assert not any("--apply_chat_template" in line for line in said)

    def test_arguments_of_a_generation_that_is_none_are_told(self, evaluated, said):
        evaluated(gen_kwargs="temperature=0.5")
        assert any("--gen_kwargs has no effect" in line for line in said)


class TestDocuments:
    @pytest.mark.parametrize(
        ("samples", "shown"),
        [
            ([4], "[4]"),
            ([-1, 0], "[-1, 0]"),
            ([2, 1], "[2, 1]"),
            ([1, 1], "[1, 1]"),
            ([], "[]"),
            (["1"], "['1']"),
            ([True], "[True]"),
            ([0.5], "[0.5]"),
        ],
    )
    def test_samples_that_are_no_choice_are_refused(self, evaluated, samples, shown):
        with pytest.raises(ConfigurationError) as raised:
            evaluated(samples={TASK: samples}, log_samples=False)
        assert f"{TASK}: --samples is {shown}. Give at least one whole number from 0 to 3" in str(
            raised.value
        )

    @needs_chosen_samples
    def test_samples_are_those_that_are_named(self, evaluated):
        samples = evaluated(samples={TASK: [1, 3]})["samples"][TASK]
        assert [(s["doc_id"], s["doc"]["row"]) for s in samples] == [(1, 1), (3, 3)]

    def test_a_task_that_samples_leave_out_is_told(self, evaluated, said):
        evaluated(samples={"other": [1]})
        assert f"{TASK}: not in --samples, so all its documents are used." in said

    @pytest.mark.parametrize("limit", [0, -2, 0.0, -0.5])
    def test_a_limit_that_leaves_nothing_is_refused(self, evaluated, limit):
        with pytest.raises(ConfigurationError, match=f"{TASK}: --limit selects"):
            evaluated(limit=limit)

    @pytest.mark.parametrize(
        ("limit", "documents"), [(1, 1), (3.0, 3), (0.5, 2), (0.01, 1), (99, 4)]
    )
    def test_a_limit_is_a_number_or_a_share(self, evaluated, limit, documents):
        assert len(evaluated(limit=limit)["samples"][TASK]) == documents

    def test_answers_alone_and_their_prompts_shown(self, evaluated, said):
        results = evaluated(predict_only=True, write_out=True, cache_requests=True)
        (sample, *_) = results["samples"][TASK]
        assert [r[0] for r in sample["filtered_resps"]] == [7.0, 2.0]
        assert f"{TASK}: --cache_requests has no effect on this task." in said


class TestDevice:
    def test_the_one_that_was_used_is_recorded(self, run, checkpoint, rows):
        config = run(
            "ultrarm",
            [TASK],
            {"data": rows},
            model_args={"pretrained": str(checkpoint)},
            device="cuda:0",
        )["config"]
        found = {name: config.get(name) for name in ("device", "device_used", "device_requested")}
        assert found == {"device": "cpu", "device_used": "cpu", "device_requested": "cuda:0"}
        json.dumps(found)

    def test_a_judge_that_does_not_say_where_is_not_said_to_be_where_it_was_asked(self, evaluated):
        config = evaluated(device="cuda:0")["config"]
        assert (config["device"], config["device_requested"]) == (None, "cuda:0")

    def test_it_is_that_of_a_language_model_as_well(self, run, writer, scripted, rows):
        import torch

        scripted(lambda _, text: 1.0)
        model = writer(lambda prompt, _: prompt)
        type(model).device = torch.device("cpu")
        metadata = {"data": rows, "reference": "best"}
        config = run(model, ["ultrafeedback_judge"], metadata, device="cuda:0")["config"]
        assert config["device"] == "cpu"

    @pytest.mark.skipif("__import__('torch').cuda.is_available()")
    @pytest.mark.parametrize("asked", [None, "cuda:0"])
    def test_that_there_is_no_gpu_is_said_to_who_asked_for_one(self, checkpoint, asked, said):
        import argparse

        from lm_eval.config.evaluate_config import EvaluatorConfig

        from ultrarm_eval.lm_eval_plugin.reward_lm import RewardModelLM

        namespace = argparse.Namespace(
            model="ultrarm", model_args={"pretrained": "demo"}, tasks=[TASK], device=asked
        )
        device = EvaluatorConfig.from_cli(namespace).device
        assert device == asked
        RewardModelLM(pretrained=str(checkpoint), device=device)
        assert any("No CUDA device" in line for line in said) is (asked is not None)

    @pytest.mark.parametrize(
        ("model", "written", "device"),
        [
            ("hf", "", "cuda:0"),
            ("reward-model", "", None),
            ("reward-model", "device: cpu", "cpu"),
            ("reward-model", "device: cuda:0", "cuda:0"),
        ],
    )
    def test_a_file_of_settings_is_read_as_well(self, tmp_path, model, written, device, capsys):
        import argparse

        from lm_eval.config.evaluate_config import EvaluatorConfig

        path = tmp_path / "run.yaml"
        path.write_text(f"model: {model}\ntasks: [{TASK}]\n{written}\n")
        assert EvaluatorConfig.from_cli(argparse.Namespace(config=str(path))).device == device
