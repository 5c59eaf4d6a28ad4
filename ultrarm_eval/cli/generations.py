"""`ultrarm-eval judge`: its arguments."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from ultrarm_eval.cli.kinds import add_kind, with_kind

_SETTINGS = {
    "revision": str,
    "template": str,
    "special_tokens": str,
    "system": str,
    "dtype": str,
    "device": str,
    "max_length": int,
    "batch_size": str,
    "score_store": str,
}


def add_judge(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `judge`."""
    command = commands.add_parser(
        "judge",
        help="judge answers that were written elsewhere",
        description=(
            "Gives every answer of a file its reward and shows the mean over prompts; with "
            "--reference also how often an answer beats the reference of its prompt, ties one "
            "half, as it is and with the length controlled for. Rows have 'instruction' and "
            "'output' (AlpacaEval's outputs), or 'prompt' and 'completion'."
        ),
    )
    command.add_argument("answers", metavar="ANSWERS", help="JSON, JSONL or Parquet file")
    command.add_argument(
        "--judge", required=True, metavar="DIR", help="checkpoint: folder, hub id, or 'demo'"
    )
    add_kind(command)
    command.add_argument("--reference", metavar="FILE", help="one reference answer for a prompt")
    command.add_argument(
        "--reference-field", metavar="NAME", help="field of ANSWERS' rows that holds references"
    )
    command.add_argument("--format", choices=["text", "json"], default="text")
    command.add_argument("-o", "--output", metavar="FILE", help="each answer's reward, as JSONL")
    for name, kind in _SETTINGS.items():
        command.add_argument(f"--{name.replace('_', '-')}", type=kind)
    command.set_defaults(run=_run_judge)


def _run_judge(options: argparse.Namespace) -> int:
    from ultrarm_eval.cli.judge import as_text, judge_answers

    given: dict[str, Any] = {name: getattr(options, name) for name in _SETTINGS}
    settings = {name: value for name, value in given.items() if value is not None}
    settings = with_kind(options, options.judge, settings)
    figures = judge_answers(
        options.answers,
        options.judge,
        settings,
        reference=options.reference,
        samples=options.output,
        reference_field=options.reference_field,
    )
    sys.stdout.write(
        as_text(figures) if options.format == "text" else json.dumps(figures, indent=2) + "\n"
    )
    return 0
