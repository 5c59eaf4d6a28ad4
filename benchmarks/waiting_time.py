"""Measures what a user waits for before anything useful happens.

Two things in one run, in interleaved rounds: how long each command of `ultrarm-eval` takes to show
its help, and others to do their work on the demo's results; and how long `lm_eval` takes until the
first reward of the demo judge, beside `lm_eval` with its own `dummy` model until that answers the
first time, on the same task. Each is a process of its own, and its processor time counts as well as
the clock: that is what a busy machine changes least.

    OMP_NUM_THREADS=1 python benchmarks/waiting_time.py --rounds 5 -o results/waiting_time.json
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TASK = "ultrafeedback_pairs_demo"
NOTHING = "python -c pass"
JUDGE, DUMMY = "lm_eval, demo judge", "lm_eval, dummy model"
WITH_CLASS = "lm_eval, dummy model, and transformers' Llama imported"
# The models of the harness that are run for them, and whether Llama's class is imported, too.
_MODELS = {JUDGE: "ultrarm", DUMMY: "dummy", WITH_CLASS: "dummy-with-class"}
# How a process that runs the harness hands over what it measured.
_ANSWERED = "first answer: "


@dataclass(frozen=True)
class Wait:
    """How long one process took.

    Attributes:
        cpu: Processor time of the user and of the system, in seconds.
        wall: Seconds on the clock.
    """

    cpu: float
    wall: float


@dataclass(frozen=True)
class Spread:
    """Values of several rounds, in seconds.

    Attributes:
        median: The middle one.
        low: The least.
        high: The greatest.
    """

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


def commands(folder: Path) -> dict[str, list[str]]:
    """What is measured until its end, by name: the arguments of Python.

    Args:
        folder: Where what is written goes.
    """
    from ultrarm_eval.cli.main import _COMMANDS

    program = ["-m", "ultrarm_eval"]
    run = str(ROOT / "results/demo/run")
    other = str(ROOT / "results/demo/run_without_template")
    rows = str(ROOT / "ultrarm_eval/demo/ultrafeedback_demo.jsonl")
    published = ["--overwrite", "--model", "org/demo", "--dataset", "org/demo-data"]
    work = {
        "plugins": ["plugins"],
        "report": ["report", run, "-o", str(folder / "report.html")],
        "compare": ["compare", run, other],
        "leaderboard": ["leaderboard", str(ROOT / "results/demo"), "-o", str(folder / "board")],
        "export model-index": ["export", "model-index", run, "-o", str(folder), *published],
        "data show": ["data", "show", rows],
        "data inspect": ["data", "inspect", rows],
    }
    return {
        NOTHING: ["-c", "pass"],
        "ultrarm-eval --help": [*program, "--help"],
        **{f"{name} --help": [*program, name, "--help"] for name in _COMMANDS},
        **{name: [*program, *arguments] for name, arguments in work.items()},
    }


def measure(rounds: int, names: Sequence[str]) -> dict[str, list[Wait]]:
    """Runs everything once a round, in turn, after a round that fills the disk's cache.

    Args:
        rounds: How many rounds count.
        names: Only what is called one of these; all if empty.

    Returns:
        The waits of each, by name.

    Raises:
        RuntimeError: A process fails, so that its time says nothing.
    """
    with tempfile.TemporaryDirectory() as folder:
        every: dict[str, Callable[[], Wait]] = {
            name: _until_end(arguments) for name, arguments in commands(Path(folder)).items()
        }
        every |= {name: _until_answer(model) for name, model in _MODELS.items()}
        chosen = {name: run for name, run in every.items() if not names or name in names}
        found: dict[str, list[Wait]] = {name: [] for name in chosen}
        for number in range(rounds + 1):
            # Every second round backwards: what comes first in one comes last in the next.
            for name in (list, reversed)[number % 2](list(chosen)):
                wait = chosen[name]()
                if number:
                    found[name].append(wait)
    return found


def differences(found: Mapping[str, Sequence[Wait]]) -> dict[str, dict[str, Spread]]:
    """What the demo judge takes longer than another model, by its name: processor time and clock.

    Neighbours of one round are compared.

    Args:
        found: What `measure` returns.
    """
    more = {}
    for other in (DUMMY, WITH_CLASS):
        if JUDGE in found and other in found:
            rounds = list(zip(found[JUDGE], found[other], strict=True))
            more[other] = {
                "cpu": _spread([ours.cpu - theirs.cpu for ours, theirs in rounds]),
                "wall": _spread([ours.wall - theirs.wall for ours, theirs in rounds]),
            }
    return more


def _until_end(arguments: Sequence[str]) -> Callable[[], Wait]:
    def run() -> Wait:
        started = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"python {' '.join(arguments)} ends with {process.returncode}.")
        return Wait(used.ru_utime + used.ru_stime, wall)

    return run


def _until_answer(model: str) -> Callable[[], Wait]:
    def run() -> Wait:
        started = time.time()
        finished = subprocess.run(  # noqa: S603
            [sys.executable, __file__, "--until-answer", model],
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
        )
        said = [line for line in finished.stdout.splitlines() if line.startswith(_ANSWERED)]
        if len(said) != 1:
            raise RuntimeError(f"lm_eval --model {model} came to no answer:\n{finished.stderr}")
        cpu, now = map(float, said[0].removeprefix(_ANSWERED).split())
        return Wait(cpu, now - started)

    return run


def run_until_answer(model: str) -> None:
    """Runs `lm_eval` in this process, which ends with the model's first answer.

    Args:
        model: `ultrarm`, `dummy`, or `dummy-with-class`, which imports what any judge of Llama's
            architecture needs of transformers before it answers.
    """
    from lm_eval.__main__ import cli_evaluate

    if model != "ultrarm":
        from lm_eval.models.dummy import DummyLM

        DummyLM.loglikelihood = lambda *_, **__: _tell(with_class=model != "dummy")
    else:
        from ultrarm_eval.lm_eval_plugin.reward_lm import RewardModelLM

        judgements: Any = RewardModelLM._judgements

        def first(*arguments: Any) -> Iterator[Any]:
            for judgement in judgements(*arguments):
                _tell()
                yield judgement

        reward_model: Any = RewardModelLM
        reward_model._judgements = first
    named = ["ultrarm", "--model_args", "pretrained=demo"] if model == "ultrarm" else ["dummy"]
    sys.argv = ["lm_eval", "--model", *named, "--tasks", TASK]
    cli_evaluate()


def _tell(*, with_class: bool = False) -> None:
    if with_class:
        importlib.import_module("transformers.models.llama.modeling_llama")
    sys.stdout.write(f"\n{_ANSWERED}{time.process_time()} {time.time()}\n")
    sys.stdout.flush()
    os._exit(0)


def _spread(values: Sequence[float]) -> Spread:
    return Spread(statistics.median(values), min(values), max(values))


def as_text(found: Mapping[str, Sequence[Wait]]) -> str:
    """The medians, with the least and the greatest, as a Markdown table."""
    lines = ["| until | CPU s | wall s |", "|---|---|---|"]
    for name, waits in found.items():
        cpu, wall = _spread([w.cpu for w in waits]), _spread([w.wall for w in waits])
        lines.append(f"| {name} | {cpu} | {wall} |")
    for other, more in differences(found).items():
        lines.append(f"| the judge, less: {other} | {more['cpu']} | {more['wall']} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints, and writes the figures if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5, help="rounds (default: %(default)s)")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="of the table")
    parser.add_argument("--until-answer", choices=list(_MODELS.values()), help=argparse.SUPPRESS)
    parser.add_argument("-o", "--output", type=Path, help="JSON file to write")
    options = parser.parse_args(arguments)
    if options.until_answer is not None:
        run_until_answer(options.until_answer)
        return 1
    found = measure(options.rounds, options.only)
    print(as_text(found))
    if options.output is not None:
        more = {
            other: {of: asdict(spread) for of, spread in by.items()}
            for other, by in differences(found).items()
        }
        written = {
            "python": platform.python_version(),
            "platform": f"{platform.system()} {platform.machine()}",
            "cores": os.cpu_count(),
            "rounds": options.rounds,
            "waits": {name: [asdict(wait) for wait in waits] for name, waits in found.items()},
            "judge_less": more,
        }
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
