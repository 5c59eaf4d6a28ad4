"""Samples of runs that a test writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.report.written_runs import Sample, rated, rated_sample, samples_of, write_run
from ultrarm_eval.runs.evaluation import read_evaluation
from ultrarm_eval.runs.samples import Samples
from ultrarm_eval.runs.samples_file import read_samples


def observed(
    folder: Path,
    samples: Sequence[Sample] | None,
    metadata: Mapping[str, Any] | None = None,
    **options: Any,
) -> Samples | None:
    """Writes a run into an empty folder, and observes its only task."""
    write_run(folder, samples, metadata, **options)
    (result,) = read_evaluation(folder).tasks.values()
    return read_samples(result)


def observed_pairs(
    folder: Path, margins: Sequence[float], prompts: Sequence[str | None] = ()
) -> Any:
    """Documents of one pair each, with these margins; by default each with a prompt of its own."""
    texts = [*prompts] or [None] * len(margins)
    judged = [
        (rated(i, [f"good {i}", f"bad {i}"], ["5", "1"], prompt=text), [float(margin), 0.0])
        for i, (margin, text) in enumerate(zip(margins, texts, strict=True))
    ]
    return observed(folder, samples_of(rated_sample, judged))


def keys(samples: Samples) -> list[tuple[str, int]]:
    """What tells each document."""
    return list(zip(samples.documents.hash, samples.documents.occurrence, strict=True))
