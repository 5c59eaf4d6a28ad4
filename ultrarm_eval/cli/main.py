"""The command line `ultrarm-eval`: its commands, and how each of them ends.

A command is a module of this package with its name. `add_arguments` declares what it takes and
sets the function that runs it. Only the module of the command that is asked for is imported: help
and usage errors come without torch.

The parser is argparse. Libraries that make options from signatures (typer, cyclopts, jsonargparse)
would save little, as a judge's options are made from the declarations of its settings
(`ultrarm_eval.settings`) in any case; they word usage errors in another way, take longer to show a
help text, and would be one more dependency: the oldest huggingface_hub that is supported brings no
typer.
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
from ultrarm_eval.cli.standard_streams import (
    discard_output,
    log_to_stderr,
    prepare_streams,
    require_output,
    say,
    spelled,
)
from ultrarm_eval.errors import UltrarmEvalError, wants_traceback

_COMMANDS = {
    "score": "score pairs and print the difference in rewards",
    "judge": "judge answers that were written elsewhere",
    "inspect-checkpoint": "say what a checkpoint is, and how its reward is read",
    "convert": "write a checkpoint as engines without plugins read it",
    "plan": "show what a run would compute",
    "verify": "compare batches with one text at a time",
    "data": "look into preference data, or turn ratings into pairs",
    "tokens": "show the reward after each token of an answer",
    "report": "one page that shows how a judge behaves",
    "compare": "say whether the differences between runs are more than chance",
    "leaderboard": "a static board over many runs",
    "export": "write results in the form that a leaderboard takes",
    "shard": "data in parts, for a run that is split over machines",
    "merge": "the results of all parts as those of one run",
    "merge-stores": "several score stores as one",
    "plugins": "show what is registered, and who found it",
}

# What a shell makes of SIGINT.
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        arguments: The command line without the program's name; the process's own if None.

    Returns:
        The exit status: 0, 1 if what was checked did not pass, 2 for input that cannot be used, or
        130 if it was interrupted.
    """
    prepare_streams()
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser(given).parse_args(given)
    name = f"ultrarm-eval {options.command}"
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
        # The reader (head, less) has enough.
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
        given: The command line: only commands that it names know their arguments.
    """
    parser = argparse.ArgumentParser(
        prog="ultrarm-eval", description="Reward models as judges, beside lm-evaluation-harness."
    )
    parser.add_argument(
        "--version", action=_Version, nargs=0, help="show program's version number and exit"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, help_text in _COMMANDS.items():
        command = commands.add_parser(name, help=help_text)
        if name in given:
            module = name.replace("-", "_")
            importlib.import_module(f"ultrarm_eval.cli.{module}").add_arguments(command)
    return parser


class _Version(argparse.Action):
    """Says the version, which is looked up in the package's metadata only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        # As argparse's own action: where the standard output is closed it is None.
        with contextlib.suppress(OSError):
            (sys.stdout or sys.stderr).write(f"ultrarm-eval {ultrarm_eval.__version__}\n")
        parser.exit()


def _interrupted(options: argparse.Namespace) -> str:
    """What became of the work of a command that was stopped."""
    if not hasattr(options, "score_store"):
        return "interrupted."
    if options.score_store is None:
        return "interrupted. Rewards are kept, and not computed again, with --score-store FILE."
    if not Path(options.score_store).expanduser().is_file():
        return "interrupted before anything was scored."
    return (
        f"interrupted. What was scored is kept in {options.score_store}; the same command goes on "
        "from there."
    )


def _finish_output() -> None:
    try:
        sys.stdout.flush()
    except OSError:
        discard_output()
