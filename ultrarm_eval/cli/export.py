"""`ultrarm-eval export`: results in the formats that leaderboards accept."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from ultrarm_eval.exports.every_eval_ever import RELATIONSHIPS, Evaluator, write_every_eval_ever
from ultrarm_eval.exports.figures import METRICS, ExportedFigure, exported_figures
from ultrarm_eval.exports.hub_names import Source, assignments, model_name, require_tasks
from ultrarm_eval.runs.evaluation import read_evaluation

logger = logging.getLogger(__name__)


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    command.description = "Exports the results of a run to the format of a leaderboard."
    forms = command.add_subparsers(dest="form", required=True, metavar="FORM")
    for name, help_text, add_form in (
        ("eval-results", "Hugging Face .eval_results/*.yaml", _add_eval_results),
        ("model-index", "model-index metadata of a model card", _add_model_index),
        ("every-eval-ever", "Every Eval Ever records", _add_every_eval_ever),
        ("rewardbench", "RewardBench leaderboard files", _add_rewardbench),
    ):
        form = forms.add_parser(name, help=help_text)
        form.add_argument(
            "results", metavar="RESULTS", help="results_*.json, or the folder that contains it"
        )
        form.add_argument("-o", "--output", required=True, metavar="DIR", help="folder to write to")
        form.add_argument("--model", metavar="ORG/NAME", help="name of the model in the export")
        form.add_argument(
            "--overwrite",
            "--force",
            action="store_true",
            help="replace an existing export with different content",
        )
        add_form(form)
        form.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    paths: list[Path] = options.write(options)
    sys.stdout.write("".join(f"{path}\n" for path in paths))
    return 0


def _add_eval_results(form: argparse.ArgumentParser) -> None:
    form.description = (
        "Writes DIR/MODEL/.eval_results/DATASET.yaml for the model's repository on the hub. The "
        "model's page shows the results, and so does the leaderboard of a benchmark whose "
        "eval.yaml lists the task. Needs huggingface_hub 1.4 or newer."
    )
    _add_figures(form)
    _add_source(form)
    form.add_argument(
        "--task-id",
        action="append",
        default=[],
        metavar="[TASK=]ID",
        help="name of a task in the benchmark's eval.yaml (default: the task's own name)",
    )
    form.set_defaults(write=_write_eval_results)


def _write_eval_results(options: argparse.Namespace) -> list[Path]:
    from ultrarm_eval.exports.eval_results import EvalResultsOptions, write_eval_results

    model, figures = _read(options)
    beside = EvalResultsOptions(
        datasets=_of_tasks(options.dataset, figures, "--dataset"),
        task_ids=_of_tasks(options.task_id, figures, "--task-id"),
        source=Source(options.source_url, options.source_name),
        overwrite=options.overwrite,
    )
    return write_eval_results(Path(options.output), model, figures, beside)


def _add_model_index(form: argparse.ArgumentParser) -> None:
    form.description = (
        "Writes DIR/MODEL/model-index.yaml: metadata for the top of the model's README.md. Paste "
        "it there, or merge it with huggingface_hub.metadata_update."
    )
    _add_figures(form)
    _add_source(form)
    form.set_defaults(write=_write_model_index)


def _write_model_index(options: argparse.Namespace) -> list[Path]:
    from ultrarm_eval.exports.model_index import write_model_index

    model, figures = _read(options)
    return write_model_index(
        Path(options.output),
        model,
        figures,
        datasets=_datasets(options, figures),
        source=Source(options.source_url, options.source_name),
        overwrite=options.overwrite,
    )


def _add_every_eval_ever(form: argparse.ArgumentParser) -> None:
    form.description = (
        "Writes DIR/data/TASK/ORG/NAME/UUID.json in schema version 0.3.0, with UUID_samples.jsonl "
        "beside it if the run has samples. The records are validated first if the package "
        "every-eval-ever is installed."
    )
    _add_figures(form)
    form.add_argument(
        "--source-url", metavar="URL", help="web page of the organization that made the run"
    )
    form.add_argument(
        "--organization",
        default="unknown",
        metavar="NAME",
        help="organization that made the run (default: %(default)s)",
    )
    form.add_argument(
        "--relationship",
        choices=RELATIONSHIPS,
        default="other",
        help="relation of that organization to the model's developer (default: %(default)s)",
    )
    form.add_argument(
        "--no-samples", dest="samples", action="store_false", help="do not write samples"
    )
    form.set_defaults(write=_write_every_eval_ever)


def _write_every_eval_ever(options: argparse.Namespace) -> list[Path]:
    model, figures = _read(options)
    source = Source(options.source_url)
    return write_every_eval_ever(
        Path(options.output),
        model,
        figures,
        Evaluator(options.organization, source.url, options.relationship),
        datasets=_datasets(options, figures),
        with_samples=options.samples,
        overwrite=options.overwrite,
    )


def _add_rewardbench(form: argparse.ArgumentParser) -> None:
    form.description = (
        "Writes the two files of RewardBench's leaderboard: the accuracy of each subset and the "
        "rewards of every row. Needs a run of rewardbench_overall with --log_samples."
    )
    form.set_defaults(write=_write_rewardbench)


def _write_rewardbench(options: argparse.Namespace) -> list[Path]:
    from ultrarm_eval.exports.rewardbench import write_rewardbench

    return write_rewardbench(
        Path(options.output), options.results, model=options.model, overwrite=options.overwrite
    )


def _add_figures(form: argparse.ArgumentParser) -> None:
    form.add_argument(
        "--task",
        action="append",
        default=[],
        metavar="TASK",
        help="task or group to export; repeatable (default: all)",
    )
    form.add_argument(
        "--metrics",
        choices=METRICS,
        default=METRICS[0],
        help="export the main metric of each task (acc), or all metrics (default: %(default)s)",
    )
    form.add_argument(
        "--dataset",
        action="append",
        default=[],
        metavar="[TASK=]ORG/NAME",
        help="hub id of a task's data, if the run read a local file; repeatable",
    )
    form.add_argument(
        "--allow-partial",
        action="store_true",
        help="also export results of a partial run (--limit, a shard), marked as such",
    )


def _add_source(form: argparse.ArgumentParser) -> None:
    form.add_argument("--source-url", metavar="URL", help="link to the published results")
    form.add_argument("--source-name", metavar="NAME", help="name of that link")


def _read(options: argparse.Namespace) -> tuple[str, list[ExportedFigure]]:
    """The model's name, and the results of the run that are exported."""
    evaluation = read_evaluation(options.results)
    for remark in evaluation.remarks:
        logger.warning("%s", remark)
    figures = exported_figures(
        evaluation,
        tasks=options.task,
        metrics=options.metrics,
        allow_partial=options.allow_partial,
    )
    return model_name(evaluation.model, options.model, evaluation.newest.path), figures


def _of_tasks(
    given: Sequence[str], figures: Sequence[ExportedFigure], option: str
) -> dict[str | None, str]:
    named = assignments(given, option)
    require_tasks(named, figures, option)
    return named


def _datasets(
    options: argparse.Namespace, figures: Sequence[ExportedFigure]
) -> dict[str | None, str]:
    """The data sets that the user names; one name may be used for several tasks."""
    named = _of_tasks(options.dataset, figures, "--dataset")
    tasks = list(dict.fromkeys(figure.task for figure in figures if figure.task not in named))
    if None in named and len(tasks) > 1:
        logger.warning(
            "--dataset %s is used as the data set of %d tasks (%s). Use --dataset TASK=ORG/NAME "
            "for only one.",
            named[None],
            len(tasks),
            ", ".join(tasks),
        )
    return named
