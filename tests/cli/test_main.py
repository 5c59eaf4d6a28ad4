"""The command line as a whole: its version, its help texts and what they load."""

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import pytest

import ultrarm_eval
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


#: What each command's work may load of `HEAVY`, beside what those before it have loaded.
WORK = {
    "data show DATA": "",
    "data inspect DATA": "",
    "data binarize DATA -o OUT/pairs.jsonl": "",
    "export model-index RUN -o OUT --model org/demo --dataset org/data": "huggingface_hub yaml",
    "leaderboard RESULTS -o OUT/board": "numpy scipy jinja2",
    "compare RUN OTHER": "pandas pyarrow",
    "report RUN -o OUT/report.html": "matplotlib",
}
WORKED = """
import contextlib, io, json, sys
from ultrarm_eval.cli import main
heavy, found, before = {*sys.argv[2].split(), "scipy.stats"}, {}, set()
for name, command in json.loads(sys.argv[1]).items():
    with contextlib.redirect_stdout(io.StringIO()):
        status = main(command)
    loaded = heavy & sys.modules.keys()
    found[name], before = [status, sorted(loaded - before)], loaded
print(json.dumps(found))
"""


@pytest.mark.slow
def test_no_command_that_reads_results_or_data_loads_more_than_its_work_needs(tmp_path):
    results = Path(__file__).parents[2] / "results/demo"
    places = {
        "DATA": Path(ultrarm_eval.__file__).parent / "demo/ultrafeedback_demo.jsonl",
        "RUN": results / "run",
        "OTHER": results / "run_without_template",
        "RESULTS": results,
        "OUT": tmp_path,
    }
    commands = {}
    for name in WORK:
        words = (word.partition("/") for word in name.split())
        commands[name] = [
            f"{places.get(word, word)}{rest and '/' + rest}" for word, _, rest in words
        ]
    run = subprocess.run(
        [sys.executable, "-c", WORKED, json.dumps(commands), HEAVY],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(run.stdout) == {name: [0, sorted(new.split())] for name, new in WORK.items()}


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


@pytest.mark.parametrize(
    ("arguments", "usage", "said"),
    [
        (["scor"], "ultrarm-eval", "'merge-stores', 'plugins'). Did you mean score?"),
        (
            ["--verison"],
            "ultrarm-eval",
            "COMMAND. Unknown option --verison. Did you mean --version?",
        ),
        (["data", "inspct", "x"], "ultrarm-eval data", "'binarize'). Did you mean inspect?"),
        (
            ["score", "pairs.jsonl", "--pretraind", "demo"],
            "ultrarm-eval score",
            "unrecognized arguments: --pretraind demo. Did you mean --pretrained?",
        ),
        (
            ["score", "pairs.jsonl", "--pretraind=demo", "--devcie", "cpu"],
            "ultrarm-eval score",
            "--devcie cpu. Did you mean --pretrained? Did you mean --device?",
        ),
        (
            ["export", "model-index", "run", "--outptu", "out"],
            "ultrarm-eval export model-index",
            "required: -o/--output. Unknown option --outptu. Did you mean --output?",
        ),
        (["report", "run", "other", "-orun.html"], "ultrarm-eval report", "arguments: other"),
        (["report", "run", "--zzz"], "ultrarm-eval report", "arguments: --zzz"),
    ],
)
def test_a_misspelt_option_or_command_is_suggested_with_the_commands_usage(
    arguments, usage, said, capsys
):
    with pytest.raises(SystemExit, match="^2$"):
        main(arguments)
    shown = capsys.readouterr().err
    assert shown.startswith(f"usage: {usage} [-h]")
    assert f"\n{usage}: error: " in shown
    # Argparse quotes the choices of a command in some versions of Python only.
    assert shown.replace("'", "").endswith(said.replace("'", "") + "\n")


def test_the_package_itself_is_the_command(tmp_path):
    run = subprocess.run(
        [sys.executable, "-m", "ultrarm_eval", "score", "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert "usage: ultrarm-eval score" in run.stdout
