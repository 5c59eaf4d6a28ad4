"""How long a text a checkpoint names itself: said where texts are cut shorter, and in results."""

import copy
import json
import logging

import pytest

from ultrarm_eval.checkpoints.recommended_length import recommended_length
from ultrarm_eval.judges.sequence_classification import SequenceClassificationJudge

AUTO = "AutoModelForSequenceClassification"
LONG = "the sky is blue and the question is green " * 40


def judge_of(folder, **settings):
    return SequenceClassificationJudge(str(folder), device="cpu", **settings)


@pytest.fixture
def write(write_model, chat_tokenizer):
    """A model of 4,096 positions whose tokenizer and generation config name lengths."""

    def written(name="llama", *, tokenizer=None, generation=None, positions=4096):
        own = copy.deepcopy(chat_tokenizer)
        own.model_max_length = 10**30 if tokenizer is None else tokenizer
        folder = write_model(
            AUTO,
            "llama",
            num_labels=1,
            name=name,
            tokenizer=own,
            max_position_embeddings=positions,
        )
        if generation is not None:
            values = {"max_length": generation}
            (folder / "generation_config.json").write_text(json.dumps(values))
        return folder

    return written


def named_by(judge):
    return judge.settings().get("recommended_max_length")


@pytest.mark.few(3)
@pytest.mark.parametrize(
    ("name", "tokenizer", "generation", "expected"),
    [
        ("plain", None, None, None),
        ("plain", 3000, None, (3000, "model_max_length of its tokenizer")),
        ("plain", 3000, 2500, (3000, "model_max_length of its tokenizer")),
        ("plain", None, 2500, (2500, "max_length in its generation_config.json")),
        # What transformers writes where nobody did.
        ("plain", None, 20, None),
        ("plain", 9000, None, (4096, "its number of positions, which is below the named length")),
        (
            "Skywork-Reward-V2-Tiny",
            3000,
            None,
            (4096, "its number of positions, which is below the named length"),
        ),
        ("Skywork-Reward-Llama-3.1-8B", None, None, None),
    ],
)
def test_where_it_is_from(write, name, tokenizer, generation, expected):
    folder = write(name, tokenizer=tokenizer, generation=generation)
    assert named_by(judge_of(folder)) == (
        None if expected is None else dict(zip(("tokens", "source"), expected, strict=True))
    )


@pytest.mark.parametrize(
    ("name", "tokens", "source"),
    [
        ("Skywork/Skywork-Reward-V2-Llama-3.1-8B", 16_384, "reward-bench/issues/253"),
        ("Skywork/Skywork-Reward-V2-Qwen3-0.6B", 16_384, "reward-bench/issues/253"),
        ("nvidia/Llama-3.1-Nemotron-70B-Reward-HF", 4_096, "docs.api.nvidia.com"),
        ("/models/ArmoRM-Llama3-8B-v0.1/", 4_096, "RLHFlow/ArmoRM-Llama3-8B-v0.1"),
    ],
)
def test_what_authors_say_of_published_models_comes_first(name, tokens, source):
    class Tokenizer:
        model_max_length = 131_072

    class Opened:
        positions = 131_072

    opened = Opened()
    opened.name = name
    said = recommended_length(opened, Tokenizer())
    assert said.tokens == tokens
    assert source in said.source


def test_it_is_said_where_texts_are_cut_shorter(write, caplog):
    folder = write(tokenizer=3000)
    judge = judge_of(folder, max_length=64)
    judge.score([LONG], ["the answer"])
    said = [
        record.getMessage() for record in caplog.records if "truncated on the left" in record.msg
    ]
    assert len(said) == 1
    assert "The checkpoint recommends 3,000 tokens (model_max_length of its tokenizer)" in said[0]
    assert "max_length=3000 uses that length" in said[0]
    caplog.clear()
    judge_of(folder, max_length=3000).score([LONG], ["the answer"])
    assert "truncated on the left" not in caplog.text
    judge_of(folder, max_length=3500).score([LONG * 10], ["the answer"])
    assert "truncated on the left" in caplog.text
    assert "The checkpoint recommends" not in caplog.text


def test_parity_decides_and_that_is_said(write, caplog):
    judge = judge_of(write(tokenizer=3000), parity="rewardbench")
    assert judge.max_length == 2048
    judge.score([LONG * 10], ["the answer"])
    assert "recommends 3,000 tokens" in caplog.text
    assert "parity=rewardbench truncates like the official run" in caplog.text
    assert named_by(judge)["tokens"] == 3000


def test_rewards_do_not_depend_on_it(write, caplog):
    with caplog.at_level(logging.ERROR):
        silent = judge_of(write("silent"), max_length=64)
        naming = judge_of(write("silent", tokenizer=3000), max_length=64)
    assert naming.score([LONG], ["the answer"]) == silent.score([LONG], ["the answer"])
    assert "recommended_max_length" not in naming.identifies()
    assert naming.describes()["recommended_max_length"]["tokens"] == 3000


def test_plan_shows_it(write, tmp_path, capsys):
    from ultrarm_eval.cli import main

    rows = tmp_path / "pairs.jsonl"
    row = {"prompt": "one", "chosen": "the answer", "rejected": "two"}
    rows.write_text(json.dumps(row) + "\n")
    given = ["--judge", "sequence-classification", "--pretrained", str(write(tokenizer=3000))]
    assert main(["plan", str(rows), *given, "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert "length from the checkpoint" in printed
    assert "3,000 tokens (model_max_length of its tokenizer)" in printed


@pytest.mark.parametrize(
    ("name", "max_length", "is_warned"),
    [
        ("ArmoRM-Llama3-8B-v0.1", 5000, True),
        ("ArmoRM-Llama3-8B-v0.1", 4096, False),
        ("plain", 5000, False),
    ],
)
def test_longer_texts_than_the_authors_name_are_warned_of(
    write, caplog, name, max_length, is_warned
):
    folder = write(name, tokenizer=4096, positions=8192)
    with caplog.at_level(logging.WARNING):
        judge_of(folder, max_length=max_length)
    assert ("max_length=5000 is longer than" in caplog.text) is is_warned
    assert ("was made for: 4,096 tokens (the pipeline" in caplog.text) is is_warned
