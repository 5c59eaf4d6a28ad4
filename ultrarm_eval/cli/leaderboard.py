"""`ultrarm-eval leaderboard`: a static leaderboard of many runs."""

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
    """Declares the command's arguments."""
    command.description = (
        "Builds a leaderboard of all runs in a folder: board.html, board.csv and board.json. There "
        "is one row per model or judge with its settings and one column per group and task, with "
        "confidence intervals and the range of possible ranks. Scores on a subset of the data, on "
        "different documents, or in-sample are marked and not ranked."
    )
    command.add_argument(
        "results", metavar="RESULTS_DIR", help="folder with results_*.json at any depth"
    )
    command.add_argument(
        "-o", "--output", required=True, type=Path, metavar="DIR", help="folder to write to"
    )
    command.add_argument(
        "--title", default="Leaderboard", help="title of the page (default: %(default)s)"
    )
    command.add_argument(
        "--published",
        type=Path,
        metavar="FOLDER",
        help=(
            "also show published scores below the leaderboard, from files like those in "
            "results/published"
        ),
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
        raise ConfigurationError(f"-o {options.output}: this is a file. Give a folder to write to.")
    for name in _FILES:
        require_replaceable(folder / name)
    published = read_published(options.published) if options.published is not None else []
    root = Path(options.results).expanduser()
    evaluations = read_evaluations(root)
    board = make_board(evaluations, root, published)
    for text in board.left_out:
        logger.warning("Excluded: %s", text)
    if superseded := sum(evaluation.superseded for evaluation in evaluations):
        logger.warning(
            "%d results are excluded because others with the same model, task and settings are "
            "used; the notes of each row list them.",
            superseded,
        )
    texts = as_page(board, title=options.title), as_csv(board), as_json(board)
    for name, text in zip(_FILES, texts, strict=True):
        sys.stdout.write(f"{write_output(folder / name, text)}\n")
    return 0
