"""The command line as a whole: its version, its help texts and what they load."""

import importlib.metadata
import json
import subprocess
import sys

import pytest

from ultrarm_eval.cli import main
from ultrarm_eval.cli.main import _COMMANDS

HELP = [[], *([name] for name in _COMMANDS)]
HELP += [["data", name] for name in ("show", "inspect", "binarize")]
HELP += [["export", n] for n in ("eval-results", "model-index", "every-eval-ever", "rewardbench")]
#: No usage needs numbers, tables, pages or a model.
HEAVY = (
    "torch transformers tokenizers lm_eval datasets huggingface_hub aiohttp "
    "numpy scipy pandas pyarrow matplotlib jinja2 yaml"
)
LOADED = """
import contextlib, io, json, sys
from ultrarm_eval.cli import main
heavy, found = set(sys.argv[2].split()), {}
for command in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        main([*command, "--help"])
    found[" ".join(command)] = sorted(heavy & sys.modules.keys())
print(json.dumps(found))
"""


def test_the_version_can_be_had(capsys):
    with pytest.raises(SystemExit, match="^0$"):
        main(["--version"])
    version = importlib.metadata.version("ultrarm-eval")
    assert capsys.readouterr().out == f"ultrarm-eval {version}\n"


def test_no_help_text_loads_torch_numpy_or_a_harness():
    run = subprocess.run(
        [sys.executable, "-c", LOADED, json.dumps(HELP), HEAVY],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(run.stdout) == {" ".join(command): [] for command in HELP}


@pytest.mark.parametrize("command", HELP, ids=" ".join)
def test_every_command_says_what_it_does_and_takes(command, capsys):
    with pytest.raises(SystemExit, match="^0$"):
        main([*command, "--help"])
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: {' '.join(['ultrarm-eval', *command])} [-h]")
    assert len(shown.split("\n\n")[1]) > 40


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["plugins", "x"], ["data"], ["export"]])
def test_what_is_no_command_is_a_usage_error(arguments, capsys):
    with pytest.raises(SystemExit, match="^2$"):
        main(arguments)
    assert "usage: ultrarm-eval" in capsys.readouterr().err


def test_the_package_itself_is_the_command(tmp_path):
    run = subprocess.run(
        [sys.executable, "-m", "ultrarm_eval", "score", "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert "usage: ultrarm-eval score" in run.stdout
