"""The command line's commands and their arguments."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from typing import TextIO

from ultrarm_eval.cli.checks import add_checks
from ultrarm_eval.cli.compare import add_compare
from ultrarm_eval.cli.data import add_data_commands
from ultrarm_eval.cli.exports import add_export
from ultrarm_eval.cli.generations import add_judge
from ultrarm_eval.cli.leaderboard import add_leaderboard
from ultrarm_eval.cli.report import add_report
from ultrarm_eval.cli.tokens import add_tokens
from ultrarm_eval.errors import UltrarmEvalError
from ultrarm_eval.judges import DEFAULT_JUDGE


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        arguments: The command line without the program's name; the process's own if None.

    Returns:
        The exit status: 0, 1 if what was checked did not pass, or 2 for input that cannot be
        used.
    """
    options = _parser().parse_args(arguments)
    _log_to_stderr()
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except UltrarmEvalError as error:
        sys.stderr.write(f"ultrarm-eval {options.command}: {error}\n")
        return 2
    except BrokenPipeError:
        # The reader (head, less) has enough; Python would complain at exit.
        sys.stderr.close()
        return 0
    except OSError as error:
        # What is left in the buffer would fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.stderr.write(f"ultrarm-eval {options.command}: the output cannot be written: {error}\n")
        return 2
    return status


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
    command.add_argument(
        "--pretrained", required=True, metavar="DIR", help="checkpoint: folder, hub id, or 'demo'"
    )
    command.add_argument(
        "--judge", default=DEFAULT_JUDGE, help="registered judge (default: %(default)s)"
    )
    command.add_argument("--revision", help="hub revision of the checkpoint")
    command.add_argument("--template", help="template of rows with a prompt (default: ultrarm)")
    command.add_argument("--special-tokens", choices=["text", "parse"])
    command.add_argument("--system", choices=["error", "fold", "drop"])
    command.add_argument("--dtype", help="auto, float32, bfloat16 or float16")
    command.add_argument("--device", help="cpu, cuda, cuda:N (default: first GPU, else CPU)")
    command.add_argument("--max-length", type=int, help="most tokens of a text")
    command.add_argument("--batch-size", help="most texts at once, or auto")
    command.add_argument("--format", choices=["text", "jsonl"], default="text")
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
    from ultrarm_eval.cli.score import score_file

    settings = {
        "judge": options.judge,
        "revision": options.revision,
        "special_tokens": options.special_tokens,
        "system": options.system,
        "dtype": options.dtype,
        "device": options.device,
        "max_length": options.max_length,
        "batch_size": options.batch_size,
        "template": options.template,
    }
    # What is not given is not passed: another package's judge may not have the setting.
    given = {name: value for name, value in settings.items() if value is not None}
    score_file(options.pairs, options.pretrained, given, form=options.format, output=sys.stdout)
    return 0


def _run_plugins(options: argparse.Namespace) -> int:
    from ultrarm_eval.cli.plugins import list_plugins

    sys.stdout.write(list_plugins())
    return 0
