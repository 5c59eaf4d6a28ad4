"""`ultrarm-eval compare`: whether runs differ."""

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
    """Declares what the command takes."""
    command.description = (
        "Compares every two runs on every task that both have: documents are matched by their "
        "content, differences have intervals and paired tests over prompts, corrected by "
        "Holm's method, and the agreement of the judges is shown. The runs need "
        "lm_eval --output_path --log_samples. A folder may hold several runs."
    )
    command.add_argument(
        "results", metavar="RESULTS", nargs="+", help="results_*.json, or a folder that holds some"
    )
    command.add_argument("-o", "--output", metavar="FILE", help="write there, not to the terminal")
    command.add_argument(
        "--format", choices=list(_FORMS), help="by the file's ending; text if there is none"
    )
    command.add_argument(
        "--by",
        action="append",
        default=[],
        choices=_DIMENSIONS,
        help="also compare on the parts of each task; may be repeated",
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
