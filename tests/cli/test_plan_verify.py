import re

import pytest

from tests.conftest import raw_row, write_jsonl
from ultrarm_eval.cli import main
from ultrarm_eval.judges.ultrarm import UltraRMJudge

PROMPT = "the question about one word and the answer to it " * 4


@pytest.fixture
def data(tmp_path):
    rows = [
        raw_row(f"{i} {PROMPT}", tuple((f"answer {i} {j}" + " word" * j, j) for j in range(1, 5)))
        for i in range(6)
    ]
    return str(write_jsonl(tmp_path / "d.jsonl", rows))


def figure(output, name):
    return int(re.search(rf"^{name}\s+([\d,]+)", output, re.MULTILINE)[1].replace(",", ""))


def test_a_plan_shows_what_sharing_saves(data, checkpoint, capsys):
    assert main(["plan", data, "--pretrained", str(checkpoint)]) == 0
    shared = capsys.readouterr().out
    main(["plan", data, "--pretrained", str(checkpoint), "--batching", "padded"])
    padded = capsys.readouterr().out
    assert figure(shared, "texts") == figure(shared, "distinct texts") == 24
    tokens = figure(shared, "tokens of distinct texts")
    assert tokens == figure(padded, "tokens of distinct texts")
    assert figure(shared, "shared prefixes counted once") < tokens / 2
    assert figure(shared, "computed with padding") < tokens / 2
    assert figure(padded, "computed with padding") >= tokens
    assert "estimated time" in shared


def test_a_plan_counts_the_tokens_that_the_judge_sees(data, checkpoint, capsys):
    main(["plan", data, "--pretrained", str(checkpoint), "--max-length", "40"])
    out = capsys.readouterr().out
    assert figure(out, "tokens of distinct texts") == 24 * 40
    assert "(24 truncated to 40 tokens)" in out


def test_a_plan_loads_no_weights(data, checkpoint, monkeypatch, capsys):
    monkeypatch.setattr(UltraRMJudge, "load", lambda _: pytest.fail("the weights were loaded"))
    assert main(["plan", data, "--pretrained", str(checkpoint)]) == 0


@pytest.mark.few(1)
@pytest.mark.parametrize("batching", ["shared", "packed", "padded"])
def test_batches_that_agree_with_single_texts_pass(data, checkpoint, batching, capsys):
    command = ["verify", "--data", data, "--pretrained", str(checkpoint), "--batching", batching]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert f"24 texts, 36 pairs, float32, batching={batching}" in out
    assert "0 pairs ranked differently" in out


def test_a_drift_over_the_threshold_ends_with_status_1(data, checkpoint, monkeypatch, capsys):
    plain = UltraRMJudge.score

    def drifting(self, prompts, completions):
        rewards = plain(self, prompts, completions)
        return [*rewards[:-1], rewards[-1] + 0.25]

    monkeypatch.setattr(UltraRMJudge, "score", drifting)
    assert main(["verify", "--data", data, "--pretrained", str(checkpoint)]) == 1
    out = capsys.readouterr().out
    assert "largest difference 0.25" in out
    assert "OVER the threshold of 5e-05" in out


@pytest.mark.slow
def test_half_precision_is_compared_with_float32_too(data, checkpoint, capsys):
    main(["verify", "--data", data, "--pretrained", str(checkpoint), "--dtype", "bfloat16"])
    out = capsys.readouterr().out
    assert "batches against float32: largest difference" in out
    assert "threshold of 0.1" in out


def test_a_sample_is_taken_of_more_prompts(data, checkpoint, capsys):
    main(["verify", "--data", data, "--pretrained", str(checkpoint), "--n", "2"])
    assert "8 texts, 12 pairs" in capsys.readouterr().out


def test_no_prompt_is_no_sample(data, checkpoint, capsys):
    assert main(["verify", "--data", data, "--pretrained", str(checkpoint), "--n", "0"]) == 2
    assert "a number of prompts of at least 1" in capsys.readouterr().err
