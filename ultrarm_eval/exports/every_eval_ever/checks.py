"""Whether a record is one: by the fields of the schema, and by the package's own check."""

from __future__ import annotations

import importlib
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ultrarm_eval.errors import DataError

logger = logging.getLogger(__name__)

# Field and what it has to have, from eval.schema.json 0.3.0.
_REQUIRED = {
    "": (
        "schema_version",
        "evaluation_id",
        "retrieved_timestamp",
        "source_metadata",
        "model_info",
        "eval_library",
        "evaluation_results",
    ),
    "source_metadata": ("source_type", "source_organization_name", "evaluator_relationship"),
    "eval_library": ("name", "version"),
    "model_info": ("name", "id", "additional_details"),
    "model_info.additional_details": ("deployment_type", "model_availability"),
}
_REQUIRED_OF_RESULT = {
    "": ("evaluation_name", "source_data", "metric_config", "score_details"),
    "source_data": ("dataset_name", "source_type"),
    "metric_config": ("lower_is_better",),
    "score_details": ("score",),
}


def require_record(record: Mapping[str, Any]) -> None:
    """Sees to it that a record has the schema's fields.

    Raises:
        DataError: A field is missing, a detail is no text, or a score is no finite number.
    """
    problems = [*_missing(record, _REQUIRED)]
    for index, result in enumerate(record.get("evaluation_results") or ()):
        where = f"evaluation_results[{index}]"
        problems += [f"{where}.{problem}" for problem in _missing(result, _REQUIRED_OF_RESULT)]
        score = _field(result, "score_details").get("score")
        if not isinstance(score, int | float) or not math.isfinite(score):
            problems.append(f"{where}.score_details.score: {score!r} is no finite number")
    problems += _details_that_are_no_text(record, "record")
    if problems:
        raise DataError(
            f"The record of {record.get('evaluation_id')} is none of Every Eval Ever: "
            f"{'; '.join(problems)}."
        )


def check_by_package(folder: Path, names: Sequence[str]) -> None:
    """Checks files by the package every-eval-ever, where it is installed.

    Args:
        folder: The folder that has the files.
        names: Their paths in it, as the database has them.

    Raises:
        DataError: The package refuses one.
    """
    try:
        core = importlib.import_module("every_eval_ever.validator.validation_core")
    except ImportError:
        logger.info("every-eval-ever is not installed: its own check is left out.")
        return
    for name in names:
        report = core.validate_file(
            folder / name,
            repo_path=name,
            available_files=frozenset(names),
            read_repo_file=lambda other: (folder / other).read_text(encoding="utf-8"),
            run_semantic_checks=True,
        )
        for warning in report.warnings:
            logger.warning("every-eval-ever, %s: %s", name, warning.get("msg"))
        if not report.valid:
            told = "; ".join(f"{e.get('loc')}: {e.get('msg')}" for e in report.errors[:3])
            raise DataError(f"The package every-eval-ever refuses {name}: {told}.")


def _missing(part: Mapping[str, Any], required: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for path, names in required.items():
        field = _field(part, path)
        for name in names:
            if field.get(name) in (None, "", []):
                yield f"{path}.{name} is missing" if path else f"{name} is missing"


def _field(part: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    for name in path.split(".") if path else ():
        part = part.get(name) or {}
    return part


def _details_that_are_no_text(part: Any, path: str) -> list[str]:
    if isinstance(part, list):
        return [
            p for i, one in enumerate(part) for p in _details_that_are_no_text(one, f"{path}[{i}]")
        ]
    if not isinstance(part, Mapping):
        return []
    found = []
    for name, value in part.items():
        where = f"{path}.{name}"
        if name in ("additional_details", "details"):
            found += [f"{where}.{key} is no text" for key, v in value.items() if type(v) is not str]
        else:
            found += _details_that_are_no_text(value, where)
    return found
