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

_PROGRAM = "ultrarm-eval"
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
        prog=_PROGRAM,
        usage=f"{_PROGRAM} [-h] [--version] COMMAND ...",
        description="Reward models as judges, beside lm-evaluation-harness.",
        epilog=_overview(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action=_Version, nargs=0, help="show program's version number and exit"
    )
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
