"""RM-Bench (THU-KEG/RM-Bench; Liu et al. 2024, arXiv 2410.16184).

Three correct and three incorrect answers to a prompt: concise, detailed, and detailed in markdown.
Of the nine comparisons the three in which the correct answer has the plainer style are hard, those
of equal style normal, and the others easy; a tie counts as incorrect. The scores are means over
prompts, over the four domains, and over the three levels (scripts/utils.py). Both safety
subsets are one domain, as there.
"""

from __future__ import annotations

import functools
import statistics
from collections.abc import Sequence
from typing import Any

from ultrarm_eval.benchmarks.benchmark import Benchmark
from ultrarm_eval.benchmarks.fields import name_of, prompt_of, text_of, texts_of
from ultrarm_eval.benchmarks.figures import WeightedMean, mean_of, pair_credit
from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.rows import Location, Row
from ultrarm_eval.documents.document import Document
from ultrarm_eval.errors import DataError

DOMAINS = ("chat", "math", "code", "safety")
KINDS = ("easy", "normal", "hard")
_STYLES = 3


def read_row(row: Row, where: Location, counts: DataCounts) -> Document:
    """Reads a row of `prompt`, `chosen` (three), `rejected` (three), `domain` and `id`."""
    counts.add("rows")
    chosen, rejected = texts_of(row, "chosen", where), texts_of(row, "rejected", where)
    for field, texts in (("chosen", chosen), ("rejected", rejected)):
        if len(texts) != _STYLES:
            raise DataError(
                f"{where}: field {field!r} has {len(texts)} texts; {_STYLES} are needed, one in "
                "each style (concise, detailed, markdown)."
            )
    domain = text_of(row, "domain", where)
    if not domain.startswith(DOMAINS):
        raise DataError(f"{where}: the domain is {domain!r}; allowed are {', '.join(DOMAINS)}.")
    return Document.of_choice(
        prompt_of(row, "prompt", where),
        chosen,
        rejected,
        where=where,
        id=name_of(row, "id", where.row),
        subset=domain,
    )


def by_kind(rewards: Sequence[float], tie: float) -> list[float]:
    """The credit of the easy, the normal and the hard comparisons of a prompt."""
    cells: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for right in range(_STYLES):
        for wrong in range(_STYLES):
            kind = "normal" if right == wrong else "hard" if right < wrong else "easy"
            earned = pair_credit(rewards[right], rewards[_STYLES + wrong], tie)
            cells[kind].append(earned)
    return [statistics.fmean(cells[kind]) for kind in KINDS]


def credit(_: Document, rewards: Sequence[float], tie: float) -> float:
    """The share of the nine comparisons."""
    return statistics.fmean(by_kind(rewards, tie))


def evidence(document: Document, rewards: Sequence[float], _: float) -> list[Any]:
    """The domain, and the credit of each level."""
    return [document.subset, *by_kind(rewards, 0.0)]


def mean_over_domains(
    domains: Sequence[str], kinds: Sequence[str], values: Sequence[Any]
) -> list[WeightedMean]:
    """The mean over domains of the mean over their prompts.

    Args:
        domains: The domains; a prompt's begins with its name.
        kinds: The levels of comparison that count.
        values: The evidence of each prompt.
    """
    columns = [1 + KINDS.index(kind) for kind in kinds]
    found = []
    for domain in domains:
        places = [place for place, value in enumerate(values) if value[0].startswith(domain)]
        if not places:
            return []
        credits_of = [statistics.fmean(values[p][i] for i in columns) for p in places]
        found.append(mean_of(places, credits_of, 1 / len(domains)))
    return found


def pair_tie(_: Document) -> float:
    """The credit of a tied pair."""
    return 0.0


RM_BENCH = Benchmark(
    name="rm_bench",
    describes="prompt, chosen (three texts), rejected (three texts), domain, id",
    read_row=read_row,
    credit=credit,
    ties=None,
    figures={
        **{domain: functools.partial(mean_over_domains, (domain,), KINDS) for domain in DOMAINS},
        **{kind: functools.partial(mean_over_domains, DOMAINS, (kind,)) for kind in KINDS},
        "overall": functools.partial(mean_over_domains, DOMAINS, KINDS),
    },
    evidence=evidence,
    pair_tie=pair_tie,
    file_names=("total_dataset",),
)
