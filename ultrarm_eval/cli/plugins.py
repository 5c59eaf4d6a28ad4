"""`ultrarm-eval plugins`: what is registered, from which package, and what found it."""

from __future__ import annotations

import argparse
import sys

from ultrarm_eval.terminal import aligned

_HEADER = ("kind", "name", "package", "found by", "state")


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    command.description = (
        "Lists registered plugins: judges, pair sources, benchmarks and templates, and the models, "
        "filters, metrics and tasks that installed packages add to lm-eval. For the latter, shows "
        "whether lm-eval finds them by itself or through ultrarm-eval."
    )
    command.set_defaults(run=_run)


def _run(_: argparse.Namespace) -> int:
    from ultrarm_eval.cli.plugin_table import (
        harness_version,
        registered_here,
        registered_in_harness,
    )

    rows = [_HEADER, *registered_in_harness(), *registered_here()]
    rows.insert(1, tuple("-" * max(len(row[i]) for row in rows) for i in range(len(_HEADER))))
    sys.stdout.write(f"lm-eval {harness_version()}\n\n{aligned(rows, texts=range(len(_HEADER)))}\n")
    return 0
