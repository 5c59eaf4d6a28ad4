"""Checks of a run's options and tasks before anything is computed.

The harness records its options and leaves their meaning to tasks and models: options that would
give no result, a wrong one, or not the intended one are refused or reported here. No release makes
it unnecessary.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.lm_eval_plugin.bridge.task_index import tasks_without_shots
from ultrarm_eval.lm_eval_plugin.harness_features import logs_chosen_documents, metrics_of
from ultrarm_eval.lm_eval_plugin.protocols import BridgedJudge, BridgedTask

logger = logging.getLogger("lm_eval.ultrarm_eval")

_REFUSED = {
    "generate_until": "asks it to generate text",
    "loglikelihood_rolling": "asks for the likelihood of whole texts",
    "loglikelihood": "asks for the likelihood of a fixed continuation",
}
_PROBE = ({"role": "user", "content": "question"},)


def refuse_shots(options: Mapping[str, Any]) -> None:
    """Refuses few-shot examples for tasks that use none, by task names, without loading the tasks.

    Args:
        options: The arguments of `simple_evaluate`.

    Raises:
        ConfigurationError: A task uses no few-shot examples.
    """
    shots, tasks = options.get("num_fewshot"), options.get("tasks")
    if not shots:
        return
    given = [tasks] if isinstance(tasks, str | Mapping) else list(tasks or ())
    found = [
        str(getattr(getattr(task, "config", None), "task", task))
        for task in given
        if isinstance(task, BridgedTask) and not task.takes_shots
    ]
    found += _names_without_shots(given, options.get("task_manager"))
    if found:
        raise _no_shots(list(dict.fromkeys(found)), shots)


def look_at_options(
    judge: BridgedJudge | None, tasks: Mapping[str, Any], options: Mapping[str, Any]
) -> None:
    """Checks the options of a run in which a task or the model is ours.

    Args:
        judge: The model, if it is a judge.
        tasks: All tasks, by name.
        options: The arguments of `simple_evaluate` and `evaluate`.

    Raises:
        ConfigurationError: An option cannot be used.
    """
    for name, task in tasks.items():
        if isinstance(task, BridgedTask) and not task.takes_shots:
            config: Any = getattr(task, "config", None)
            shots = options.get("num_fewshot") or getattr(config, "num_fewshot", None)
            if shots:
                raise _no_shots([name], shots)
    if options.get("gen_kwargs") and not any(
        task.OUTPUT_TYPE == "generate_until" for task in tasks.values()
    ):
        logger.warning(
            "--gen_kwargs has no effect: no task of this run generates text. The settings of a "
            "judge belong in --model_args."
        )
    samples = options.get("samples")
    if samples is not None:
        for name, task in tasks.items():
            if isinstance(task, BridgedTask) and name not in samples:
                logger.warning("%s: not in --samples, so all its documents are used.", name)
        _refuse_unlogged(tasks, samples, options)
    if judge is not None:
        _look_at_texts(judge, tasks, options)


def _refuse_unlogged(
    tasks: Mapping[str, Any], samples: Mapping[str, Sequence[int]], options: Mapping[str, Any]
) -> None:
    """Refuses a selection of documents whose samples the harness would fail to log."""
    if not options.get("log_samples", True) or logs_chosen_documents():
        return
    for name in tasks:
        chosen = list(samples.get(name) or ())
        # What is no choice at all a task refuses; the first documents stand at their numbers.
        if all(type(one) is int for one in chosen) and chosen != list(range(len(chosen))):
            raise ConfigurationError(
                f"{name}: this lm-eval cannot log the samples of documents selected by "
                "--samples: it fails with an IndexError at the end of the run (in 0.5.0.dev1, "
                "with any task). Leave --log_samples out (log_samples=False), use --limit to "
                "select the first documents, or use lm-eval 0.4."
            )


def look_at_tasks(judge: BridgedJudge, tasks: Mapping[str, Any]) -> None:
    """Checks what a judge is asked to do.

    Raises:
        ConfigurationError: A judge cannot do a task.
    """
    refused = [
        f"{name} {_REFUSED[task.OUTPUT_TYPE]}"
        for name, task in tasks.items()
        if task.OUTPUT_TYPE in _REFUSED
    ]
    if refused:
        raise ConfigurationError(
            f"A reward judge only scores given answers: {'; '.join(refused)}. Run these tasks "
            "with a language model (--model hf), and the judge on preference or multiple-choice "
            "tasks."
        )
    for name, task in tasks.items():
        metadata = task.config.metadata if isinstance(task.config.metadata, Mapping) else {}
        if judge.pretrained in (metadata.get("in_sample_for") or ()):
            logger.warning(
                "%s was trained on the data of %s: its accuracy there is in-sample and does not "
                "carry over to other data.",
                judge.pretrained,
                name,
            )
        if "acc_norm" in metrics_of(task) and not _is_pairwise(task):
            logger.warning(
                "%s: acc_norm divides rewards by lengths, which is meaningless for a judge; use "
                "acc.",
                name,
            )


def _look_at_texts(
    judge: BridgedJudge, tasks: Mapping[str, Any], options: Mapping[str, Any]
) -> None:
    """Checks options about the texts of a language model, which a judge handles differently."""
    chat = options.get("apply_chat_template")
    if isinstance(chat, str):
        raise ConfigurationError(
            f"--apply_chat_template {chat}: a judge uses its own prompt template. Set it with "
            "--model_args template=NAME (chat for the tokenizer's chat template, or a Jinja "
            "file), and leave the name out here."
        )
    ours = [name for name, task in tasks.items() if _is_pairwise(task)]
    template = judge.judge.settings().get("template")
    if chat and ours and template not in (None, "chat"):
        logger.warning(
            "--apply_chat_template has no effect on %s: the judge uses template=%s. Use "
            "--model_args template=chat for the tokenizer's chat template.",
            ", ".join(ours),
            template,
        )
    instruction = options.get("system_instruction")
    reads_alike = getattr(judge.judge, "reads_alike", None)
    if instruction and ours and reads_alike is not None:
        instructed = ({"role": "system", "content": instruction}, *_PROBE)
        if reads_alike([instructed, _PROBE], "answer"):
            raise ConfigurationError(
                f"--system_instruction has no effect on this judge: its template ({template}) "
                "has no system turn. Name another template in --model_args, or leave the "
                "instruction out."
            )


def _is_pairwise(task: Any) -> bool:
    return isinstance(task, BridgedTask) and task.is_pairwise


def _no_shots(names: Sequence[str], shots: Any) -> ConfigurationError:
    return ConfigurationError(
        f"--num_fewshot {shots}: {', '.join(names)} {'use' if len(names) > 1 else 'uses'} no "
        "few-shot examples, because conversations are scored as they are. Leave --num_fewshot "
        "out (or give 0), and run few-shot tasks separately."
    )


def _names_without_shots(given: Iterable[Any], manager: Any) -> list[str]:
    from lm_eval.tasks import TaskManager

    names = [name for task in given for name in _names_in(task)]
    try:
        # Ours come from plugins: the long look at the built-in tasks is not needed.
        manager = manager or TaskManager(include_defaults=False)
    except Exception as error:
        # Other people's task files are read; what is wrong with them the harness says.
        logger.debug(
            "Tasks are checked only once they are loaded: %s: %s", type(error).__name__, error
        )
        return []
    try:
        return tasks_without_shots(manager, names)
    except Exception as error:
        # A manager of another form; examples are refused once the tasks are loaded.
        logger.warning(
            "Could not determine before loading which tasks use no few-shot examples (%s: %s). "
            "Please report this.",
            type(error).__name__,
            error,
        )
        return []


def _names_in(task: Any) -> Iterable[str]:
    """Yields the names in an element of `tasks`: itself, or those of a configuration or group."""
    if isinstance(task, str):
        return (task,)
    if isinstance(task, Mapping):
        inner = task.get("task")
        if isinstance(inner, list):
            return [name for one in inner for name in _names_in(one)]
        return (inner,) if isinstance(inner, str) else ()
    return ()
