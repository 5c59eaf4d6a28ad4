"""The command line's commands and their arguments."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from ultrarm_eval.cli.checks import add_checks
from ultrarm_eval.cli.compare import add_compare
from ultrarm_eval.cli.data import add_data_commands
from ultrarm_eval.cli.exports import add_export
from ultrarm_eval.cli.forms import form_of
from ultrarm_eval.cli.generations import add_judge
from ultrarm_eval.cli.kinds import add_judge_options, chosen_judge
from ultrarm_eval.cli.leaderboard import add_leaderboard
from ultrarm_eval.cli.report import add_report
from ultrarm_eval.cli.standard_streams import (
    discard_output,
    prepare_streams,
    require_output,
    say,
    spelled,
)
from ultrarm_eval.cli.tokens import add_tokens
from ultrarm_eval.errors import UltrarmEvalError, wants_traceback

_SCORE_FORMS = {"text": (".txt",), "jsonl": (".jsonl",)}

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
    options = _parser().parse_args(arguments)
    name = f"ultrarm-eval {options.command}"
    _log_to_stderr()
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


def _interrupted(options: argparse.Namespace) -> str:
    """What became of the work of a command that was stopped."""
    if not hasattr(options, "score_store"):
        return "interrupted."
    if options.score_store is None:
        return "interrupted. Rewards are kept, and not computed again, with --score-store FILE."
    return (
        f"interrupted. What was scored is kept in {options.score_store}; the same command goes on "
        "from there."
    )


def _finish_output() -> None:
    try:
        sys.stdout.flush()
    except OSError:
        discard_output()


class _StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to what is the standard error at the time."""

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr

    @stream.setter
    def stream(self, _: TextIO) -> None:
        """StreamHandler sets it once."""


def _log_to_stderr() -> None:
    handler = _StderrHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    for name in ("ultrarm_eval", "lm_eval.ultrarm_eval"):
        logger = logging.getLogger(name)
        if not logger.handlers:
            logger.addHandler(handler)
            logger.setLevel(logging.INFO)
            logger.propagate = False


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ultrarm-eval", description="Reward models as judges, beside lm-evaluation-harness."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_score(commands)
    add_judge(commands)
    add_checks(commands)
    add_data_commands(commands)
    add_tokens(commands)
    add_report(commands)
    add_compare(commands)
    add_leaderboard(commands)
    add_export(commands)
    _add_plugins(commands)
    return parser


def _add_score(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "score",
        help="score pairs and print the difference in rewards",
        description=(
            "Scores each {chosen, rejected[, prompt]} of a file and prints both rewards and their "
            "difference. Rows without a prompt are scored as bare texts (template raw)."
        ),
    )
    command.add_argument("pairs", metavar="PAIRS", help="JSON, JSONL or Parquet file, or folder")
    add_judge_options(command)
    command.add_argument(
        "--format", choices=list(_SCORE_FORMS), help="by the file's ending; text if there is none"
    )
    command.add_argument(
        "-o", "--output", metavar="FILE", help="write there as rewards come, not to the terminal"
    )
    command.set_defaults(run=_run_score)


def _add_plugins(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "plugins",
        help="show what is registered, and who found it",
        description=(
            "Shows models and tasks that installed packages add to lm-eval, whether the harness "
            "found them by itself or through ultrarm-eval, and judges and pair sources."
        ),
    )
    command.set_defaults(run=_run_plugins)


def _run_score(options: argparse.Namespace) -> int:
    from ultrarm_eval.cli.row_output import RowOutput
    from ultrarm_eval.cli.score import score_file

    form = form_of(options.format, options.output, _SCORE_FORMS, otherwise="text")
    # What is not given is not passed: another package's judge may not have the setting.
    pretrained, settings = chosen_judge(options)
    if options.output is None:
        score_file(options.pairs, pretrained, settings, form=form, output=sys.stdout)
        return 0
    with RowOutput(Path(options.output), [options.pairs]) as output:
        score_file(options.pairs, pretrained, settings, form=form, output=output)
    sys.stdout.write(f"{options.output}\n")
    return 0


def _run_plugins(options: argparse.Namespace) -> int:
    from ultrarm_eval.cli.plugins import list_plugins

    sys.stdout.write(list_plugins())
    return 0
