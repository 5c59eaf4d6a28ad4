"""`ultrarm-eval tokens`: the table that a person reads, and JSON."""

import io
import json
import re
import sys

import pytest

from tests.conftest import LengthJudge
from tests.judges.conftest import chat_tokenizer, write_model  # noqa: F401
from ultrarm_eval import load_judge
from ultrarm_eval.cli import main

QUESTION = ["--prompt", "the question"]


@pytest.fixture
def shown(checkpoint, capsys):
    """What the command prints."""

    def run(*arguments, pretrained=checkpoint):
        status = main(["tokens", "--pretrained", str(pretrained), "--device", "cpu", *arguments])
        found = capsys.readouterr()
        assert status == 0, found.err
        return found.out

    return run


@pytest.fixture
def refused(checkpoint, capsys):
    def run(*arguments, pretrained=checkpoint):
        assert main(["tokens", "--pretrained", str(pretrained), *arguments]) == 2
        return capsys.readouterr().err

    return run


def test_the_table_shows_the_judges_rewards(shown, checkpoint):
    text = shown(*QUESTION, "--completion", "the answer\nis </s>")
    found = load_judge(str(checkpoint), device="cpu").rewards_after_tokens(
        "the question", "the answer\nis </s>"
    )
    lines = text.splitlines()
    assert lines[0].startswith(f"judge ultrarm, pretrained {checkpoint}, template ultrarm, dtype")
    assert lines[1] == "prompt: the question"
    assert lines[3] == "completion: the answer⏎is </s>"
    rows = [line.split() for line in lines if re.match(r" *\d+  ", line)]
    assert [float(row[2]) for row in rows] == pytest.approx(found.rewards, abs=1e-4)
    mark = next(i for i, line in enumerate(lines) if line.startswith("── completion"))
    assert lines[mark + 1].split()[0] == str(found.completion_start + 1)
    assert lines[-1] == f"reward {found.reward:.6f}"
    assert "\x1b" not in text


def test_json_is_for_machines(shown, checkpoint):
    read = json.loads(
        shown(
            *QUESTION, "--completion", "你\n</s>", "--completion", "", "--format", "json",
            "--template", "rewardbench", "--dtype", "float32",
        )
    )  # fmt: skip
    judge = load_judge(str(checkpoint), device="cpu", template="rewardbench")
    assert (read["judge"]["name"], read["judge"]["template"]) == ("ultrarm", "rewardbench")
    assert {"max_length", "special_tokens", "dtype", "appends_eos"} <= set(read["judge"])
    assert "counts" not in read["judge"]
    assert read["prompt"] == "the question"
    for one, completion in zip(read["completions"], ["你\n</s>", ""], strict=True):
        found = judge.rewards_after_tokens("the question", completion)
        assert one == {
            "completion": completion,
            "tokens": list(found.tokens),
            "ids": list(found.ids),
            "rewards": pytest.approx(found.rewards, abs=1e-5),
            "completion_start": found.completion_start,
            "truncated": False,
            "reward": pytest.approx(found.reward, abs=1e-5),
        }


def test_several_completions_stand_one_after_the_other(shown):
    text = shown(*QUESTION, "--completion", "the answer", "--completion", "")
    assert text.index("completion 1 of 2: the answer") < text.index("completion 2 of 2: (empty)")
    assert "── completion (empty)" in text
    assert text.count("\nreward ") == 2


def test_a_completion_may_stand_alone(shown):
    text = shown("--completion", "bare text")
    assert "prompt:" not in text
    assert text.splitlines()[4].split()[:2] == ["1", "<s>"]
    assert text.splitlines()[5].startswith("── completion")


def test_a_cut_text_says_so(shown):
    text = shown(*QUESTION, "--completion", "the answer", "--max-length", "6")
    assert "The text has more than max_length=6 tokens; its beginning was truncated." in text
    assert json.loads(
        shown(*QUESTION, "--completion", "a b c d", "--max-length", "6", "--format", "json")
    )["completions"][0]["truncated"]


def test_it_can_be_written_to_a_file(shown, tmp_path):
    path = tmp_path / "tokens.txt"
    text = shown(*QUESTION, "--completion", "你好")
    assert shown(*QUESTION, "--completion", "你好", "-o", str(path)) == f"{path}\n"
    assert path.read_text(encoding="utf-8") == text


def test_a_terminal_without_unicode_gets_question_marks(checkpoint, monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    assert main(["tokens", "--pretrained", str(checkpoint), "--completion", "你 b"]) == 0
    assert raw.getvalue().decode("ascii").splitlines()[-1].startswith("reward ")


def test_bytes_that_are_no_text_are_shown(shown):
    # What Python makes of an argument that is no UTF-8.
    text = shown("--completion", "a\udcff", "--prompt", "\udcfe")
    assert "completion: a\\udcff" in text
    text.encode("utf-8")


def test_judges_and_their_settings_can_be_named(shown, write_model, capsys):  # noqa: F811
    folder = write_model("AutoModelForCausalLM", "llama")
    text = shown(
        *QUESTION, "--completion", "the answer", "--judge", "likelihood",
        "--judge-args", "reduction=sum", "--template", "ultrarm", pretrained=folder,
    )  # fmt: skip
    assert text.startswith("judge likelihood, ")
    assert "reduction sum" in text
    rows = [line.split() for line in text.splitlines() if re.match(r" *\d+  ", line)]
    assert rows[0][2] == "-"
    assert float(rows[-1][2]) < 0


class TestRefusals:
    def test_a_judge_that_cannot(self, refused, write_model):  # noqa: F811
        folder = write_model("AutoModelForCausalLM", "llama")
        error = refused(
            "--completion", "a", "--judge", "critique", "--judge-args", "max_new_tokens=4",
            "--template", "ultrarm", pretrained=folder,
        )  # fmt: skip
        assert "ultrarm-eval tokens: judge=critique gives no rewards after each token" in error
        assert "Loading weights" not in error

    def test_another_packages_judge_without_the_method(self, refused, third_party):
        class WithWeights(LengthJudge):
            def __init__(self, pretrained):
                super().__init__()

        third_party(WithWeights)
        assert "judge=length gives no rewards after each token: it has no method" in refused(
            "--completion", "a", "--judge", "length"
        )

    def test_what_cannot_be_used_is_named(self, refused, tmp_path):
        assert "there is no config.json" in refused("--completion", "a", pretrained=tmp_path)
        assert "Unknown template 'none'" in refused("--completion", "a", "--template", "none")
        assert "max_length" in refused("--completion", "a", "--max-length", "0")
        missing = tmp_path / "no" / "file.txt"
        assert f"there is no folder {missing.parent}" in refused(
            "--completion", "a", "-o", str(missing)
        )
        assert "this is a folder" in refused("--completion", "a", "-o", str(tmp_path))

    def test_a_completion_is_needed(self, checkpoint, capsys):
        with pytest.raises(SystemExit, match="2"):
            main(["tokens", "--pretrained", str(checkpoint)])
        assert "--completion" in capsys.readouterr().err
