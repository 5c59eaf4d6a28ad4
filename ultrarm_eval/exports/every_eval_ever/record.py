"""The record of a task: the schema's aggregate format, with its description of each metric."""

from __future__ import annotations

import hashlib
import json
import math
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ultrarm_eval.exports.figures import ExportedFigure
from ultrarm_eval.exports.hub_names import hub_data, hub_split
from ultrarm_eval.exports.provenance import (
    answers_judge_of,
    data_of,
    one_line,
    remarks_on,
    run_time,
    settings_of_model,
)
from ultrarm_eval.runs.identity import mapping
from ultrarm_eval.runs.run import Run

_IDS = {"acc": "accuracy", "exact_match": "exact-match", "f1": "f1"}
_HARNESS = "lm-evaluation-harness"
_SHARE = (0.0, 1.0)
_ANY = (-math.inf, math.inf)
_FROM_0, _FROM_1 = (0.0, math.inf), (1.0, math.inf)
_BOUNDS = {
    **dict.fromkeys(("acc", "tie_rate", "best_of_n", "exact_match", "f1", "em"), _SHARE),
    **dict.fromkeys(("win_rate", "win_rate_length_controlled", "empty", "truncated"), _SHARE),
    **dict.fromkeys(("margin", "reward"), _ANY),
    **dict.fromkeys(("nll", "response_length", "bits_per_byte"), _FROM_0),
    **dict.fromkeys(("perplexity", "word_perplexity", "byte_perplexity"), _FROM_1),
    "kendall_tau": (-1.0, 1.0),
}
# Figures of picking among k answers have the range of the metric that they are of.
_OF_A_PICK = re.compile(r"(?:_(?:first|judge|majority|oracle))?@\d+$")
# RewardBench 2's Ties is a weighted sum that may lie a little outside of 0 to 1.
_WITH_TIES = {"rewardbench2", "rewardbench2_ties"}
_OF_TIES = {"ties", "overall"}


def metric_config(figure: ExportedFigure) -> dict[str, Any]:
    """The schema's `metric_config` of a score."""
    metric = figure.metric
    described = metric if figure.filter_name == "none" else f"{metric} ({figure.filter_name})"
    higher = figure.result.higher_is_better(metric)
    config: dict[str, Any] = {
        "evaluation_description": described,
        "metric_id": _IDS.get(metric, f"{_HARNESS}.{metric}"),
        "metric_name": metric,
        "lower_is_better": higher is False,
    }
    if metric in ("acc", "exact_match") or metric.startswith("acc_"):
        config["metric_kind"] = "accuracy"
    details = {"harness_key": figure.key}
    if higher is None:
        details["polarity"] = "not_applicable"
    bounds = _bounds(figure)
    if bounds is None:
        details["bounds_status"] = "unknown"
    else:
        config["score_type"] = "continuous"
        config["min_score"], config["max_score"] = map(_in_json, bounds)
        if bounds == _SHARE:
            config["metric_unit"] = "proportion"
    return {**config, "additional_details": details}


def _bounds(figure: ExportedFigure) -> tuple[float, float] | None:
    """The range of a metric; None if unknown."""
    name = _OF_A_PICK.sub("", figure.metric)
    suite = figure.members[0].metadata.get("suite")
    if figure.task in _WITH_TIES or (suite == "rewardbench2" and name in _OF_TIES):
        return None
    bounds = _BOUNDS.get(name)
    if bounds is None and (name.startswith("acc_") or suite is not None):
        bounds = _SHARE
    if bounds is None or not bounds[0] <= figure.value <= bounds[1]:
        return None
    return bounds


def _in_json(bound: float) -> float | str:
    if math.isinf(bound):
        return "Infinity" if bound > 0 else "-Infinity"
    return bound


SCHEMA_VERSION = "0.3.0"
#: The evaluator's relationships to the model's developer, in the schema's terms.
RELATIONSHIPS = ("first_party", "third_party", "collaborative", "other")
# The schema's names where lm-eval's differ.
_GENERATION = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "max_gen_toks": "max_tokens",
}


@dataclass(frozen=True)
class Evaluator:
    """Who made the run.

    Attributes:
        organization: Who it is.
        url: Their page.
        relationship: Relationship to the model's developer, in the schema's terms.
    """

    organization: str
    url: str | None
    relationship: str


def record_of(
    figures: Sequence[ExportedFigure],
    model: str,
    evaluator: Evaluator,
    datasets: Mapping[str | None, str],
) -> dict[str, Any]:
    """The record of one task, without its samples.

    Args:
        figures: The task's scores.
        model: `ORG/NAME`.
        evaluator: Who made the run.
        datasets: The hub's name of a task's data, by task; under None for all tasks.
    """
    task, run = figures[0].task, figures[0].result.run
    # The schema's `retrieved_timestamp` is when a record was made. Of a run it is the run's own
    # time, so that the same run always gives the same record.
    time = str(int(run_time(run).timestamp()))
    organization = {"source_organization_url": evaluator.url} if evaluator.url else {}
    return {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": one_line(f"{task}/{model}/{time}"),
        "evaluation_timestamp": time,
        "retrieved_timestamp": time,
        "source_metadata": {
            "source_name": "lm-evaluation-harness",
            "source_type": "evaluation_run",
            "source_organization_name": evaluator.organization,
            **organization,
            "evaluator_relationship": evaluator.relationship,
            "additional_details": {"converter": "ultrarm-eval"},
        },
        "eval_library": {
            "name": "lm_eval",
            "version": one_line(str(run.results.get("lm_eval_version") or "unknown")),
        },
        "model_info": _model_info(run, model),
        "evaluation_results": [_result(figure, model, time, datasets) for figure in figures],
    }


def record_id(record: Mapping[str, Any]) -> str:
    """The name of a record's files: made of its content, in the form of a UUID of version 4.

    The database takes no other version (validator/validation_core.py), so this is not a UUID 5.
    """
    content = json.dumps(record, sort_keys=True, ensure_ascii=True)
    return str(uuid.UUID(bytes=hashlib.sha256(content.encode()).digest()[:16], version=4))


def result_id(figure: ExportedFigure) -> str:
    """The name of a score in samples, as in the database's converter of lm-eval results."""
    if figure.filter_name == "none":
        return figure.metric
    return one_line(f"{figure.metric}:{figure.filter_name}")


def evaluation_name(figure: ExportedFigure) -> str:
    """What a score is of: the task, and the filter of the answers if there is one."""
    if figure.filter_name == "none":
        return one_line(figure.task)
    return one_line(f"{figure.task}/{figure.filter_name}")


def _model_info(run: Run, model: str) -> dict[str, Any]:
    config = run.config
    runs_here = config.get("judge") is not None or config.get("model") in ("hf", "vllm")
    info: dict[str, Any] = {"name": model, "id": model, "developer": model.partition("/")[0]}
    version = run.results.get("transformers_version")
    if version and (config.get("judge") is not None or config.get("model") == "hf"):
        info["inference_engine"] = {"name": "transformers", "version": one_line(str(version))}
    info["additional_details"] = {
        "deployment_type": "self_deployed" if runs_here else "unknown",
        "model_availability": "unknown",
        **settings_of_model(run),
    }
    return info


def _result(
    figure: ExportedFigure, model: str, time: str, datasets: Mapping[str | None, str]
) -> dict[str, Any]:
    config = metric_config(figure)
    judge = answers_judge_of(figure.members[0])
    config["additional_details"] |= {f"answers_{name}": value for name, value in judge.items()}
    found = {
        "evaluation_result_id": result_id(figure),
        "evaluation_name": evaluation_name(figure),
        "source_data": _source_data(figure, datasets),
        "evaluation_timestamp": time,
        "metric_config": config,
        "score_details": _score(figure, model),
    }
    generation = _generation(figure)
    return {**found, "generation_config": generation} if generation else found


def _source_data(figure: ExportedFigure, datasets: Mapping[str | None, str]) -> dict[str, Any]:
    data, member = hub_data(figure, datasets), figure.members[0]
    found: dict[str, Any] = {"dataset_name": one_line(figure.task)}
    details = data_of(figure)
    if figure.is_group:
        details["tasks"] = one_line(", ".join(one.task for one in figure.members))
    counts = member.metadata.get("counts")
    if isinstance(counts, Mapping) and not figure.is_group:
        # Other values may contain the file's path.
        plain = {k: v for k, v in counts.items() if isinstance(v, int | float)}
        details["counts"] = json.dumps(plain, ensure_ascii=True)
    if data is None:
        return {**found, "source_type": "other", "additional_details": details}
    found |= {"source_type": "hf_dataset", "hf_repo": data.name}
    split = hub_split(figure, datasets)
    if split:
        found["hf_split"] = one_line(split)
    if not figure.is_group and figure.result.documents is not None:
        found["samples_number"] = figure.result.documents
    return {**found, "additional_details": details}


def _score(figure: ExportedFigure, model: str) -> dict[str, Any]:
    uncertainty: dict[str, Any] = {}
    if figure.error is not None:
        uncertainty["standard_error"] = {"value": figure.error}
        # This package's tasks have one for means over documents alone.
        if not figure.is_group and "counts" in figure.result.metadata:
            uncertainty["standard_error"]["method"] = "analytic"
    if not figure.is_group and figure.result.documents is not None:
        uncertainty["num_samples"] = figure.result.documents
    remarks = remarks_on(figure, model)
    score: dict[str, Any] = {"score": figure.value}
    if remarks:
        score["details"] = {"remarks": one_line("; ".join(remarks))}
    return {**score, "uncertainty": uncertainty} if uncertainty else score


def _generation(figure: ExportedFigure) -> dict[str, Any]:
    """How answers were generated; nothing for tasks that compare given answers."""
    member = figure.members[0]
    config = member.config
    given = mapping(config.get("generation_kwargs"))
    arguments = {
        theirs: given[ours]
        for ours, theirs in _GENERATION.items()
        if isinstance(given.get(ours), int | float) and not isinstance(given[ours], bool)
    }
    details = {
        one_line(str(name)): one_line(json.dumps(value, ensure_ascii=True, default=str))
        for name, value in given.items()
        if name not in _GENERATION
    }
    shots = config.get("num_fewshot")
    if given and isinstance(shots, int):
        details["num_fewshot"] = str(shots)
    found = {"generation_args": arguments, "additional_details": details}
    return {name: value for name, value in found.items() if value}
