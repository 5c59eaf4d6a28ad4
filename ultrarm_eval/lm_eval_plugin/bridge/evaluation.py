"""Wrappers around the harness's `simple_evaluate` and `evaluate`.

No release makes them unnecessary: lm-eval has no hooks for tasks and models to check a run before
it starts, to add to its results, or to keep the generated answers when judging fails.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import islice
from types import ModuleType
from typing import Any

from ultrarm_eval.lm_eval_plugin.bridge import run_check
from ultrarm_eval.lm_eval_plugin.group_errors import mend_group_errors
from ultrarm_eval.lm_eval_plugin.harness_features import filters_of, scorers_of
from ultrarm_eval.lm_eval_plugin.metric_list import metric_list
from ultrarm_eval.lm_eval_plugin.protocols import BridgedTask, judge_of
from ultrarm_eval.lm_eval_plugin.run_metadata import RunMetadata
from ultrarm_eval.runs.digest import samples_digest
from ultrarm_eval.runs.sample_values import sample_value

logger = logging.getLogger("lm_eval.ultrarm_eval")


@dataclass
class _Run:
    """A call of `simple_evaluate`, which does not pass everything on to `evaluate`.

    Attributes:
        options: Its arguments.
        says_device: Whether to record in the results where the model computed.
        device: The device, found by `evaluate`, which has the model.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    says_device: bool = False
    device: str | None = None


_RUN: ContextVar[_Run] = ContextVar("ultrarm_eval_run")


def connect(evaluator: ModuleType) -> None:
    """Replaces the harness's functions with the wrappers."""
    wrapped: Any = evaluator
    wrapped.simple_evaluate = _simple_evaluate(evaluator)
    wrapped.evaluate = _evaluate(evaluator.evaluate)


def evaluated_tasks(task_dict: Any) -> Iterator[tuple[str, Any]]:
    """Yields tasks by name, from the flat form of 0.4.12 or the nested one of earlier releases."""
    if not isinstance(task_dict, Mapping):
        return
    if isinstance(task_dict.get("tasks"), Mapping):
        task_dict = task_dict["tasks"]
    for name, value in task_dict.items():
        if isinstance(value, Mapping):
            yield from evaluated_tasks(value)
        elif hasattr(value, "OUTPUT_TYPE"):
            yield str(name), value


def _simple_evaluate(evaluator: ModuleType) -> Callable[..., Any]:
    simple_evaluate = evaluator.simple_evaluate
    signature = inspect.signature(simple_evaluate)

    @functools.wraps(simple_evaluate)
    def evaluate_with_options(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        given = bound.arguments
        run = _Run(dict(given))
        run_check.refuse_shots(given)
        if given.get("task_manager") is None:
            model_args = given.get("model_args")
            if isinstance(model_args, str):
                model_args = evaluator.simple_parse_args_string(model_args)
            metadata = RunMetadata.of_run(model_args, given.get("metadata"))
            given["task_manager"] = evaluator.TaskManager(metadata=metadata)
        token = _RUN.set(run)
        try:
            results = simple_evaluate(*bound.args, **bound.kwargs)
        finally:
            _RUN.reset(token)
        if isinstance(results, Mapping):  # None in all processes but the first
            _name_judge(given, results.get("config") or {})
            if run.says_device:
                _say_device(results.get("config"), run.device)
        return results

    return evaluate_with_options


def _evaluate(evaluate: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(evaluate)
    def evaluate_tasks(lm: Any, task_dict: Any, *args: Any, **kwargs: Any) -> Any:
        tasks = dict(evaluated_tasks(task_dict))
        ours = {name: task for name, task in tasks.items() if isinstance(task, BridgedTask)}
        run, judge = _RUN.get(None) or _Run(), judge_of(lm)
        if ours or judge is not None:
            run_check.look_at_options(judge, tasks, {**run.options, **kwargs})
            run.says_device, run.device = True, _device(lm)
        if judge is not None:
            run_check.look_at_tasks(judge, tasks)
        elif isinstance(getattr(lm, "__dict__", {}).get("dbdict"), MutableMapping):
            # The harness's cache around a language model; a judge looks at its own by itself.
            from ultrarm_eval.lm_eval_plugin.response_cache import refuse_rewards

            refuse_rewards(lm.dbdict)
        limit = kwargs.get("limit")
        most = int(limit) if limit and limit >= 1 else None
        judged = [_prepare_filters(task, most) for task in tasks.values()]
        for task in ours.values():
            task.before_requests(lm, most)
        try:
            results = evaluate(lm, task_dict, *args, **kwargs)
        except BaseException as error:
            if any(judged):
                _keep_answers(tasks, error)
            raise
        if isinstance(results, Mapping):  # None in all processes but the first
            _add_results(results, ours)
            mend_group_errors(results, task_dict)
        return results

    return evaluate_tasks


def _prepare_filters(task: Any, most: int | None) -> bool:
    """Checks a task's judging filters, and sets whether other filters follow.

    The harness creates a filter only when all answers exist: mistakes in it would show up hours too
    late.

    Returns:
        Whether a judge scores the model's answers for the task.
    """
    from ultrarm_eval.lm_eval_plugin.reward_filters import JudgingFilter

    found = isinstance(task, BridgedTask)
    if isinstance(task, BridgedTask) and not task.has_answers_judged():
        return False
    for ensemble in filters_of(task):
        for place, make in enumerate(ensemble.filters):
            kind = getattr(make, "func", make)
            if not (isinstance(kind, type) and issubclass(kind, JudgingFilter)):
                continue
            found = True
            repeats = int(getattr(task.config, "repeats", None) or 1)
            make().check(islice(iter(task.eval_docs), most), repeats)
            followed = place < len(ensemble.filters) - 1
            ensemble.filters[place] = functools.partial(make, followed=followed, repeats=repeats)
    return _check_scorers(task, most) or found


def _check_scorers(task: Any, most: int | None) -> bool:
    """Checks a task's judging scorers, if the harness has scorers.

    Returns:
        Whether there are any.
    """
    scorers = scorers_of(task)
    if scorers is None:
        return False
    from ultrarm_eval.lm_eval_plugin.reward_scorer import RewardScorer

    judging = [one for one in scorers if isinstance(one, RewardScorer)]
    for scorer in judging:
        scorer.check(islice(iter(task.eval_docs), most), int(task.config.repeats or 1))
    return bool(judging)


def _keep_answers(tasks: Mapping[str, Any], error: BaseException) -> None:
    """Saves the generated answers of tasks whose answers are not saved yet."""
    from ultrarm_eval.judges.kept_answers import write_rows

    for name, task in tasks.items():
        instances = getattr(task, "_instances", None) or ()
        written = [i for i in instances if i.request_type == "generate_until" and i.resps]
        if written and written[0].doc is not getattr(error, "kept", None):
            path = write_rows(f"answers-of-{name}", _answer_rows(written))
            logger.error("%s: the model's answers are kept in %s.", name, path)


def _answer_rows(instances: Iterable[Any]) -> Iterator[dict[str, Any]]:
    for instance in instances:
        for answer in instance.resps[: instance.repeats]:
            yield {"doc_id": instance.doc_id, "prompt": instance.args[0], "completion": answer}


def _add_results(results: Mapping[str, Any], tasks: Mapping[str, BridgedTask]) -> None:
    """Adds what tasks and judges know only after the evaluation.

    The harness copies a task's metadata before its metrics are aggregated, and records only the
    text of an answer.
    """
    samples = results.get("samples") or {}
    if any(samples.values()):
        from ultrarm_eval.lm_eval_plugin.harness_values import sample_judgements

        for of_task in samples.values():
            for sample in of_task:
                responses, filtered = sample.get("resps"), sample.get("filtered_resps")
                sample.update(sample_judgements(responses, filtered))
    for name, task in tasks.items():
        of_task = samples.get(name) or ()
        for sample in of_task:
            sample.update(
                {m: sample_value(sample[m]) for m in sample.get("metrics", ()) if m in sample}
            )
        digest = {"data_digest": samples_digest(of_task)} if of_task else {}
        _add_metadata(results, name, {**task.after_evaluation(of_task), **digest})
        figures = results.get("results", {}).get(name, {})
        config = results.get("configs", {}).get(name)
        if isinstance(config, dict) and not task.only_writes():
            config["metric_list"] = metric_list(
                task.averaged_metrics(),
                figures,
                results.get("higher_is_better", {}).get(name) or {},
                config.get("metric_list") or (),
            )
        for metric, error in task.abstentions.standard_errors.items():
            for key in list(figures):
                of_metric, _, filter_name = str(key).partition(",")
                if of_metric == metric and f"{metric}_stderr,{filter_name}" in figures:
                    figures[f"{metric}_stderr,{filter_name}"] = error


def _add_metadata(results: Mapping[str, Any], name: str, known: Mapping[str, Any]) -> None:
    metadata = results.get("configs", {}).get(name, {}).get("metadata")
    if isinstance(metadata, dict):
        metadata.update(known)
    if known.get("undefined"):
        logger.info(
            "%s: documents excluded from a metric because they have no pair for it: %s.",
            name,
            ", ".join(f"{metric} {count}" for metric, count in known["undefined"].items()),
        )


def _device(lm: Any) -> str | None:
    """The device of a model; None if it is not known."""
    judge = judge_of(lm)
    own = getattr(lm, "device", None)
    device = own if judge is None else judge.judge.settings().get("device")
    return None if device is None else str(device)


def _say_device(config: Any, used: str | None) -> None:
    """Records the device that was used, where the harness records the requested one."""
    if not isinstance(config, dict):
        return
    asked = config.get("device")
    config["device_used"] = config["device"] = used
    if asked is not None and asked != used:
        config["device_requested"] = asked


def _name_judge(given: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """Names a judge without weights, and its results folder, by its registered name.

    The harness names a model without a name in its arguments by eight random characters.
    """
    from ultrarm_eval.runs.run import names_model

    tracker = getattr(given.get("evaluation_tracker"), "general_config_tracker", None)
    if tracker is None or config.get("judge") is None or names_model(given.get("model_args")):
        return
    from lm_eval.utils import sanitize_model_name

    tracker.model_name = str(config.get("pretrained") or config["judge"])
    tracker.model_name_sanitized = sanitize_model_name(tracker.model_name)
