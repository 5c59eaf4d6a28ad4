"""The command line `ultrarm-eval`: its commands and their exit statuses.

A command is a module of this package with its name. `add_arguments` declares its arguments and sets
the function that runs it. Only the module of the requested command is imported: help and usage
errors do not import torch.

The parser is argparse. Libraries that make options from signatures (typer, cyclopts, jsonargparse)
would save little, as a judge's options are made from its declared settings
(`ultrarm_eval.settings`) in any case; they are slower to show a help text, and would be one more
dependency: the oldest supported huggingface_hub does not install typer.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ultrarm_eval
from ultrarm_eval.cli.parser import CommandParser
from ultrarm_eval.cli.standard_streams import (
    discard_output,
    log_to_stderr,
    prepare_streams,
    require_output,
    say,
    spelled,
)
from ultrarm_eval.errors import UltrarmEvalError, wants_traceback

_PROGRAM = "ultrarm-eval"
_COMMANDS = {
    "score": "score chosen/rejected pairs and print the margins",
    "judge": "judge existing answers; win rate over references",
    "inspect-checkpoint": "show what a checkpoint is and how its reward is computed",
    "convert": "convert a checkpoint to a sequence classification model",
    "plan": "estimate tokens, batches and time of a run",
    "verify": "check batched rewards against one text at a time",
    "data": "inspect preference data, or turn ratings into pairs",
    "tokens": "show the reward after each token of an answer",
    "report": "write a report on a judge's run",
    "compare": "test whether runs differ significantly",
    "leaderboard": "build a static leaderboard of many runs",
    "export": "export results to the format of a leaderboard",
    "shard": "split data into shards for several machines",
    "merge": "merge the results of all shards into one run",
    "merge-stores": "merge several score stores into one",
    "plugins": "list registered judges, tasks, templates and plugins",
}

#: The commands by what one does with them, as `--help` and the documentation list them.
COMMAND_GROUPS = {
    "Before a run": ("inspect-checkpoint", "data", "plan", "verify", "convert"),
    "Score answers": ("score", "judge", "tokens"),
    "Read results": ("report", "compare", "leaderboard", "export"),
    "Split a run over machines": ("shard", "merge", "merge-stores"),
    "Installation": ("plugins",),
}

#: What each exit status means.
EXIT_STATUSES = {
    0: "the command did what it was asked",
    1: "a check did not pass (inspect-checkpoint, data inspect, verify)",
    2: "the command line, a file, a checkpoint or the data cannot be used; stderr says why",
    130: "interrupted",
}

# The exit status that a shell reports for SIGINT.
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        arguments: The command line without the program's name; the process's own if None.

    Returns:
        The exit status: 0 for success, 1 if a check did not pass, 2 for unusable input, or 130 if
        interrupted.
    """
    prepare_streams()
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser(given).parse_args(given)
    name = f"{_PROGRAM} {options.command}"
    log_to_stderr()
    try:
        require_output()
        status: int = options.run(options)
        sys.stdout.flush()
    except UltrarmEvalError as error:
        if wants_traceback():
            raise
        say(f"{name}: {error}")
        return 2
    except BrokenPipeError:
        # The reader (head, less) has closed the pipe.
        discard_output()
        return 0
    except OSError as error:
        if wants_traceback():
            raise
        discard_output()
        say(f"{name}: {spelled(error)}")
        return 2
    except KeyboardInterrupt:
        say(f"{name}: {_interrupted(options)}")
        _finish_output()
        return _INTERRUPTED
    return status


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of a command line.

    Args:
        given: The command line; arguments are added only to the commands it names.
    """
    parser = CommandParser(
        prog=_PROGRAM,
        usage=f"{_PROGRAM} [-h] [--version] COMMAND ...",
        description="Reward models as judges for lm-evaluation-harness.",
        epilog=_overview(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    # The epilog lists them in groups, which argparse has for options only.
    commands = parser.add_subparsers(
        prog=_PROGRAM, dest="command", required=True, metavar="COMMAND", help=argparse.SUPPRESS
    )
    for name in _COMMANDS:
        command = commands.add_parser(name)
        if name in given:
            module = name.replace("-", "_")
            importlib.import_module(f"ultrarm_eval.cli.{module}").add_arguments(command)
    return parser


def _overview() -> str:
    """The commands in their groups, how to go on from there, and the exit statuses."""
    width = max(map(len, _COMMANDS)) + 2
    lines = []
    for title, names in COMMAND_GROUPS.items():
        lines += [f"{title}:", *(f"  {name:{width}}{_COMMANDS[name]}" for name in names), ""]
    lines += [f"{_PROGRAM} COMMAND --help shows the options of a command.", "", "Exit status:"]
    return "\n".join([*lines, *(f"  {code:<5}{what}" for code, what in EXIT_STATUSES.items())])


class _Version(argparse.Action):
    """Prints the version, which is looked up in the package's metadata only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        # As in argparse's own action: stdout is None if it is closed.
        with contextlib.suppress(OSError):
            (sys.stdout or sys.stderr).write(f"ultrarm-eval {ultrarm_eval.__version__}\n")
        parser.exit()


def _interrupted(options: argparse.Namespace) -> str:
    """What was kept of an interrupted command's work."""
    if not hasattr(options, "score_store"):
        return "interrupted."
    if options.score_store is None:
        return "interrupted. Use --score-store FILE to keep rewards and resume."
    if not Path(options.score_store).expanduser().is_file():
        return "interrupted before anything was scored."
    return (
        f"interrupted. Finished rewards are kept in {options.score_store}; the same command "
        "resumes from there."
    )


def _finish_output() -> None:
    try:
        sys.stdout.flush()
    except OSError:
        discard_output()
