"""From rows to what a judge is asked: prompts and answers, and why a row cannot be scored."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pyarrow as pa

from scored_parquet.columns import INPUT, INSTRUCTION, REFUSED, ROW, TRUNCATED, Columns
from ultrarm_eval.errors import UltrarmEvalError, UnwritableTextError
from ultrarm_eval.messages import Message
from ultrarm_eval.sources.conversations import read_answered_prompt
from ultrarm_eval.sources.message_fields import UnusableRowError
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.tokens import EncodedText

#: What a judge is asked of a row, as JSON; null where it is refused. It is not kept.
ASKED = "__asked__"
#: Reasons that begin what stands in the column of refusals; others are those of
#: `ultrarm_eval.sources.conversations` and `ultrarm_eval.sources.conversation_columns`.
TEMPLATE_REFUSES, NOT_ENCODED, WITH_INPUT = "template_refuses", "not_encoded", "with_input"
_AT_ONCE = 512


@dataclass(frozen=True)
class Asked:
    """A prompt and an answer to it.

    Attributes:
        prompt: The turns before the answer; None where there are none.
        answer: The answer.
    """

    prompt: list[Message] | None
    answer: str

    def to_json(self) -> str:
        """As JSON; halves of surrogate pairs are kept as they are."""
        return json.dumps([self.prompt, self.answer])

    @classmethod
    def from_json(cls, text: str) -> Asked:
        """From what `to_json` gave."""
        return cls(*json.loads(text))


@dataclass(frozen=True)
class Refused:
    """Why a row has no reward.

    Attributes:
        reason: In a word, for counts.
        why: In a sentence.
    """

    reason: str
    why: str

    def __str__(self) -> str:
        """As it stands in the column of refusals."""
        return f"{self.reason}: {self.why}"


def asked_rows(table: pa.Table, first_row: int, columns: Columns, encoder: TextEncoder) -> pa.Table:
    """Reads the rows of a table, and encodes them to see which of them can be scored.

    Args:
        table: The rows with all their columns.
        first_row: The number of the first one in its file.
        columns: The columns to read.
        encoder: The judge's.

    Returns:
        The table with the columns `ROW`, `REFUSED`, `TRUNCATED` (null where a row is refused), by
        the names that `columns` gives them, and `ASKED`.
    """
    read = columns.read(table.column_names)
    rows = [_asked(row, columns) for row in table.select(read).to_pylist()]
    cut: list[bool | None] = []
    waiting = iter(rows)
    while some := list(islice(waiting, _AT_ONCE)):
        start = len(cut)
        for number, found in enumerate(_encoded(some, encoder), start):
            if isinstance(found, Refused):
                rows[number] = found
            cut.append(None if isinstance(found, Refused) else found.truncated)
    refused = [str(row) if isinstance(row, Refused) else None for row in rows]
    asked = [row.to_json() if isinstance(row, Asked) else None for row in rows]
    numbers = range(first_row, first_row + len(rows))
    added = {
        columns.added(ROW): pa.array(numbers, pa.int64()),
        columns.added(REFUSED): pa.array(refused, pa.string()),
        columns.added(TRUNCATED): pa.array(cut, pa.bool_()),
        ASKED: pa.array(asked, pa.large_string()),
    }
    for name, values in added.items():
        table = table.append_column(name, values)
    return table


def _asked(row: Mapping[str, Any], columns: Columns) -> Asked | Refused:
    # A conversation that ends with its answer is read as an answer's own list of messages.
    prompt_field = columns.prompt or ""
    if columns.prompt == INSTRUCTION and row.get(INPUT):
        return Refused(
            WITH_INPUT, f"beside {INSTRUCTION!r} there is an {INPUT!r}, which is not read"
        )
    try:
        read = read_answered_prompt(row, prompt_field, (columns.answer,))
    except UnusableRowError as error:
        return Refused(error.reason, str(error))
    return Asked(list(read.prompt) or None, read.answers[0])


def _encoded(
    rows: Sequence[Asked | Refused], encoder: TextEncoder
) -> Iterator[EncodedText | Refused]:
    """Each row's text, or why there is none."""
    usable = [row for row in rows if isinstance(row, Asked)]
    try:
        found: Iterator[EncodedText | Refused] = iter(list(_texts(usable, encoder)))
    except UltrarmEvalError:
        # One of them cannot be encoded: which one, and why.
        found = iter([_encoded_alone(row, encoder) for row in usable])
    for row in rows:
        yield row if isinstance(row, Refused) else next(found)


def _encoded_alone(row: Asked, encoder: TextEncoder) -> EncodedText | Refused:
    try:
        (text,) = _texts([row], encoder)
    except UnwritableTextError as error:
        return Refused(TEMPLATE_REFUSES, error.reason)
    except UltrarmEvalError as error:
        return Refused(NOT_ENCODED, str(error))
    return text


def _texts(rows: Sequence[Asked], encoder: TextEncoder) -> Iterator[EncodedText]:
    return encoder.encode([row.prompt for row in rows], [row.answer for row in rows])
