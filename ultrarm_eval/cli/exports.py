"""`ultrarm-eval export`: its arguments."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ultrarm_eval.exports.every_eval_ever import RELATIONSHIPS
from ultrarm_eval.exports.figures import METRICS

if TYPE_CHECKING:
    from ultrarm_eval.cli.export import ExportOptions


def add_export(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `export` with its forms."""
    command = commands.add_parser(
        "export",
        help="write results in the form that a leaderboard takes",
        description="Writes the results of a run in another form.",
    )
    forms = command.add_subparsers(dest="form", required=True, metavar="FORM")
    _add_eval_results(forms)
    _add_model_index(forms)
    _add_every_eval_ever(forms)
    _add_rewardbench(forms)


def _add_eval_results(forms: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    form = _add_form(
        forms,
        "eval-results",
        _run_eval_results,
        help="Hugging Face's .eval_results/*.yaml",
        description=(
            "Writes MODEL/.eval_results/DATASET.yaml below DIR, for the model's repository on the "
            "hub: its page shows them, and so does the board of a benchmark whose eval.yaml has "
            "the task. Needs huggingface_hub 1.4 or newer."
        ),
    )
    _add_figures(form)
    _add_source(form)
    form.add_argument(
        "--task-id",
        action="append",
        default=[],
        metavar="[TASK=]ID",
        help="what the benchmark's eval.yaml calls a task (default: its own name)",
    )


def _add_model_index(forms: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    form = _add_form(
        forms,
        "model-index",
        _run_model_index,
        help="the model-index of a model's card",
        description=(
            "Writes MODEL/model-index.yaml below DIR: metadata for the top of the model's "
            "README.md, to paste, or to merge into it by huggingface_hub.metadata_update."
        ),
    )
    _add_figures(form)
    _add_source(form)


def _add_every_eval_ever(forms: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    form = _add_form(
        forms,
        "every-eval-ever",
        _run_every_eval_ever,
        help="records of the Every Eval Ever database",
        description=(
            "Writes data/TASK/ORG/NAME/UUID.json below DIR, and UUID_samples.jsonl beside it where "
            "the run has samples, in version 0.3.0 of the schema. Where the package "
            "every-eval-ever is installed, it checks them first."
        ),
    )
    _add_figures(form)
    form.add_argument("--source-url", metavar="URL", help="page of who made the run")
    form.add_argument("--organization", default="unknown", metavar="NAME", help="who made the run")
    form.add_argument(
        "--relationship",
        choices=RELATIONSHIPS,
        default="other",
        help="what they are to the model's developer (default: %(default)s)",
    )
    form.add_argument(
        "--no-samples", dest="samples", action="store_false", help="leave the samples out"
    )


def _add_rewardbench(forms: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    _add_form(
        forms,
        "rewardbench",
        _run_rewardbench,
        help="the two files of RewardBench's leaderboard",
        description=(
            "Writes the two files of RewardBench's leaderboard, the accuracies of the subsets and "
            "the rewards of every row, from a run of rewardbench_overall with --log_samples."
        ),
    )


def _add_form(
    forms: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    write: Callable[[argparse.Namespace], list[Path]],
    *,
    help: str,  # noqa: A002 - as argparse calls it
    description: str,
) -> argparse.ArgumentParser:
    def run(options: argparse.Namespace) -> int:
        sys.stdout.write("".join(f"{path}\n" for path in write(options)))
        return 0

    form = forms.add_parser(name, help=help, description=description)
    form.add_argument(
        "results", metavar="RESULTS", help="results_*.json, or a folder that holds it"
    )
    form.add_argument("-o", "--output", required=True, metavar="DIR", help="folder to write to")
    form.add_argument("--model", metavar="ORG/NAME", help="what the model is called there")
    form.add_argument(
        "--overwrite",
        "--force",
        action="store_true",
        help="replace an export with another content that is there already",
    )
    form.set_defaults(run=run)
    return form


def _add_figures(form: argparse.ArgumentParser) -> None:
    form.add_argument(
        "--task",
        action="append",
        default=[],
        metavar="TASK",
        help="a task or group to export, several times for several (default: all)",
    )
    form.add_argument(
        "--metrics",
        choices=METRICS,
        default=METRICS[0],
        help="the main metric of each task, which is acc, or every metric (default: %(default)s)",
    )
    form.add_argument(
        "--dataset",
        action="append",
        default=[],
        metavar="[TASK=]ORG/NAME",
        help="the hub's name of a task's data, where the run read a file; repeat it for several",
    )
    form.add_argument(
        "--allow-partial",
        action="store_true",
        help="export figures over a part of the data (--limit, a shard), with a remark",
    )


def _add_source(form: argparse.ArgumentParser) -> None:
    form.add_argument("--source-url", metavar="URL", help="where the results can be looked up")
    form.add_argument("--source-name", metavar="NAME", help="what that link is called")


def _options(given: argparse.Namespace) -> ExportOptions:
    from ultrarm_eval.cli.export import ExportOptions

    return ExportOptions(
        model=given.model,
        tasks=given.task,
        metrics=given.metrics,
        datasets=given.dataset,
        allow_partial=given.allow_partial,
        source_url=given.source_url,
        source_name=getattr(given, "source_name", None),
        overwrite=given.overwrite,
    )


def _run_eval_results(given: argparse.Namespace) -> list[Path]:
    from ultrarm_eval.cli.export import export_eval_results

    return export_eval_results(given.results, given.output, _options(given), task_ids=given.task_id)


def _run_model_index(given: argparse.Namespace) -> list[Path]:
    from ultrarm_eval.cli.export import export_model_index

    return export_model_index(given.results, given.output, _options(given))


def _run_every_eval_ever(given: argparse.Namespace) -> list[Path]:
    from ultrarm_eval.cli.export import export_every_eval_ever

    return export_every_eval_ever(
        given.results,
        given.output,
        _options(given),
        organization=given.organization,
        relationship=given.relationship,
        with_samples=given.samples,
    )


def _run_rewardbench(given: argparse.Namespace) -> list[Path]:
    from ultrarm_eval.cli.export import export_rewardbench

    return export_rewardbench(
        given.results, given.output, model=given.model, overwrite=given.overwrite
    )
