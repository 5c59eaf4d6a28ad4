"""LLMBar (princeton-nlp/LLMBar; Zeng et al. 2023, arXiv 2310.07641).

The official accuracy is the mean over both orders of presentation, in which a rater that gives both
answers the same score is correct once: a tie counts one half (LLMEvaluator/evaluate.py). The
adversarial average is the unweighted mean of the four sets.
"""

from __future__ import annotations

from ultrarm_eval.benchmarks.benchmark import Benchmark
from ultrarm_eval.benchmarks.fields import name_of, one_of, prompt_of, text_of
from ultrarm_eval.benchmarks.figures import first_over_second
from ultrarm_eval.benchmarks.preference_test_sets import read_row as read_pair
from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.rows import Location, Row
from ultrarm_eval.documents.document import Document


def read_row(row: Row, where: Location, counts: DataCounts) -> Document | None:
    """Reads a row of `input`, `output_1`, `output_2`, `label`, or of prompt, chosen, rejected."""
    if "output_1" not in row:
        return read_pair(row, where, counts)
    counts.add("rows")
    better = one_of(row, "label", (1, 2), where)
    outputs = {number: text_of(row, f"output_{number}", where) for number in (1, 2)}
    return Document.of_choice(
        prompt_of(row, "input", where),
        [outputs[better]],
        [outputs[3 - better]],
        where=where,
        id=name_of(row, "id", where.row),
        subset=name_of(row, "subset", ""),
    )


LLMBAR = Benchmark(
    name="llmbar",
    describes="input, output_1, output_2, label; or prompt, chosen, rejected",
    read_row=read_row,
    credit=first_over_second,
    ties="half",
)
