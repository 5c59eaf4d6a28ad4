"""The figures of lighteval are those of lm-eval: the same prompts, chat model and judge."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ultrarm_eval.lighteval import judged_task

pytest.importorskip("lighteval")

TASK, ALPACA = "ultrafeedback_judge", "alpaca_eval_ultrarm"
FIGURES = ("reward", "win_rate", "win_rate_length_controlled", "response_length", "empty")
ERRORS = ("reward", "win_rate", "response_length")
LIMIT, TOKENS = 16, 16
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant] {% endif %}"
)


@pytest.fixture(scope="module")
def chat_model(tmp_path_factory):
    """A tiny chat model with random weights, whose answers differ between prompts."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("chat")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>", "</s>", "<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["the sky is blue and one two words question answer"], trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(fast),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=2048,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )
    model = LlamaForCausalLM(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3.0)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def references(tmp_path_factory):
    """Prompts of the demo with an answer each, in AlpacaEval's form."""
    from ultrarm_eval import demo

    path = Path(demo.__file__).parent / "ultrafeedback_demo.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    written = [
        {"instruction": row["instruction"], "output": row["completions"][0]["response"]}
        for row in rows
    ]
    path = tmp_path_factory.mktemp("alpaca") / "reference.json"
    path.write_text(json.dumps(written))
    return str(path)


def settings_of(task, references):
    if task == ALPACA:
        return {"judge": "demo", "reference": references}
    return {"judge": "demo", "data": "demo", "reference": "best"}


def by_lm_eval(task, chat_model, settings):
    """Its figures, and the answers by row."""
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    found = simple_evaluate(
        model="hf",
        model_args={"pretrained": str(chat_model), "dtype": "float32"},
        tasks=[task],
        task_manager=TaskManager(include_defaults=False, metadata=settings),
        device="cpu",
        batch_size=1,
        limit=LIMIT,
        apply_chat_template=True,
        gen_kwargs={"max_gen_toks": TOKENS},
        bootstrap_iters=100,
        log_samples=True,
    )
    answers = {one["doc"]["row"]: one["resps"][0][0] for one in found["samples"][task]}
    return found["results"][task], answers


@pytest.mark.parametrize("task", [TASK, ALPACA])
def test_the_figures_are_those_of_lm_eval(run, task, chat_model, references, tmp_path, monkeypatch):
    from lighteval.models.transformers.transformers_model import (
        TransformersModel,
        TransformersModelConfig,
    )

    monkeypatch.setattr("lm_eval.evaluator.add_env_info", lambda results: None)
    settings = settings_of(task, references)
    theirs, texts = by_lm_eval(task, chat_model, settings)
    model = TransformersModel(
        TransformersModelConfig(
            model_name=str(chat_model),
            dtype="float32",
            batch_size=1,
            add_special_tokens=False,
            cache_dir=str(tmp_path),
        )
    )
    config = judged_task(task, limit=LIMIT, generation_size=TOKENS, **settings)
    done = run(model, [config])
    details = done.get_details()[f"{task}|0"]
    answers = {
        json.loads(d.doc.specific["document"])["row"]: d.model_response.text[0] for d in details
    }
    # The models write the same, so that nothing but the judging can differ.
    assert answers == texts
    assert len(set(answers.values())) > LIMIT / 2
    ours = done.evaluation_tracker.results["results"][f"{task}|0"]
    for name in FIGURES:
        assert ours[name] == pytest.approx(theirs[f"{name},none"], abs=1e-9), name
    assert 0 < ours["win_rate"] < 1
    for name in ERRORS:
        assert ours[f"{name}_stderr"] == pytest.approx(theirs[f"{name}_stderr,none"], abs=1e-9), (
            name
        )


@pytest.mark.slow
def test_the_command_line_writes_judges_and_judges_again(chat_model, tmp_path):
    def lighteval(*arguments, judge_args):
        settings = {
            "judge": "demo",
            "judge_args": judge_args,
            "data": "demo",
            "reference": "best",
            "limit": 8,
            "generation_size": 8,
        }
        command = Path(sys.executable).with_name("lighteval")
        environment = {**os.environ, "ULTRARM_EVAL_METADATA": json.dumps(settings)}
        done = subprocess.run(
            [command, *arguments, "--custom-tasks", "ultrarm_eval.lighteval", "--save-details"],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    model = f"model_name={chat_model},dtype=float32,cache_dir={tmp_path / 'kept'}"
    shown = lighteval("accelerate", model, TASK, "--output-dir", "first", judge_args={})
    assert "|reward" in shown.replace(" ", "")
    assert "|win_rate|" in shown.replace(" ", "")
    found = subprocess.run(
        [sys.executable, "-m", "ultrarm_eval.lighteval.saved_answers"],
        capture_output=True,
        text=True,
        check=True,
    )
    again = ("custom", "first/details", found.stdout.strip(), TASK, "--output-dir", "second")
    lighteval(*again, judge_args={"max_length": 512})
    (first,) = (tmp_path / "first").rglob("results_*.json")
    (second,) = (tmp_path / "second").rglob("results_*.json")
    one, other = (json.loads(path.read_text()) for path in (first, second))
    task = f"{TASK}|0"
    assert one["results"][task]["reward"] == pytest.approx(
        other["results"][task]["reward"], abs=1e-5
    )
    judges = [each["config_tasks"][task]["judging"]["judge_used"] for each in (one, other)]
    assert [judge["max_length"] for judge in judges] == [1024, 512]
