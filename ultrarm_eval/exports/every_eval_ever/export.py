"""Writes checked records and samples in the database's layout."""

from __future__ import annotations

import hashlib
import importlib
import json
import logging
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ultrarm_eval.errors import ConfigurationError, DataError
from ultrarm_eval.exports.every_eval_ever.record import Evaluator, record_id, record_of
from ultrarm_eval.exports.every_eval_ever.samples import sample_lines_of
from ultrarm_eval.exports.figures import ExportedFigure
from ultrarm_eval.exports.files import placed, write_files

logger = logging.getLogger(__name__)

# Names that the database does not allow for a folder (validator/validation_core.py).
_RESERVED = re.compile(
    r"(?:con|prn|aux|nul|com[1-9]|lpt[1-9])(?:\..*)?|data|unknown", re.IGNORECASE
)
_NO_NAME = re.compile(r"[^A-Za-z0-9._-]+")
# Fields and their required subfields, from eval.schema.json 0.3.0.
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
    """Checks that a record has the schema's fields.

    Raises:
        DataError: A field is missing, a detail is not a text, or a score is not a finite number.
    """
    problems = [*_missing(record, _REQUIRED)]
    for index, result in enumerate(record.get("evaluation_results") or ()):
        where = f"evaluation_results[{index}]"
        problems += [f"{where}.{problem}" for problem in _missing(result, _REQUIRED_OF_RESULT)]
        score = _field(result, "score_details").get("score")
        if not isinstance(score, int | float) or not math.isfinite(score):
            problems.append(f"{where}.score_details.score: {score!r} is not a finite number")
    problems += _details_that_are_no_text(record, "record")
    if problems:
        raise DataError(
            f"The record of {record.get('evaluation_id')} does not match Every Eval Ever's schema: "
            f"{'; '.join(problems)}."
        )


def check_by_package(folder: Path, names: Sequence[str]) -> None:
    """Checks files with the package every-eval-ever, if it is installed.

    Args:
        folder: The folder that has the files.
        names: Their paths in it, in the database's layout.

    Raises:
        DataError: The package rejects one.
    """
    try:
        core = importlib.import_module("every_eval_ever.validator.validation_core")
    except ImportError:
        logger.info("every-eval-ever is not installed: its own check is skipped.")
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
            raise DataError(f"The package every-eval-ever rejects {name}: {told}.")


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
            found += [
                f"{where}.{key} is not a text" for key, v in value.items() if type(v) is not str
            ]
        else:
            found += _details_that_are_no_text(value, where)
    return found


def write_every_eval_ever(
    folder: Path,
    model: str,
    figures: Sequence[ExportedFigure],
    evaluator: Evaluator,
    *,
    datasets: Mapping[str | None, str],
    with_samples: bool = True,
    overwrite: bool = True,
) -> list[Path]:
    """Writes `data/TASK/ORG/NAME/UUID.json` for each task, with its samples if there are any.

    Args:
        folder: The folder for `data`.
        model: `ORG/NAME`.
        figures: The scores.
        evaluator: Who made the run.
        datasets: The hub's name of a task's data, by task; under None for all tasks.
        with_samples: Whether samples are written.
        overwrite: Whether an existing export with other content is replaced.

    Returns:
        The files' paths.

    Raises:
        ConfigurationError: The model's name is not valid in the database, a data set's name not on
            the hub, or there is an export with other content.
        DataError: A run's samples are damaged, or the package every-eval-ever rejects a file.
    """
    _require_owner(model)
    by_task: dict[str, list[ExportedFigure]] = {}
    for figure in figures:
        by_task.setdefault(figure.task, []).append(figure)

    def fill(made: Path) -> list[str]:
        names: list[str] = []
        for of_task in by_task.values():
            record = record_of(of_task, model, evaluator, datasets)
            require_record(record)
            name = f"data/{_collection(of_task[0].task)}/{model}/{record_id(record)}"
            if f"{name}.json" in names:
                raise DataError(
                    f"Two tasks would be written to {name}.json: export them one by one with "
                    "--task."
                )
            if with_samples and not of_task[0].is_group:
                samples = _write_samples(made, f"{name}_samples.jsonl", of_task, record)
                if samples:
                    record["detailed_evaluation_results"] = samples
                    names.append(f"{name}_samples.jsonl")
            text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False)
            placed(made, f"{name}.json").write_bytes(f"{text}\n".encode())
            names.append(f"{name}.json")
        check_by_package(made, names)
        return names

    paths = write_files(folder, fill, overwrite=overwrite)
    for path in paths:
        samples = path.with_name(f"{path.stem}_samples.jsonl")
        if path.suffix == ".json" and samples not in paths:
            # Samples of an earlier export of the same record, which no longer has any.
            samples.unlink(missing_ok=True)
    return paths


def _require_owner(model: str) -> None:
    parts = model.split("/")
    if len(parts) != 2 or any(_RESERVED.fullmatch(part) for part in parts):
        raise ConfigurationError(
            f"Every Eval Ever stores results by developer and model name, and {model!r} is not a "
            "valid ORG/NAME there: name both with --model ORG/NAME."
        )


def _collection(task: str) -> str:
    """The folder of a task's records: its name, made safe."""
    name = _NO_NAME.sub("_", task).strip(".") or "_"
    return f"_{name}" if _RESERVED.fullmatch(name) else name


def _write_samples(
    made: Path, name: str, figures: Sequence[ExportedFigure], record: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Writes a task's samples; returns the record's entry on them, or None without samples."""
    result = figures[0].result
    if result.samples_path is None:
        logger.warning(
            "%s: there are no samples next to the results; its record has none.", result.task
        )
        return None
    path, digest, rows = placed(made, name), hashlib.sha256(), 0
    with path.open("wb") as file:
        for line in sample_lines_of(figures, record):
            # ASCII only: the database's check splits lines at every line break of Unicode.
            encoded = json.dumps(line, ensure_ascii=True, allow_nan=False).encode() + b"\n"
            digest.update(encoded)
            file.write(encoded)
            rows += 1
    if not rows:
        path.unlink()
        logger.warning(
            "%s: none of its scores is a mean of one number per document, so its record has no "
            "samples.",
            result.task,
        )
        return None
    return {
        "format": "jsonl",
        "file_path": name,
        "hash_algorithm": "sha256",
        "checksum": digest.hexdigest(),
        "total_rows": rows,
    }
