"""`ultrarm-eval export`: results in the forms that leaderboards take."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ultrarm_eval.errors import DataError, first_line
from ultrarm_eval.exports.figures import ExportedFigure, exported_figures, spelled_out
from ultrarm_eval.exports.hub_names import Source, assignments, model_name, require_tasks
from ultrarm_eval.exports.rewardbench import (
    OVERALL_TASK,
    Render,
    scores_file,
    write_files,
)
from ultrarm_eval.messages import as_messages
from ultrarm_eval.runs.evaluation import read_evaluation
from ultrarm_eval.runs.identity import distinguishing, model_settings
from ultrarm_eval.runs.judge_identity import same_judges
from ultrarm_eval.runs.run import Run, find_runs
from ultrarm_eval.runs.task_result import TaskResult
from ultrarm_eval.text_format.system_turns import checked_system, without_system
from ultrarm_eval.text_format.template import (
    CHAT_TEMPLATE,
    TEMPLATE_NAMES,
    get_template,
    template_for,
)
from ultrarm_eval.text_format.text_pair import PAIR_TEMPLATE

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
        overwrite: Whether an export with another content is replaced.
    """

    model: str | None = None
    tasks: Sequence[str] = ()
    metrics: str = "main"
    datasets: Sequence[str] = ()
    allow_partial: bool = False
    source_url: str | None = None
    source_name: str | None = None
    overwrite: bool = False


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
    from ultrarm_eval.exports.eval_results import EvalResultsOptions, write_eval_results

    model, figures = _read(results, options)
    beside = EvalResultsOptions(
        datasets=_of_tasks(options.datasets, figures, "--dataset"),
        task_ids=_of_tasks(task_ids, figures, "--task-id"),
        source=Source(options.source_url, options.source_name),
        overwrite=options.overwrite,
    )
    return write_eval_results(Path(output), model, figures, beside)


def export_model_index(results: str, output: str, options: ExportOptions) -> list[Path]:
    """Writes the results for the metadata of a model's card; arguments as above."""
    from ultrarm_eval.exports.model_index import write_model_index

    model, figures = _read(results, options)
    return write_model_index(
        Path(output),
        model,
        figures,
        datasets=_datasets(options, figures),
        source=Source(options.source_url, options.source_name),
        overwrite=options.overwrite,
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
    from ultrarm_eval.exports.every_eval_ever import Evaluator, write_every_eval_ever

    model, figures = _read(results, options)
    source = Source(options.source_url)
    return write_every_eval_ever(
        Path(output),
        model,
        figures,
        Evaluator(organization, source.url, relationship),
        datasets=_datasets(options, figures),
        with_samples=with_samples,
        overwrite=options.overwrite,
    )


def _read(results: str, options: ExportOptions) -> tuple[str, list[ExportedFigure]]:
    evaluation = read_evaluation(results)
    for remark in evaluation.remarks:
        logger.warning("%s", remark)
    figures = exported_figures(
        evaluation,
        tasks=options.tasks,
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


def _datasets(options: ExportOptions, figures: Sequence[ExportedFigure]) -> dict[str | None, str]:
    """The data sets that the user names, where one name may stand for several tasks."""
    named = _of_tasks(options.datasets, figures, "--dataset")
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


def export_rewardbench(
    results: str, output: str, *, model: str | None, overwrite: bool = False
) -> list[Path]:
    """Writes RewardBench's two files from a run of `rewardbench_overall`.

    Args:
        results: The run: its results file, or its folder.
        output: The folder that gets the files.
        model: What the leaderboard calls the model; the run's name of it if None.
        overwrite: Whether an export with another content is replaced.

    Returns:
        The files' paths.

    Raises:
        UltrarmEvalError: The run has not what is needed.
    """
    result = _result_of(results, OVERALL_TASK)
    run = result.run
    _require_whole(result)
    columns = scores_file(run.samples(OVERALL_TASK), _renderer(run))
    return write_files(
        Path(output),
        model_name(run.model, model, run.path),
        columns,
        model_type=_MODEL_TYPES.get(str(run.config.get("judge")), _USUAL_TYPE),
        chat_template=_official_name(run.config.get("template")),
        overwrite=overwrite,
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
    system = checked_system(config.get("system"))

    def render(prompt: Any, completion: str) -> str:
        messages = without_system(as_messages(prompt), system)
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


def _result_of(given: str, task: str) -> TaskResult:
    """The result of a task that counts among the runs of a folder: a whole one before a part.

    Raises:
        DataError: There is none, or there are some of several models or settings.
    """
    runs = find_runs(given, task)
    results = [TaskResult(task, run, run.results["results"][task]) for run in runs]
    identities = [(run.model, model_settings(run)) for run in runs]
    judges = list(same_judges(identities))
    if len(judges) > 1:
        labels = distinguishing([identities[places[0]] for places in judges])
        raise DataError(
            f"{given}: runs with several settings have {task}: {'; '.join(labels)}. Give the "
            "results file of one of them."
        )
    best = max(
        results, key=lambda one: (not one.parts, one.samples_path is not None, one.run.stamp)
    )
    if len(results) > 1:
        others = ", ".join(
            one.run.path.name + (f" ({spelled_out(one.parts)})" if one.parts else "")
            for one in results
            if one is not best
        )
        logger.warning(
            "%s: there are %d runs, and %s is exported: of those over all the data the newest "
            "with samples. Not exported: %s.",
            task,
            len(results),
            best.run.path.name,
            others,
        )
    return best


def _require_whole(result: TaskResult) -> None:
    """Refuses a run over a part of the data: the leaderboard's files are of all."""
    if result.parts:
        options = {"limit": "--limit", "samples": "--samples"}
        parts = {options.get(name, name): value for name, value in result.parts.items()}
        raise DataError(
            f"{result.run.path}: the run is over a part of the data ({spelled_out(parts)}); the "
            "leaderboard's files are of all. Run it whole."
        )
