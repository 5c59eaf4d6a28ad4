"""`ultrarm-eval report`: a page that shows how a judge behaves."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ultrarm_eval.cli.output import form_of, require_replaceable, write_result
from ultrarm_eval.errors import ConfigurationError

if TYPE_CHECKING:
    from ultrarm_eval.judges.base import TokenJudge
    from ultrarm_eval.runs.evaluation import Evaluation

logger = logging.getLogger(__name__)

_FORMS = {"html": (".html", ".htm"), "md": (".md", ".markdown"), "json": (".json",)}


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    command.description = (
        "Writes a report on the runs of lm_eval --output_path --log_samples: accuracy by task, "
        "source, aspect, category, prompt length and rating gap; margins, calibration, length bias "
        "and ranks; and the pairs worth reading. A folder may contain several runs and several "
        "judges."
    )
    command.add_argument(
        "results", metavar="RESULTS", help="results_*.json, or a folder with one or more runs"
    )
    command.add_argument(
        "-o", "--output", metavar="FILE", help="file to write (default: the terminal)"
    )
    command.add_argument(
        "--format",
        choices=list(_FORMS),
        help="output format (default: from FILE's extension, else html)",
    )
    command.add_argument(
        "--against",
        action="append",
        default=[],
        metavar="RESULTS",
        help="results of another judge; shows the pairs on which the judges disagree; repeatable",
    )
    command.add_argument(
        "--pairs",
        type=int,
        default=40,
        metavar="N",
        help="pairs shown with their texts for each task and reason (default: %(default)s)",
    )
    command.add_argument(
        "--tokens",
        type=int,
        default=0,
        metavar="N",
        help="load the judge and show the reward after each token for the first N pairs",
    )
    command.add_argument(
        "--pretrained",
        metavar="DIR",
        help="the judge's checkpoint, for --tokens (default: the path used in the run)",
    )
    command.add_argument("--device", help="device for --tokens: cpu, cuda, cuda:N")
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from ultrarm_eval.report.report import Report, make_report
    from ultrarm_eval.runs.evaluation import labelled, read_evaluations
    from ultrarm_eval.runs.json_values import as_plain

    for name in ("pairs", "tokens"):
        if getattr(options, name) < 0:
            raise ConfigurationError(f"--{name} {getattr(options, name)}: give 0 or more.")
    form = form_of(options.format, options.output, _FORMS, otherwise="html")
    if options.tokens and form == "md":
        raise ConfigurationError(
            "--tokens: a Markdown report shows no pairs and so no tokens. Write HTML or JSON, or "
            "leave --tokens out."
        )
    if form == "html" and options.output is None:
        options.output = "report.html"
    if options.output is not None:
        require_replaceable(Path(options.output))
    evaluations = read_evaluations(options.results)
    own = len(evaluations)
    for other in options.against:
        evaluations += read_evaluations(other)
    if len(evaluations) > own:
        evaluations = sorted(labelled(evaluations), key=lambda evaluation: evaluation.label)
    for remark in dict.fromkeys(remark for one in evaluations for remark in one.remarks):
        logger.warning("%s", remark)
    report: Report = make_report(evaluations, pairs=options.pairs)
    if options.tokens:
        from ultrarm_eval.report.token_rewards import with_tokens

        judges = _judges(evaluations, options.pretrained, options.device)
        pairs = with_tokens(report.pairs, judges, options.tokens)
        report = dataclasses.replace(report, pairs=tuple(pairs))
    if form == "json":
        text = json.dumps(as_plain(report), ensure_ascii=False, indent=1) + "\n"
    elif form == "md":
        from ultrarm_eval.report.text import as_markdown

        text = as_markdown(report)
    else:
        from ultrarm_eval.report.page import as_page

        text = as_page(report)
    write_result(text, options.output)
    return 0


def _judges(
    evaluations: Sequence[Evaluation], pretrained: str | None, device: str | None
) -> dict[str, TokenJudge]:
    from ultrarm_eval.report.token_rewards import judge_of

    models = sorted({evaluation.model for evaluation in evaluations})
    if pretrained is not None and len(models) > 1:
        raise ConfigurationError(
            f"--pretrained {pretrained}: the results are of {len(models)} checkpoints "
            f"({', '.join(models)}), and this option names only one. Report on one of them, or "
            "leave --pretrained or --tokens out."
        )
    return {one.label: judge_of(one, pretrained=pretrained, device=device) for one in evaluations}
