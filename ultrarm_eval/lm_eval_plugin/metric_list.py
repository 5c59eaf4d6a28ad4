"""`metric_list` for a task's configuration in the results, which our YAMLs do not have.

The harness's own tasks list their metrics there, and readers of its results rely on it: its
`WandbLogger` makes a table of the listed metrics' samples and fails on a task without a list; Every
Eval Ever's converter reads there how a standard error was computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def metric_list(
    averaged: Iterable[str],
    figures: Mapping[str, Any],
    better: Mapping[str, bool],
    listed: Iterable[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """The entries of metrics that are means over one number per document.

    Args:
        averaged: Their names.
        figures: The task's row of the results; a metric without a value is not listed.
        better: Whether higher is better, for metrics with a direction.
        listed: The entries of the task's YAML. They also apply to metrics derived from a listed one
            (`exact_match` for `exact_match_judge@4`).
    """
    shown = {key.partition(",")[0] for key in figures if "," in key}
    known = [dict(entry) for entry in listed]
    found = []
    for name in averaged:
        if name not in shown:
            continue
        of = (one for one in known if name.startswith(f"{one.get('metric')}_"))
        entry = {**next(of, {}), "metric": name, "aggregation": "mean"}
        if name in better:
            entry["higher_is_better"] = better[name]
        else:
            entry.pop("higher_is_better", None)
        found.append(entry)
    return found
