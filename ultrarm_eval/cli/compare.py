"""`ultrarm-eval compare`: tests whether runs differ."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ultrarm_eval.cli.output import form_of, require_replaceable, write_result

if TYPE_CHECKING:
    from ultrarm_eval.compare.comparison import Comparison

_FORMS = {
    "text": (".txt",),
    "md": (".md", ".markdown"),
    "html": (".html", ".htm"),
    "json": (".json",),
    "csv": (".csv",),
}
_DIMENSIONS = ("source", "category", "aspect")


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    command.description = (
        "Tests whether runs differ. Compares every pair of runs on each task that both contain. "
        "Documents are matched by content; differences come with confidence intervals and paired "
        "tests clustered by prompt, with Holm correction. Also shows how often the judges agree. "
        "The runs need lm_eval --output_path --log_samples."
    )
    command.add_argument(
        "results",
        metavar="RESULTS",
        nargs="+",
        help="results_*.json, or a folder with one or more runs",
    )
    command.add_argument(
        "-o", "--output", metavar="FILE", help="write to FILE instead of the terminal"
    )
    command.add_argument(
        "--format",
        choices=list(_FORMS),
        help="output format (default: from FILE's extension, else text)",
    )
    command.add_argument(
        "--by",
        action="append",
        default=[],
        choices=_DIMENSIONS,
        help="also compare within each source, category or aspect of a task; repeatable",
    )
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from ultrarm_eval.compare.compute import compare_runs

    form = form_of(options.format, options.output, _FORMS, otherwise="text")
    if options.output is not None:
        require_replaceable(Path(options.output))
    by = tuple(dict.fromkeys(options.by))
    write_result(_writer(form)(compare_runs(options.results, by=by)), options.output)
    return 0


def _writer(form: str) -> Callable[[Comparison], str]:
    if form == "html":
        from ultrarm_eval.compare.page import as_page

        return as_page
    if form in ("json", "csv"):
        from ultrarm_eval.compare.data import as_csv, as_json

        return as_json if form == "json" else as_csv
    from ultrarm_eval.compare.text import as_markdown, as_text

    return as_markdown if form == "md" else as_text
