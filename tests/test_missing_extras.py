"""What a person sees who has none of the extras installed."""

import importlib.util
import subprocess
import sys

import pytest

from ultrarm_eval.errors import MissingPackageError
from ultrarm_eval.lighteval import judged_task


@pytest.fixture
def nothing_installed(monkeypatch):
    there = importlib.util.find_spec
    hidden = ("inspect_ai", "lighteval")
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name in hidden else there(name)
    )
    monkeypatch.setattr("ultrarm_eval.lighteval.tasks.find_spec", importlib.util.find_spec)
    for name in [name for name in sys.modules if name.startswith("ultrarm_eval.inspect_plugin")]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.usefixtures("nothing_installed")
def test_a_missing_extra_is_named_with_the_command_that_installs_it():
    with pytest.raises(MissingPackageError, match=r'pip install "ultrarm-eval\[inspect\]"'):
        importlib.import_module("ultrarm_eval.inspect_plugin")
    with pytest.raises(MissingPackageError, match=r'pip install "ultrarm-eval\[lighteval\]"'):
        judged_task("ultrafeedback_judge")


@pytest.mark.skipif(importlib.util.find_spec("lighteval") is not None, reason="lighteval is here")
def test_the_model_of_saved_answers_ends_with_the_message_alone():
    module = "ultrarm_eval.lighteval.saved_answers"
    ended = subprocess.run(
        [sys.executable, "-m", module], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr == 'lighteval is not installed: pip install "ultrarm-eval[lighteval]".\n'
    with pytest.raises(MissingPackageError):
        importlib.import_module(module)
