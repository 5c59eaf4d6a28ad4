"""What identifies a run: the model with its settings, and the task with its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ultrarm_eval.engine_settings import EngineSettings
from ultrarm_eval.runs.judge_identity import (
    FINGERPRINT,
    IDENTIFIES,
    OF_COMPUTING,
    PARAMETERS,
    arguments,
    judge_settings,
    stated,
    without_fingerprints,
)
from ultrarm_eval.runs.run import Run
from ultrarm_eval.setting import settings_in

_GENERATING = "generate_until"
_MISSING = object()

#: Settings about which data a task read, as opposed to how it compared them.
OF_DATA = ("data_used", "data_revision", "split")
#: The settings that results of this package's tasks depend on, other than the task's name.
_OF_TASK = (
    "version",
    "preference",
    "ties",
    "min_gap",
    "category",
    *OF_DATA,
)
# Further ones of tasks with judged answers. In results of older versions the metadata of every task
# may contain them, because the harness merges a run's --model_args into it.
_OF_JUDGED_TASK = ("reference", "n")
# Metadata keys by which a task of this package is recognized.
_MARKS_OF_OURS = ("counts", "data_used", "judge_used", "suite", "preference", "ties", "min_gap")
# Metadata keys of third-party tasks on which no result depends.
_DESCRIBING = ("config_source", "data_digest", "in_sample_for", "shard", "undefined")
_JUDGING_FILTERS = ("reward", "best_of_n")
_OF_FILTER = ("n", "reference")


def model_settings(run: Run) -> dict[str, Any]:
    """The settings other than the checkpoint that a run's results depend on, as far as recorded."""
    config = run.config
    given = arguments(config.get("model_args"))
    found: dict[str, Any]
    if config.get("judge") is not None:
        own = config.get("judge_settings")
        reported = own if isinstance(own, Mapping) else config
        about = {name: config.get(name) for name in ("judge", FINGERPRINT, IDENTIFIES, PARAMETERS)}
        found = judge_settings({**reported, **about}, given)
        fingerprint = found.pop(FINGERPRINT, None)
        found["model_sha"] = config.get("model_sha")
        found["system_instruction"] = run.results.get("system_instruction_sha")
        found[FINGERPRINT] = fingerprint
    else:
        found = {"model": config.get("model"), "revision": config.get("model_revision")}
        # Engine settings such as base_url may name the model that lm-eval uses.
        known = {"pretrained", *OF_COMPUTING} - settings_in(EngineSettings).keys()
        found |= {name: value for name, value in given.items() if name not in known}
        found["model_sha"] = config.get("model_sha")
        found["chat_template"] = run.results.get("chat_template_sha")
        found["system_instruction"] = run.results.get("system_instruction_sha")
    return stated(found)


def task_settings(run: Run, key: str) -> dict[str, Any]:
    """The settings that a task's results depend on, as far as recorded; for a group of its tasks.

    Args:
        run: The run.
        key: The harness's key of the task or group.
    """
    members = member_tasks(run, key)
    if members:
        return _of_all({run.name_of(one).task: task_settings(run, one) for one in members})
    config = mapping(mapping(run.results.get("configs")).get(key))
    metadata = mapping(config.get("metadata"))
    found = _of_metadata(metadata, run, is_generating=config.get("output_type") == _GENERATING)
    found |= _of_judge(metadata, config)
    shots = mapping(run.results.get("n-shot")).get(key)
    found["num_fewshot"] = shots or None
    if shots:
        found["fewshot_seed"] = run.config.get("fewshot_seed")
    if config.get("output_type") == _GENERATING:
        found |= _of_generation(config, run)
    return {name: value for name, value in found.items() if value is not None}


def _of_metadata(metadata: Mapping[str, Any], run: Run, *, is_generating: bool) -> dict[str, Any]:
    if any(name in metadata for name in _MARKS_OF_OURS):
        is_judged = is_generating or "judge_used" in metadata
        names = (*_OF_TASK, *(_OF_JUDGED_TASK if is_judged else ()))
        return {name: metadata.get(name) for name in names}
    # Third-party tasks may read any key, except the model's arguments, which lm-eval adds.
    given = arguments(run.config.get("model_args"))
    return {
        str(name): value
        for name, value in metadata.items()
        if name not in _DESCRIBING and str(given.get(name, _MISSING)).lower() != str(value).lower()
    }


def _of_judge(metadata: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """The judge of generated answers, and its settings."""
    used = mapping(metadata.get("judge_used"))
    given = mapping(metadata.get("judge_args"))
    found: dict[str, Any] = {}
    if used:
        found["judge"] = used.get("pretrained") or used.get("name")
    else:
        settings = _judging_filter(config)
        found = {name: settings[name] for name in ("judge", *_OF_FILTER) if name in settings}
        given = mapping(settings.get("judge_args"))
    of_judge = judge_settings(used, given)
    return found | {f"judge_{name}": value for name, value in of_judge.items()}


def _judging_filter(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The settings of a task's judging filter; empty if it has none."""
    listed = config.get("filter_list")
    for each in listed if isinstance(listed, list) else ():
        functions = mapping(each).get("filter")
        for function in functions if isinstance(functions, list) else ():
            if mapping(function).get("function") in _JUDGING_FILTERS:
                return mapping(function)
    return {}


def _of_generation(config: Mapping[str, Any], run: Run) -> dict[str, Any]:
    """The settings with which the model generates."""
    given = mapping(config.get("generation_kwargs"))
    found = {f"gen_{name}": value for name, value in given.items()}
    if given.get("do_sample"):
        found["torch_seed"] = run.config.get("torch_seed")
    repeats = config.get("repeats")
    if repeats != 1:
        found["repeats"] = repeats
    return found


def member_tasks(run: Run, group: str) -> tuple[str, ...]:
    """The tasks of a group, also of nested groups, in the run's order; none for a task.

    Args:
        run: The run.
        group: The harness's key of the group.

    Returns:
        The harness's keys of the tasks.
    """
    members = mapping(run.results.get("group_subtasks"))
    seen: dict[str, bool] = {}
    waiting = [group]
    while waiting:
        name = waiting.pop(0)
        if name not in seen:
            below = members.get(name)
            below = [n for n in below if isinstance(n, str)] if isinstance(below, list) else []
            seen[name] = not below
            waiting += below
    return tuple(name for name, is_task in seen.items() if is_task and name != group)


def _of_all(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Settings of several tasks: one value where all have the same, otherwise that of each."""
    found: dict[str, Any] = {}
    for name in dict.fromkeys(name for of_one in settings.values() for name in of_one):
        values = {task: of_one.get(name) for task, of_one in settings.items()}
        first = next(iter(values.values()))
        found[name] = first if all(value == first for value in values.values()) else values
    return found


def distinguishing(named: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """Labels that distinguish things of the same name by the settings that differ.

    Args:
        named: Name and settings of each thing.

    Returns:
        One label each: the name where it is unique, otherwise the name with the settings that
        differ in brackets, numbered where no setting differs.
    """
    labels = []
    for name, settings in named:
        same = [others for other, others in named if other == name]
        differing = [
            key
            for key in dict.fromkeys(key for others in same for key in others)
            if any(others.get(key) != settings.get(key) for others in same)
        ]
        # Only if no other setting differs.
        told = without_fingerprints(differing)
        twins = [o for o in same if all(o.get(key) == settings.get(key) for key in told)]
        # Runs of older versions may lack a setting, which is not a difference.
        known = [key for key in differing if settings.get(key) is not None]
        if any(o.get(key) not in (None, settings[key]) for o in twins for key in known):
            told = differing
        said = ", ".join(f"{key}={_short(settings.get(key))}" for key in told)
        labels.append(f"{name} ({said})" if said else name)
    return [
        f"{label} [{labels[: index + 1].count(label)}]" if labels.count(label) > 1 else label
        for index, label in enumerate(labels)
    ]


def mapping(value: Any) -> Mapping[str, Any]:
    """A mapping, or an empty one instead of anything else."""
    return value if isinstance(value, Mapping) else {}


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 24 else f"{text[:12]}…{text[-8:]}"
