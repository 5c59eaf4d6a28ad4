"""RewardBench's prior sets (allenai/preference-test-sets): pairs of older test sets.

The leaderboard's score is the unweighted mean of four of them; a tie counts as incorrect
(rewardbench 0.1.4, analysis/get_benchmark_results.py). All turns of a conversation are kept.
"""

from __future__ import annotations

from ultrarm_eval.benchmarks.benchmark import Benchmark
from ultrarm_eval.benchmarks.fields import name_of, pair_of
from ultrarm_eval.benchmarks.figures import first_over_second
from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.rows import Location, Row
from ultrarm_eval.documents.document import Document


def read_row(row: Row, where: Location, counts: DataCounts) -> Document | None:
    """Reads a row of `prompt` (messages or a text), `chosen`, `rejected`."""
    counts.add("rows")
    pair = pair_of(row, where, counts)
    if pair is None:
        return None
    return Document.of_choice(
        pair.prompt,
        pair.answers[:1],
        pair.answers[1:],
        where=where,
        id=name_of(row, "id", where.row),
        subset=name_of(row, "subset", ""),
    )


PREFERENCE_TEST_SETS = Benchmark(
    name="preference_test_sets",
    describes="prompt (messages or a text), chosen, rejected, id",
    read_row=read_row,
    credit=first_over_second,
    ties="wrong",
)
