"""PPE's human preferences (lmarena-ai/PPE-Human-Preference-V1; Frick et al., arXiv 2410.14872).

Votes on pairs of answers. Accuracy is over the votes without ties; tied votes are excluded and
counted. How the official code treats a tie in reward could not be read: here it counts one half.
The benchmark's other metrics rank the 20 models behind the answers and are not computed.
"""

from __future__ import annotations

from ultrarm_eval.benchmarks.benchmark import Benchmark
from ultrarm_eval.benchmarks.fields import name_of, prompt_of, text_of
from ultrarm_eval.benchmarks.figures import first_over_second
from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.rows import Location, Row
from ultrarm_eval.documents.document import Document

_SIDES = {"model_a": (1, 2), "model_b": (2, 1)}


def read_row(row: Row, where: Location, counts: DataCounts) -> Document | None:
    """Reads a row of `prompt`, `response_1`, `response_2` and `winner`."""
    counts.add("rows")
    winner = text_of(row, "winner", where)
    if winner not in _SIDES:
        # Counted by its value: the data's value for a tie is not known, and typos should show.
        counts.add(f"rows_left_out_winner_{winner}")
        return None
    better, worse = _SIDES[winner]
    return Document.of_choice(
        prompt_of(row, "prompt", where),
        [text_of(row, f"response_{better}", where)],
        [text_of(row, f"response_{worse}", where)],
        where=where,
        id=name_of(row, "question_id", where.row),
        subset=name_of(row, "language", ""),
    )


PPE_HUMAN = Benchmark(
    name="ppe_human",
    describes="prompt, response_1, response_2, winner ('model_a', 'model_b' or a tie)",
    read_row=read_row,
    credit=first_over_second,
    ties="half",
)
