"""RewardBench's prior sets (allenai/preference-test-sets): pairs of older test sets.

The leaderboard's score is the plain mean of four of them; a tie is wrong (rewardbench 0.1.4,
analysis/get_benchmark_results.py). All turns of a conversation are kept.
"""

from __future__ import annotations

from ultrarm_eval.benchmarks.benchmark import Suite
from ultrarm_eval.benchmarks.choice import Choice
from ultrarm_eval.benchmarks.fields import name_of, pair_of
from ultrarm_eval.benchmarks.rewardbench import first_over_second
from ultrarm_eval.data.records import DataCounts
from ultrarm_eval.data.rows import Location, Row


def read_row(row: Row, where: Location, counts: DataCounts) -> Choice | None:
    """Reads a row of `prompt` (messages or a text), `chosen`, `rejected`."""
    counts.add("rows")
    pair = pair_of(row, where, counts)
    if pair is None:
        return None
    return Choice(
        id=name_of(row, "id", where.row),
        subset=name_of(row, "subset", ""),
        prompt=pair.prompt,
        completions=pair.answers,
    )


PREFERENCE_TEST_SETS = Suite(
    name="preference_test_sets",
    describes="prompt (messages or a text), chosen, rejected, id",
    read_row=read_row,
    credit=first_over_second,
    ties="wrong",
)
