"""`ultrarm-eval leaderboard`: a static board over many runs."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from ultrarm_eval.cli.output import require_replaceable, write_output
from ultrarm_eval.errors import ConfigurationError

logger = logging.getLogger(__name__)

_FILES = ("board.html", "board.csv", "board.json")


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declares what the command takes."""
    command.description = (
        "Writes board.html, board.csv and board.json over all runs of a folder: a row for "
        "each model or judge with its settings, a column for each group and task, with "
        "intervals and the ranks that they leave open. Figures over a part of the data, over "
        "other documents, or in-sample are marked and not ranked."
    )
    command.add_argument(
        "results", metavar="RESULTS_DIR", help="folder that holds results_*.json at any depth"
    )
    command.add_argument(
        "-o", "--output", required=True, type=Path, metavar="DIR", help="folder to write to"
    )
    command.add_argument(
        "--title", default="Leaderboard", help="the page's title (default: %(default)s)"
    )
    command.add_argument(
        "--published",
        type=Path,
        metavar="FOLDER",
        help="show published figures below the board, from files like those of results/published",
    )
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from ultrarm_eval.board.board import make_board
    from ultrarm_eval.board.data import as_csv, as_json
    from ultrarm_eval.board.page import as_page
    from ultrarm_eval.board.published import read_published
    from ultrarm_eval.runs.evaluation import read_evaluations

    folder: Path = options.output.expanduser()
    if folder.exists() and not folder.is_dir():
        raise ConfigurationError(f"-o {options.output}: this is a file; give a folder to write to.")
    for name in _FILES:
        require_replaceable(folder / name)
    published = read_published(options.published) if options.published is not None else []
    root = Path(options.results).expanduser()
    evaluations = read_evaluations(root)
    board = make_board(evaluations, root, published)
    for text in board.left_out:
        logger.warning("Left out: %s", text)
    if superseded := sum(evaluation.superseded for evaluation in evaluations):
        logger.warning(
            "%d results are left out, as others of the same model, task and settings count; what "
            "is said of each row names them.",
            superseded,
        )
    texts = as_page(board, title=options.title), as_csv(board), as_json(board)
    for name, text in zip(_FILES, texts, strict=True):
        sys.stdout.write(f"{write_output(folder / name, text)}\n")
    return 0
