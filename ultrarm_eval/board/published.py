"""Figures that others published, to show beside a board; see `results/published/README.md`."""

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
    """What one source prints of one model.

    Attributes:
        model: The model.
        values: The figures by metric; what the source does not print is missing.
        source: The source's title.
        url: Where it is.
        where: Where in it.
        note: What has to be known of it.
    """

    model: str
    values: Mapping[str, float]
    source: str
    url: str
    where: str
    note: str


@dataclass(frozen=True)
class PublishedBenchmark:
    """The published figures of one benchmark.

    Attributes:
        benchmark: The benchmark.
        unit: The figures' unit.
        metrics: Its metrics, and what each means.
        entries: The figures.
    """

    benchmark: str
    unit: str
    metrics: Mapping[str, str]
    entries: tuple[PublishedFigures, ...]


def read_published(folder: Path) -> list[PublishedBenchmark]:
    """Reads the published figures of a folder, in the order of its files' names.

    Raises:
        DataError: There are none, or a file has not their form.
    """
    paths = sorted(folder.glob("*.json")) if folder.is_dir() else []
    if not paths:
        raise DataError(
            f"--published {folder}: there is no folder with files of published figures (*.json)."
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
            f"{path}: this has not the form of published figures (benchmark, unit, metrics, "
            f"entries with model, metrics and source): {type(error).__name__}: {error}."
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
