"""A run of RewardBench as its leaderboard needs it: the result that counts, and its texts."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ultrarm_eval.errors import DataError, first_line
from ultrarm_eval.exports.figures import spelled_out
from ultrarm_eval.exports.hub_names import model_name
from ultrarm_eval.exports.rewardbench import OVERALL_TASK, Render, scores_file, write_files
from ultrarm_eval.messages import as_messages
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


def write_rewardbench(
    folder: Path, results: str, *, model: str | None, overwrite: bool
) -> list[Path]:
    """Writes RewardBench's two files from a run of `rewardbench_overall`; their paths.

    Args:
        folder: Where they go.
        results: The run: its results file, or its folder.
        model: What the leaderboard calls the model; the run's name of it if None.
        overwrite: Whether an export with another content is replaced.

    Raises:
        UltrarmEvalError: The run has not what is needed.
    """
    result = _result_of(results, OVERALL_TASK)
    run = result.run
    _require_whole(result)
    return write_files(
        folder,
        model_name(run.model, model, run.path),
        scores_file(run.samples(OVERALL_TASK), _renderer(run)),
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
