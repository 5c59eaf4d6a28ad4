"""Prompts that a judge's template rejects are named by file and line, before any is scored."""

import logging

import pytest

from tests.chatml import USER_AND_ASSISTANT_IN_TURN, WITHOUT_REASONING, chatml_tokenizer
from tests.conftest import write_jsonl
from tests.judges.conftest import chat_tokenizer, write_model  # noqa: F401
from ultrarm_eval.cli import main
from ultrarm_eval.errors import UnwritableTextError

AUTO = "AutoModelForSequenceClassification"
TURNS = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "q"}]


@pytest.fixture
def folder(write_model):  # noqa: F811
    tokenizer = chatml_tokenizer(USER_AND_ASSISTANT_IN_TURN)
    return str(write_model(AUTO, "qwen2", tokenizer=tokenizer, num_labels=1, pad_token_id=256))


@pytest.fixture
def pairs(tmp_path):
    rows = [{"prompt": f"p{i}", "chosen": "yes", "rejected": "no"} for i in range(300)]
    return str(write_jsonl(tmp_path / "pairs.jsonl", [*rows, {**rows[0], "prompt": TURNS}]))


def test_by_the_tasks(run, folder, pairs):
    with pytest.raises(
        UnwritableTextError,
        match=r"Document 300 of preference_pairs \(.*pairs\.jsonl, line 301\): its turns are "
        r"system, user, .*System role not supported.*system=fold",
    ):
        run(
            "reward-model",
            ["preference_pairs"],
            {"data": pairs},
            model_args={"pretrained": folder},
        )


def test_by_judged_tasks_before_the_model_writes(run, writer, folder, tmp_path):
    data = str(write_jsonl(tmp_path / "prompts.jsonl", [{"prompt": "p"}, {"prompt": TURNS}]))
    model = writer(lambda *_: "an answer")
    with pytest.raises(
        UnwritableTextError,
        match=r"^Document 1 \(.*prompts\.jsonl, line 2\): its turns are system, user",
    ):
        run(model, ["ultrafeedback_judge"], {"data": data, "reference": "none", "judge": folder})
    assert not model.requests


def test_by_the_tasks_with_a_way_out(run, folder, pairs):
    results = run(
        "reward-model",
        ["preference_pairs"],
        {"data": pairs},
        model_args={"pretrained": folder, "system": "drop"},
    )
    assert results["config"]["system"] == "drop"
    assert results["config"]["judge_counts"]["system_dropped"] == 2


@pytest.mark.slow
def test_by_score(folder, pairs, capsys):
    command = ["score", pairs, "--pretrained", folder, "--judge", "sequence-classification"]
    assert main(command) == 2
    said = capsys.readouterr()
    assert not said.out
    assert "pairs.jsonl, line 301: its turns are system, user" in said.err
    assert main([*command, "--system", "fold"]) == 0
    assert capsys.readouterr().out.count("Margin") == 301


def test_by_judge(folder, tmp_path, capsys):
    rows = [{"prompt": "p", "completion": "a"}, {"prompt": TURNS, "completion": "b"}]
    command = ["judge", str(write_jsonl(tmp_path / "answers.jsonl", rows)), "--pretrained", folder]
    assert main(command) == 2
    assert "answers.jsonl, line 2: its turns are system, user" in capsys.readouterr().err
    assert main([*command, "--system", "drop"]) == 0


def test_rewards_that_are_all_the_same_are_said(run, write_model, tmp_path, caplog):  # noqa: F811
    tokenizer = chatml_tokenizer(WITHOUT_REASONING)
    folder = write_model(AUTO, "qwen2", tokenizer=tokenizer, num_labels=1, pad_token_id=256)
    rows = [
        {"prompt": "p", "chosen": f"<think>{i}</think>a", "rejected": f"<think>no {i}</think>a"}
        for i in range(3)
    ]
    path = str(write_jsonl(tmp_path / "pairs.jsonl", rows))
    with caplog.at_level(logging.WARNING):
        results = run(
            "reward-model",
            ["preference_pairs"],
            {"data": path},
            model_args={"pretrained": str(folder)},
        )
    assert results["results"]["preference_pairs"]["tie_rate,none"] == 1.0
    assert results["config"]["judge_counts"]["cut_by_template"] == 6
    assert "All rewards of this run are" in caplog.text
    assert (
        "In 6 of 6 texts, the text that the judge scores does not contain the complete answer"
        in caplog.text
    )
