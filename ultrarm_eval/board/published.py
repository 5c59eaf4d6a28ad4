"""Published scores to show with a board; see `results/published/README.md`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ultrarm_eval.errors import DataError
from ultrarm_eval.io import read_json


@dataclass(frozen=True)
class PublishedFigures:
    """The scores of one model in one source.

    Attributes:
        model: The model.
        values: The scores by metric, without those that the source does not give.
        source: The source's title.
        url: Where it is.
        where: Where in the source.
        note: A remark on them.
    """

    model: str
    values: Mapping[str, float]
    source: str
    url: str
    where: str
    note: str


@dataclass(frozen=True)
class PublishedBenchmark:
    """The published scores of one benchmark.

    Attributes:
        benchmark: The benchmark.
        unit: The scores' unit.
        metrics: Its metrics, and what each means.
        entries: The scores of each model.
    """

    benchmark: str
    unit: str
    metrics: Mapping[str, str]
    entries: tuple[PublishedFigures, ...]


def read_published(folder: Path) -> list[PublishedBenchmark]:
    """Reads the published scores of a folder, in the order of its files' names.

    Raises:
        DataError: There are none, or a file is malformed.
    """
    paths = sorted(folder.glob("*.json")) if folder.is_dir() else []
    if not paths:
        raise DataError(
            f"--published {folder}: there are no files of published scores (*.json). Name a folder "
            "like results/published."
        )
    return [_read(path) for path in paths]


def _read(path: Path) -> PublishedBenchmark:
    content = read_json(path)
    try:
        metrics = {str(name): str(told) for name, told in content["metrics"].items()}
        return PublishedBenchmark(
            benchmark=str(content["benchmark"]),
            unit=str(content["unit"]),
            metrics=metrics,
            entries=tuple(_entry(entry, metrics) for entry in content["entries"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise DataError(
            f"{path}: this is not a file of published scores (benchmark, unit, metrics, entries "
            f"with model, metrics and source): {type(error).__name__}: {error}."
        ) from error


def _entry(entry: Mapping[str, Any], metrics: Mapping[str, str]) -> PublishedFigures:
    values = {name: float(value) for name, value in entry["metrics"].items()}
    strange = [n for n, value in values.items() if n not in metrics or not math.isfinite(value)]
    if strange:
        raise ValueError(f"metrics {', '.join(strange)} of {entry['model']}")
    source = entry["source"]
    return PublishedFigures(
        model=str(entry["model"]),
        values=values,
        source=str(source["title"]),
        url=str(source["url"]),
        where=str(source["where"]),
        note=str(entry.get("note", "")),
    )
