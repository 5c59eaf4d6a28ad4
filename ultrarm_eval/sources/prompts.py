"""Prompts without answers, for judged tasks without references."""

from __future__ import annotations

from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.records import PromptRecord, read_name
from ultrarm_eval.data.rows import Location, Row
from ultrarm_eval.errors import DataError
from ultrarm_eval.sources.conversations import CONVERSATION_COLUMNS, read_prompt
from ultrarm_eval.sources.message_fields import UnusableRowError
from ultrarm_eval.sources.source import PairSource

#: The possible columns of a prompt; the first that is not empty is used.
PROMPT_COLUMNS = ("instruction", "prompt", *CONVERSATION_COLUMNS)
_NEEDED = (
    "A row has 'prompt' or 'instruction' (text or a list of messages), or 'messages', ending "
    "with the turn to answer"
)


def _recognises(columns: frozenset[str]) -> bool:
    return bool(columns & set(PROMPT_COLUMNS))


def _read_row(row: Row, where: Location, counts: DataCounts) -> PromptRecord | None:
    """Reads one prompt."""
    counts.add("rows")
    if not _recognises(frozenset(row)):
        fields = ", ".join(map(repr, row)) or "none"
        raise DataError(f"{where}: there is no prompt. {_NEEDED}; this row has: {fields}.")
    if row.get("instruction") is not None and row.get("input"):
        raise DataError(
            f"{where}: the row has both 'instruction' and 'input'. Merge them into "
            "'instruction', as the model should receive them."
        )
    field = next((name for name in PROMPT_COLUMNS if row.get(name) is not None), None)
    if field is None:
        counts.add("rows_left_out_prompt_not_text", why=f"its prompt is null. {_NEEDED}")
        return None
    try:
        asked = read_prompt(row, field)
    except UnusableRowError as error:
        counts.add(f"rows_left_out_{error.reason}", why=str(error))
        return None
    if not asked.prompt:
        counts.add("rows_left_out_prompt_not_text", why=f"field {field!r} is empty. {_NEEDED}")
        return None
    if asked.prompt[-1]["role"] == "assistant":
        counts.add(
            "rows_left_out_ends_with_answer",
            why=f"field {field!r} ends with an 'assistant' turn. {_NEEDED}",
        )
        return None
    asked.count(counts)
    return PromptRecord(
        prompt=asked.prompt,
        completions=(),
        source=read_name(row.get("source"), "sources_not_text", counts),
    )


#: Not a source of preference data: it has no answers.
PROMPTS = PairSource(
    name="prompts",
    describes="prompt, instruction or messages (only prompts)",
    recognises=_recognises,
    read_row=_read_row,
    has_ratings=False,
)
