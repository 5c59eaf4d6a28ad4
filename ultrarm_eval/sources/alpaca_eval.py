"""AlpacaEval's prompts and the reference answers it publishes (tatsu-lab/alpaca_eval on the hub).

The evaluation set has 805 prompts; the first version of the benchmark compares with
text_davinci_003 (`alpaca_eval.json`), the second with GPT-4 Turbo
(`alpaca_eval_gpt4_baseline.json`; github.com/tatsu-lab/alpaca_eval).
"""

from __future__ import annotations

from pathlib import Path

from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.hub import fetch_file
from ultrarm_eval.data.records import PromptRecord, RatedCompletion, read_name
from ultrarm_eval.data.rows import Location, Row
from ultrarm_eval.errors import DataError
from ultrarm_eval.messages import as_messages
from ultrarm_eval.sources.answers import FORMS, read_answer
from ultrarm_eval.sources.source import PairSource

DATASET = "tatsu-lab/alpaca_eval"
#: The hub's file of each model's answers.
PUBLISHED = {
    "text_davinci_003": "alpaca_eval.json",
    "gpt4_1106_preview": "alpaca_eval_gpt4_baseline.json",
}


def published_answers(reference: str, revision: str | None = None) -> Path:
    """Fetches a published file of reference answers.

    Args:
        reference: A name of `PUBLISHED`.
        revision: The hub revision.

    Raises:
        DataError: There is no such file, or the hub cannot be reached and it is not cached.
    """
    mend = (
        'Name a file of answers in the metadata: {"reference": "FILE"}, in AlpacaEval\'s output '
        "format (rows with 'instruction' and 'output'). For your own prompts (data) you can also "
        'request only rewards, {"reference": "none"}.'
    )
    if reference not in PUBLISHED:
        raise DataError(
            f"reference={reference!r}: AlpacaEval publishes the answers of "
            f"{', '.join(PUBLISHED)}. {mend}"
        )
    return fetch_file(DATASET, PUBLISHED[reference], revision, mend=mend)


def _recognises(columns: frozenset[str]) -> bool:
    return any(set(form) <= columns for form in FORMS)


def _read_row(row: Row, where: Location, counts: DataCounts) -> PromptRecord:
    """Reads one prompt with its reference answer."""
    counts.add("rows")
    prompt, answer = read_answer(row, where)
    return PromptRecord(
        prompt=as_messages(prompt),
        completions=(
            RatedCompletion(answer, {}, read_name(row.get("generator"), "models_not_text", counts)),
        ),
        source=read_name(row.get("dataset"), "sources_not_text", counts),
    )


#: Not a source of preference data: it has no preferences.
OUTPUTS = PairSource(
    name="alpaca_eval",
    describes="instruction, output (AlpacaEval's format); or prompt, completion",
    recognises=_recognises,
    read_row=_read_row,
    origin_column="dataset",
)
