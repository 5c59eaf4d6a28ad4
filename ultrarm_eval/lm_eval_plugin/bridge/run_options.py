"""Options of a run that our tasks and judges cannot follow, and what the results say of others.

The harness records what it was asked for, and leaves it to tasks and models what they make of it.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from types import ModuleType
from typing import Any

from ultrarm_eval.lm_eval_plugin.bridge.evaluated_tasks import evaluated_tasks

logger = logging.getLogger("lm_eval.ultrarm_eval")

#: What `simple_evaluate` was asked for: it does not hand everything on to `evaluate`.
_ASKED: ContextVar[Mapping[str, Any]] = ContextVar("ultrarm_eval_asked")
#: Where the model computed, noted by `evaluate`, which alone sees it.
_USED: ContextVar[dict[str, Any]] = ContextVar("ultrarm_eval_used")

_PROBE = ({"role": "user", "content": "question"},)


def connect(evaluator: ModuleType) -> None:
    """Has the harness look at the options before it computes, and at the device afterwards."""
    simple_evaluate, evaluate = evaluator.simple_evaluate, evaluator.evaluate
    signature = inspect.signature(simple_evaluate)

    @functools.wraps(simple_evaluate)
    def simple_evaluate_as_asked(*args: Any, **kwargs: Any) -> Any:
        asked = signature.bind_partial(*args, **kwargs).arguments
        if asked.get("num_fewshot"):
            _refuse_shots(
                _without_shots(asked.get("tasks"), asked.get("task_manager")),
                asked["num_fewshot"],
            )
        used: dict[str, Any] = {}
        tokens = _ASKED.set(asked), _USED.set(used)
        try:
            results = simple_evaluate(*args, **kwargs)
        finally:
            _ASKED.reset(tokens[0])
            _USED.reset(tokens[1])
        if isinstance(results, Mapping):  # None in all processes but the first
            _say_device(results.get("config"), used)
        return results

    @functools.wraps(evaluate)
    def evaluate_as_asked(lm: Any, task_dict: Any, *args: Any, **kwargs: Any) -> Any:
        tasks = dict(evaluated_tasks(task_dict))
        ours = {name: task for name, task in tasks.items() if hasattr(task, "takes_shots")}
        is_judge = bool(getattr(lm, "is_reward_judge", False))
        if ours or is_judge:
            asked = _ASKED.get({})
            _look_at(lm, tasks, {**asked, **kwargs}, is_judge=is_judge)
            _USED.get({}).update(device=_device(lm, is_judge=is_judge))
        return evaluate(lm, task_dict, *args, **kwargs)

    evaluator.simple_evaluate = simple_evaluate_as_asked  # type: ignore[attr-defined]
    evaluator.evaluate = evaluate_as_asked  # type: ignore[attr-defined]


def _look_at(
    lm: Any, tasks: Mapping[str, Any], asked: Mapping[str, Any], *, is_judge: bool
) -> None:
    for name, task in tasks.items():
        if getattr(task, "takes_shots", True):
            continue
        shots = asked.get("num_fewshot") or getattr(task.config, "num_fewshot", None)
        if shots:
            _refuse_shots([name], shots)
    if asked.get("gen_kwargs") and not any(
        getattr(task, "OUTPUT_TYPE", None) == "generate_until" for task in tasks.values()
    ):
        logger.warning(
            "--gen_kwargs changes nothing: no task of this run has text generated. A judge's own "
            "settings stand in --model_args."
        )
    samples = asked.get("samples")
    if samples is not None:
        for name, task in tasks.items():
            if hasattr(task, "takes_shots") and name not in samples:
                logger.warning(
                    "%s: --samples does not name it, so all its documents are used.", name
                )
    if is_judge:
        _look_at_texts(lm, tasks, asked)


def _look_at_texts(lm: Any, tasks: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """What a judge makes of options about the texts that a language model would read."""
    from ultrarm_eval.errors import ConfigurationError

    chat = asked.get("apply_chat_template")
    template = lm.judge.settings().get("template") if hasattr(lm, "judge") else None
    if isinstance(chat, str):
        raise ConfigurationError(
            f"--apply_chat_template {chat}: a judge's texts are written by its own template, which "
            "--model_args template=NAME sets (chat: the tokenizer's; or a Jinja file). Leave the "
            "name out."
        )
    ours = [name for name, task in tasks.items() if getattr(task, "is_pairwise", False)]
    if chat and ours and template not in (None, "chat"):
        logger.warning(
            "--apply_chat_template changes nothing in %s: the judge's texts are written by "
            "template=%s. --model_args template=chat takes the tokenizer's chat template.",
            ", ".join(ours),
            template,
        )
    instruction = asked.get("system_instruction")
    reads_alike = getattr(getattr(lm, "judge", None), "reads_alike", None)
    if instruction and ours and reads_alike is not None:
        instructed = ({"role": "system", "content": instruction}, *_PROBE)
        if reads_alike([instructed, _PROBE], "answer"):
            raise ConfigurationError(
                f"--system_instruction changes no text of this judge: its template ({template}) "
                "writes no system turn. Name another template in --model_args, or leave the "
                "instruction out."
            )


def _refuse_shots(names: Sequence[str], shots: Any) -> None:
    from ultrarm_eval.errors import ConfigurationError

    if names:
        raise ConfigurationError(
            f"--num_fewshot {shots}: {', '.join(names)} {'take' if len(names) > 1 else 'takes'} no "
            "examples. Each conversation is read as it is, so they would be recorded and left out. "
            "Leave --num_fewshot out (or give 0); run tasks with examples in a run of their own."
        )


def _without_shots(tasks: Any, manager: Any) -> list[str]:
    """Our tasks without examples among those a run names; nothing is loaded for it."""
    given = [tasks] if isinstance(tasks, str | Mapping) else list(tasks or ())
    found = [
        str(getattr(getattr(task, "config", None), "task", task))
        for task in given
        if not getattr(task, "takes_shots", True)
    ]
    names = [name for task in given for name in _named(task)]
    try:
        found += _names_without_shots(names, manager)
    except Exception as error:
        # Other people's task files are read; what is wrong with them the harness says.
        logger.debug("Tasks are looked at when loaded: %s: %s", type(error).__name__, error)
    return list(dict.fromkeys(found))


def _names_without_shots(names: Sequence[str], manager: Any) -> list[str]:
    from lm_eval.tasks import TaskManager

    from ultrarm_eval.lm_eval_plugin.bridge.task_files import tasks_without_shots

    # Ours come from plugins: the long look at the built-in tasks is not needed.
    return tasks_without_shots(manager or TaskManager(include_defaults=False), names)


def _named(task: Any) -> Iterable[str]:
    if isinstance(task, str):
        return (task,)
    if isinstance(task, Mapping):
        inner = task.get("task")
        if isinstance(inner, list):
            return [name for one in inner for name in _named(one)]
        return (inner,) if isinstance(inner, str) else ()
    return ()


def _device(lm: Any, *, is_judge: bool) -> str | None:
    """Where a model computes; None where it does not say so."""
    if is_judge:
        device = lm.judge.settings().get("device") if hasattr(lm, "judge") else None
    else:
        device = getattr(lm, "device", None)
    return None if device is None else str(device)


def _say_device(config: Any, used: Mapping[str, Any]) -> None:
    """Puts the device that was used where the harness writes the one that was asked for."""
    if not isinstance(config, dict) or "device" not in used:
        return
    device, asked = used["device"], config.get("device")
    config["device_used"] = config["device"] = device
    if asked is not None and asked != device:
        config["device_requested"] = asked
