"""`ultrarm-eval judge`: its arguments."""

from __future__ import annotations

import argparse
import json
import sys

from ultrarm_eval.cli.kinds import add_judge_options, chosen_judge


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
    add_judge_options(command)
    command.add_argument("--reference", metavar="FILE", help="one reference answer for a prompt")
    command.add_argument(
        "--reference-field", metavar="NAME", help="field of ANSWERS' rows that holds references"
    )
    command.add_argument("--format", choices=["text", "json"], default="text")
    command.add_argument(
        "-o", "--output", metavar="FILE", help="each answer's reward, as JSONL, as it comes"
    )
    command.set_defaults(run=_run_judge)


def _run_judge(options: argparse.Namespace) -> int:
    from ultrarm_eval.cli.judge import as_text, judge_answers

    pretrained, settings = chosen_judge(options)
    figures = judge_answers(
        options.answers,
        pretrained,
        settings,
        reference=options.reference,
        samples=options.output,
        reference_field=options.reference_field,
    )
    sys.stdout.write(
        as_text(figures) if options.format == "text" else json.dumps(figures, indent=2) + "\n"
    )
    return 0
