"""Under the stock command an error of ours is its message; others keep their traceback."""

import os
import subprocess
import sys

import pytest

from ultrarm_eval.errors import ConfigurationError, DataError, UltrarmEvalError
from ultrarm_eval.lm_eval_plugin.bridge import command_line

HINT = "(Set ULTRARM_EVAL_TRACEBACK=1 for the traceback.)\n"


@pytest.fixture
def before(monkeypatch):
    """The errors that were handed on to the hook that was there before."""
    handed = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, traceback: handed.append(error))
    monkeypatch.delenv("ULTRARM_EVAL_TRACEBACK", raising=False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    command_line.connect_errors(None)
    return handed


def uncaught(error):
    sys.excepthook(type(error), error, error.__traceback__)


class PluginsError(DataError):
    pass


@pytest.mark.parametrize("kind", [UltrarmEvalError, ConfigurationError, PluginsError])
def test_ours_is_shown_by_its_message(before, capsys, kind):
    error = kind("the file x has no y")
    error.__cause__ = OSError("inner")
    uncaught(error)
    assert capsys.readouterr().err == f"ultrarm-eval: the file x has no y\n{HINT}"
    assert before == []


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, OSError])
def test_others_are_handed_on(before, capsys, kind):
    error = kind("x")
    error.__cause__ = DataError("inner")
    uncaught(error)
    assert before == [error]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("value", "shown"), [("1", True), ("on", True), ("0", False), ("", False)])
def test_a_variable_brings_the_traceback_back(before, capsys, monkeypatch, value, shown):
    monkeypatch.setenv("ULTRARM_EVAL_TRACEBACK", value)
    uncaught(DataError("x"))
    assert len(before) == shown
    assert (capsys.readouterr().err == "") is shown


def test_one_of_several_processes_says_which_it_is(before, capsys, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    uncaught(DataError("x"))
    assert capsys.readouterr().err.startswith("ultrarm-eval, process 1: x\n")


def test_a_closed_standard_error_is_no_error(before, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    uncaught(DataError("x"))
    assert before == []


def test_it_is_set_once(before):
    hook = sys.excepthook
    command_line.connect_errors(None)
    assert sys.excepthook is hook


def python(*arguments, **variables):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("ULTRARM_EVAL")}
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    return subprocess.run(
        [sys.executable, *arguments],
        env={**kept, **offline, **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


WRONG = ("--tasks", "ultrafeedback_pairs_demo", "--num_fewshot", "2", "--model", "ultrarm")


@pytest.mark.slow
@pytest.mark.parametrize("command", ["lm_eval", "lm_eval.__main__"])
def test_the_stock_command_ends_with_the_message(command):
    finished = python("-m", command, *WRONG)
    assert finished.returncode == 1
    assert "Traceback" not in finished.stderr
    assert "ultrarm-eval: --num_fewshot 2: ultrafeedback_pairs_demo uses no" in finished.stderr


@pytest.mark.slow
def test_the_traceback_can_be_had():
    finished = python("-m", "lm_eval", *WRONG, ULTRARM_EVAL_TRACEBACK="1")
    assert finished.returncode == 1
    assert "Traceback" in finished.stderr
    assert "ConfigurationError: --num_fewshot 2" in finished.stderr


@pytest.mark.slow
def test_a_program_that_calls_the_harness_keeps_its_traceback():
    finished = python(
        "-c",
        "from lm_eval import simple_evaluate;"
        "simple_evaluate('ultrarm', tasks=['ultrafeedback_pairs_demo'], num_fewshot=2)",
    )
    assert finished.returncode == 1
    assert "Traceback" in finished.stderr
    assert "ConfigurationError: --num_fewshot 2" in finished.stderr
