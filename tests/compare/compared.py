"""Two runs that a test knows, compared."""

from __future__ import annotations

import numpy as np

from tests.compare.written_runs import rated, write_run
from ultrarm_eval.compare.compute import compare_runs

OTHER = {"model": "org/other"}


def right(outcomes, form=rated, **options):
    """Documents of one pair each, which a judge orders rightly or not."""
    return [form(i, [float(outcome), 0.5], **options) for i, outcome in enumerate(outcomes)]


def pair_of_runs(tmp_path, a, b, options_a=None, options_b=None, **options):
    runs = (
        write_run(tmp_path / "a", a, **(options_a or {})),
        write_run(tmp_path / "b", b, **{**OTHER, **(options_b or {})}),
    )
    return compare_runs(runs, **options)


def only_row(comparison):
    (row,) = comparison.rows
    return row


def random_outcomes(seed, count=60, share=0.7):
    return (np.random.default_rng(seed).random(count) < share).astype(float)
