"""`ultrarm-eval export`: results in the forms that leaderboards take."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ultrarm_eval.errors import DataError, first_line
from ultrarm_eval.judges.pair_template import PAIR_TEMPLATE
from ultrarm_eval.messages import as_messages
from ultrarm_eval.results.evaluation import read_evaluation
from ultrarm_eval.results.exports.figures import ReportedFigure, reported_figures
from ultrarm_eval.results.exports.hub_data import assignments
from ultrarm_eval.results.exports.model_name import model_name
from ultrarm_eval.results.exports.rewardbench import (
    OVERALL_TASK,
    Render,
    scores_file,
    write_files,
)
from ultrarm_eval.results.exports.source import Source
from ultrarm_eval.results.identity import mapping
from ultrarm_eval.results.run import Run, find_run
from ultrarm_eval.templates import CHAT_TEMPLATE, TEMPLATE_NAMES, get_template, template_for

logger = logging.getLogger(__name__)

# The leaderboard's words.
_USUAL_TYPE = "Seq. Classifier"
_MODEL_TYPES = {"dpo": "DPO", "critique": "Generative RM", "likelihood": "Custom Classifier"}


@dataclass(frozen=True)
class ExportOptions:
    """What the forms made of a run's figures have in common.

    Attributes:
        model: What the model is called; the run's name of it if None.
        tasks: The tasks and groups to export; all if empty.
        metrics: `main` or `all`.
        datasets: `[TASK=]ORG/NAME` texts, the hub's name of a task's data.
        allow_partial: Whether figures over a part of the data are exported.
        source_url: Where the results can be looked up.
        source_name: What that link is called.
    """

    model: str | None = None
    tasks: Sequence[str] = ()
    metrics: str = "main"
    datasets: Sequence[str] = ()
    allow_partial: bool = False
    source_url: str | None = None
    source_name: str | None = None


def export_eval_results(
    results: str, output: str, options: ExportOptions, *, task_ids: Sequence[str] = ()
) -> list[Path]:
    """Writes Hugging Face's `.eval_results/*.yaml`.

    Args:
        results: The run: its results file, or its folder.
        output: The folder that gets the files.
        options: What to export.
        task_ids: `[TASK=]ID` texts, what a benchmark's eval.yaml calls a task.

    Returns:
        The files' paths.

    Raises:
        UltrarmEvalError: The run has not what is needed.
    """
    from ultrarm_eval.results.exports.eval_results import EvalResultsOptions, write_eval_results

    model, figures = _read(results, options)
    beside = EvalResultsOptions(
        datasets=assignments(options.datasets, "--dataset"),
        task_ids=assignments(task_ids, "--task-id"),
        source=Source(options.source_url, options.source_name),
    )
    return write_eval_results(Path(output), model, figures, beside)


def export_model_index(results: str, output: str, options: ExportOptions) -> list[Path]:
    """Writes the results for the metadata of a model's card; arguments as above."""
    from ultrarm_eval.results.exports.model_index import write_model_index

    model, figures = _read(results, options)
    return write_model_index(
        Path(output),
        model,
        figures,
        datasets=assignments(options.datasets, "--dataset"),
        source=Source(options.source_url, options.source_name),
    )


def export_every_eval_ever(
    results: str,
    output: str,
    options: ExportOptions,
    *,
    organization: str,
    relationship: str,
    with_samples: bool,
) -> list[Path]:
    """Writes records of Every Eval Ever.

    Args:
        results: The run: its results file, or its folder.
        output: The folder that gets the files.
        options: What to export.
        organization: Who made the run.
        relationship: What they are to the model's developer.
        with_samples: Whether samples are written as well.

    Returns:
        The files' paths.

    Raises:
        UltrarmEvalError: The run has not what is needed.
    """
    from ultrarm_eval.results.exports.every_eval_ever import Evaluator, write_every_eval_ever

    model, figures = _read(results, options)
    source = Source(options.source_url)
    return write_every_eval_ever(
        Path(output),
        model,
        figures,
        Evaluator(organization, source.url, relationship),
        datasets=assignments(options.datasets, "--dataset"),
        with_samples=with_samples,
    )


def _read(results: str, options: ExportOptions) -> tuple[str, list[ReportedFigure]]:
    evaluation = read_evaluation(results)
    for remark in evaluation.remarks:
        logger.warning("%s", remark)
    figures = reported_figures(
        evaluation,
        tasks=options.tasks,
        metrics=options.metrics,
        allow_partial=options.allow_partial,
    )
    return model_name(evaluation.model, options.model), figures


def export_rewardbench(results: str, output: str, *, model: str | None) -> list[Path]:
    """Writes RewardBench's two files from a run of `rewardbench_overall`.

    Args:
        results: The run: its results file, or its folder.
        output: The folder that gets the files.
        model: What the leaderboard calls the model; the run's name of it if None.

    Returns:
        The files' paths.

    Raises:
        UltrarmEvalError: The run has not what is needed.
    """
    run = find_run(results, OVERALL_TASK)
    _require_whole(run)
    columns = scores_file(run.samples(OVERALL_TASK), _renderer(run))
    return write_files(
        Path(output),
        model_name(run.model, model),
        columns,
        model_type=_MODEL_TYPES.get(str(run.config.get("judge")), _USUAL_TYPE),
        chat_template=_official_name(run.config.get("template")),
    )


def _official_name(template: Any) -> str:
    """What RewardBench calls a template: its own for UltraRM, or the tokenizer's."""
    return {"rewardbench": "openbmb", "chat": "tokenizer"}.get(str(template), str(template))


def _renderer(run: Run) -> Render:
    """Writes texts as the run's judge read them."""
    config = run.config
    name = config.get("template")
    if name is None:
        raise DataError(
            f"{run.path}: the run does not say with which template its texts were made; only "
            "those of a judge do (--model ultrarm or reward-model)."
        )
    if name == PAIR_TEMPLATE:
        raise DataError(
            f"{run.path}: its texts were made with template={name}, which writes two texts and no "
            "one, and the leaderboard's file has one. Run with another template."
        )
    tokenizer = None if name in TEMPLATE_NAMES and name != CHAT_TEMPLATE else _tokenizer(config)
    template = get_template(str(name), tokenizer)

    def render(prompt: Any, completion: str) -> str:
        messages = as_messages(prompt)
        return template_for(template, messages).render(messages, completion)

    return render


def _tokenizer(config: Mapping[str, Any]) -> Any:
    """The tokenizer of the run's judge, for templates that are its own or ask for its tokens."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(config["pretrained"], revision=config.get("revision"))
    except Exception as error:
        # Files that are missing or damaged, and a hub that is not there: each raises its own.
        raise DataError(
            f"The texts were made with the tokenizer of {config.get('pretrained')}, which cannot "
            f"be had now ({first_line(error)})."
        ) from error


def _require_whole(run: Run) -> None:
    """Refuses a run over a part of the data: the leaderboard's files are of all."""
    metadata = mapping(mapping(run.results.get("configs")).get(OVERALL_TASK)).get("metadata")
    parts = {"--limit": run.config.get("limit"), "shard": mapping(metadata).get("shard")}
    for name, value in parts.items():
        if value is not None:
            raise DataError(
                f"{run.path}: the run is over a part of the data ({name} {value}); the "
                "leaderboard's files are of all. Run it whole."
            )
