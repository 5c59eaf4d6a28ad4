"""What tells runs apart: the model with its settings, and a task with its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ultrarm_eval.results.run import Run

#: Settings of a judge that its rewards depend on, in the order in which labels name them.
_OF_JUDGE = (
    "judge",
    "revision",
    "template",
    "dtype",
    "quantization",
    "special_tokens",
    "system",
    "max_length",
    "parity",
    "reduction",
    "reference",
    "beta",
    "samples",
    "temperature",
    "model_sha",
)
# How fast and where a model ran, and what it was told elsewhere.
_NOT_IDENTIFYING = (
    "pretrained",
    "batch_size",
    "max_batch_size",
    "max_batch_tokens",
    "batching",
    "attn_implementation",
    "device",
    "parallelize",
    "score_store",
    "trust_remote_code",
)
#: What a task's figures depend on, beside its name.
_OF_TASK = (
    "version",
    "preference",
    "ties",
    "min_gap",
    "data_used",
    "data_revision",
    "reference",
    "n",
    "judge",
)


def model_settings(run: Run) -> dict[str, Any]:
    """What a run's results depend on beside the checkpoint, as far as the run says it."""
    config = run.config
    if config.get("judge") is not None:
        found = {name: config.get(name) for name in _OF_JUDGE}
    else:
        arguments = config.get("model_args")
        given = arguments if isinstance(arguments, Mapping) else _spelled_out(arguments)
        found = {"model": config.get("model"), "revision": config.get("model_revision")}
        found |= {name: value for name, value in given.items() if name not in _NOT_IDENTIFYING}
        found["model_sha"] = config.get("model_sha")
        found["chat_template"] = run.results.get("chat_template_sha")
        found["system_instruction"] = run.results.get("system_instruction_sha")
    # The harness writes an empty text for what it does not know.
    return {name: value for name, value in found.items() if value not in (None, "", {})}


def task_settings(run: Run, task: str) -> dict[str, Any]:
    """What a task's figures depend on, as far as the run says it; of a group those of its tasks."""
    members = member_tasks(run, task)
    if members:
        return _of_all({member: task_settings(run, member) for member in members})
    metadata = mapping(mapping(mapping(run.results.get("configs")).get(task)).get("metadata"))
    found = {name: metadata.get(name) for name in _OF_TASK}
    used = metadata.get("judge_used")
    if isinstance(used, Mapping):
        found["judge"] = used.get("pretrained")
        found["judge_template"] = used.get("template")
    shots = mapping(run.results.get("n-shot")).get(task)
    found["num_fewshot"] = shots or None
    return {name: value for name, value in found.items() if value is not None}


def member_tasks(run: Run, group: str) -> tuple[str, ...]:
    """The tasks of a group, also those of groups in it, in the run's order; of a task none."""
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
    """Settings of several tasks: one value where all have the same, else that of each."""
    found: dict[str, Any] = {}
    for name in dict.fromkeys(name for of_one in settings.values() for name in of_one):
        values = {task: of_one.get(name) for task, of_one in settings.items()}
        first = next(iter(values.values()))
        found[name] = first if all(value == first for value in values.values()) else values
    return found


def distinguishing(named: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """Labels that tell things of one name apart by the settings in which they differ.

    Args:
        named: Name and settings of each thing.

    Returns:
        A label each: the name alone where no other has it; else with the settings in brackets
        that differ, and numbered where nothing else does.
    """
    labels = []
    for name, settings in named:
        same = [others for other, others in named if other == name]
        differing = [
            key
            for key in dict.fromkeys(key for others in same for key in others)
            if any(others.get(key) != settings.get(key) for others in same)
        ]
        told = ", ".join(f"{key}={_short(settings.get(key))}" for key in differing)
        labels.append(f"{name} ({told})" if told else name)
    return [
        f"{label} [{labels[: index + 1].count(label)}]" if labels.count(label) > 1 else label
        for index, label in enumerate(labels)
    ]


def mapping(value: Any) -> Mapping[str, Any]:
    """A mapping, or an empty one in the place of anything else."""
    return value if isinstance(value, Mapping) else {}


def _spelled_out(arguments: Any) -> dict[str, Any]:
    """Model arguments that lm-eval wrote as the text it was given."""
    if not isinstance(arguments, str):
        return {}
    pairs = (part.partition("=") for part in arguments.split(",") if part)
    return {name.strip(): value for name, _, value in pairs}


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 24 else f"{text[:12]}…{text[-8:]}"
