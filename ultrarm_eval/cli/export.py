"""`ultrarm-eval export`: results in the forms that leaderboards take."""

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
    """Declares what the command takes."""
    command.description = "Writes the results of a run in another form."
    forms = command.add_subparsers(dest="form", required=True, metavar="FORM")
    for name, help_text, add_form in (
        ("eval-results", "Hugging Face's .eval_results/*.yaml", _add_eval_results),
        ("model-index", "the model-index of a model's card", _add_model_index),
        ("every-eval-ever", "records of the Every Eval Ever database", _add_every_eval_ever),
        ("rewardbench", "the two files of RewardBench's leaderboard", _add_rewardbench),
    ):
        form = forms.add_parser(name, help=help_text)
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
        add_form(form)
        form.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    paths: list[Path] = options.write(options)
    sys.stdout.write("".join(f"{path}\n" for path in paths))
    return 0


def _add_eval_results(form: argparse.ArgumentParser) -> None:
    form.description = (
        "Writes MODEL/.eval_results/DATASET.yaml below DIR, for the model's repository on the "
        "hub: its page shows them, and so does the board of a benchmark whose eval.yaml has "
        "the task. Needs huggingface_hub 1.4 or newer."
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
        "Writes MODEL/model-index.yaml below DIR: metadata for the top of the model's "
        "README.md, to paste, or to merge into it by huggingface_hub.metadata_update."
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
        "Writes data/TASK/ORG/NAME/UUID.json below DIR, and UUID_samples.jsonl beside it where "
        "the run has samples, in version 0.3.0 of the schema. Where the package "
        "every-eval-ever is installed, it checks them first."
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
        "Writes the two files of RewardBench's leaderboard, the accuracies of the subsets and "
        "the rewards of every row, from a run of rewardbench_overall with --log_samples."
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


def _read(options: argparse.Namespace) -> tuple[str, list[ExportedFigure]]:
    """What the model is called, and the figures of the run that are exported."""
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
    """The data sets that the user names, where one name may stand for several tasks."""
    named = _of_tasks(options.dataset, figures, "--dataset")
    tasks = list(dict.fromkeys(figure.task for figure in figures if figure.task not in named))
    if None in named and len(tasks) > 1:
        logger.warning(
            "--dataset %s is taken for the data of %d tasks (%s); name those of one with "
            "--dataset TASK=ORG/NAME.",
            named[None],
            len(tasks),
            ", ".join(tasks),
        )
    return named
