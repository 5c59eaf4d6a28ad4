"""How a command line names its judge: one rule in every command, and older spellings."""

import argparse

import pytest

from tests.conftest import LengthJudge
from ultrarm_eval.cli.judge_options import (
    BATCHING,
    SCORING,
    SHOWING,
    JudgeChoice,
    add_judge_options,
    chosen_judge,
    judge_if_any,
)
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.setting import settings_in
from ultrarm_eval.settings import CheckpointSettings


def parsed(*arguments, settings=SCORING):
    parser = argparse.ArgumentParser()
    add_judge_options(parser, settings)
    return parser.parse_args(arguments)


@pytest.mark.parametrize(
    ("arguments", "choice"),
    [
        (["--pretrained", "demo"], JudgeChoice("auto", "demo", {})),
        (["--judge", "dpo", "--pretrained", "x"], JudgeChoice("dpo", "x", {})),
        (["--judge", "length"], JudgeChoice("length", None, {})),
        (
            ["--judge", "dpo", "--judge-args", "pretrained=x", "--judge-args", "beta=0.5"],
            JudgeChoice("dpo", "x", {"beta": 0.5}),
        ),
        (
            ["--judge", "dpo", "--pretrained", "x", "--max-length", "9", "--special-tokens", "parse"],
            JudgeChoice("dpo", "x", {"max_length": 9, "special_tokens": "parse"}),
        ),
    ],
)  # fmt: skip
def test_judge_is_a_kind_and_pretrained_its_checkpoint(third_party, caplog, arguments, choice):
    third_party(LengthJudge)
    assert chosen_judge(parsed(*arguments)) == choice
    assert not caplog.records


def test_a_judge_that_the_checkpoint_has_to_name_needs_one():
    assert judge_if_any(parsed()) is None
    with pytest.raises(ConfigurationError, match="No judge is named"):
        judge_if_any(parsed("--judge", "auto"))


@pytest.mark.parametrize(
    ("arguments", "kind", "warning"),
    [
        (["--judge", "demo"], "auto", "--judge demo for a checkpoint (write --pretrained demo)"),
        (
            ["--kind", "ultrarm", "--pretrained", "demo"],
            "ultrarm",
            "--kind ultrarm (write --judge ultrarm)",
        ),
        (
            ["--kind", "ultrarm", "--judge", "demo"],
            "ultrarm",
            "--judge demo for a checkpoint (write --pretrained demo) and --kind ultrarm (write "
            "--judge ultrarm)",
        ),
    ],
)
def test_an_older_spelling_is_read_with_one_warning(caplog, arguments, kind, warning):
    assert chosen_judge(parsed(*arguments)) == JudgeChoice(kind, "demo", {})
    (record,) = caplog.records
    assert record.getMessage() == f"Deprecated spelling, removed in the next release: {warning}."


def test_a_folder_with_a_judges_name_is_a_checkpoint_as_before(tmp_path, monkeypatch, caplog):
    (tmp_path / "dpo").mkdir()
    monkeypatch.chdir(tmp_path)
    # A folder of another content, such as a plugin's source, does not hide the registered judge.
    assert chosen_judge(parsed("--judge", "dpo")).kind == "dpo"
    assert caplog.text == ""
    (tmp_path / "dpo" / "config.json").write_text("{}")
    assert chosen_judge(parsed("--judge", "dpo")).pretrained == "dpo"
    assert "write --pretrained dpo" in caplog.text
    assert chosen_judge(parsed("--judge", "dpo", "--pretrained", "x")).kind == "dpo"


def test_no_judge_is_none():
    assert judge_if_any(parsed("--dtype", "float32")) is None


@pytest.mark.parametrize("settings", [SHOWING, SCORING, BATCHING])
def test_options_are_made_of_the_settings_declarations(settings, capsys):
    with pytest.raises(SystemExit):
        parsed("--help", settings=settings)
    shown = " ".join(capsys.readouterr().out.split())
    declared = settings_in(CheckpointSettings)
    for name in settings:
        assert declared[name].option in shown
        assert declared[name].help in shown
