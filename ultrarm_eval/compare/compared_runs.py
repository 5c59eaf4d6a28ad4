"""Runs to compare: read, and named so that they can be told apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from ultrarm_eval.compare.comparison import ComparedRun
from ultrarm_eval.errors import DataError
from ultrarm_eval.runs.evaluation import Evaluation, read_evaluations
from ultrarm_eval.runs.identity import distinguishing
from ultrarm_eval.show.text import visible_name


def read_compared(paths: Sequence[str | Path]) -> tuple[list[Evaluation], list[str]]:
    """Reads runs in the order given.

    Args:
        paths: Results files and folders; each model or judge with its settings that one is about
            is a run of its own.

    Returns:
        The runs with labels that tell them apart, and what is to be said about them.

    Raises:
        DataError: Something cannot be read, or there are fewer than two runs.
    """
    found = [(path, read_evaluations(path)) for path in paths]
    evaluations = [evaluation for _, inside in found for evaluation in inside]
    if not evaluations:
        raise DataError("There is nothing to compare. Give results files or folders.")
    if len(evaluations) < 2:
        raise DataError(
            f"{paths[0]}: there is one run here, {visible_name(evaluations[0].label)}; a "
            "comparison needs two or more. Give another results file or folder."
        )
    labels = distinguishing([(e.model, e.settings) for e in evaluations])
    named = [dataclasses.replace(e, label=n) for e, n in zip(evaluations, labels, strict=True)]
    said = [
        f"{visible_name(Path(path).name or path)} holds {len(inside)} models or settings, each of "
        "which is a run here."
        for path, inside in found
        if len(inside) > 1
    ]
    return named, said


def letters(count: int) -> list[str]:
    """Short names for so many runs: A to Z, then A2 to Z2, and so on."""
    return [
        f"{chr(ord('A') + number % 26)}{number // 26 + 1 if number >= 26 else ''}"
        for number in range(count)
    ]


def compared_run(letter: str, evaluation: Evaluation) -> ComparedRun:
    """What is said of a run in a comparison."""
    return ComparedRun(
        letter,
        evaluation.label,
        evaluation.model,
        {name: str(value) for name, value in evaluation.settings.items()},
        tuple(run.path.name for run in evaluation.runs),
    )
