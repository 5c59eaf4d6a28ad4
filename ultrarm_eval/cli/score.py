"""`ultrarm-eval score`: the published tutorial's job, for a file of pairs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice
from typing import Any, TextIO

from ultrarm_eval.data.opening import OpenedData, open_named_or_local
from ultrarm_eval.data.records import Row
from ultrarm_eval.errors import DataError
from ultrarm_eval.judges.base import Judge
from ultrarm_eval.judges.loading import load_judge
from ultrarm_eval.messages import Prompt, as_messages
from ultrarm_eval.plugins import registry

# Printed as they come: what was scored is not lost when a later row cannot be.
_ROWS_AT_ONCE = 256


def score_file(
    data: str, pretrained: str, settings: dict[str, Any], *, form: str, output: TextIO
) -> None:
    """Scores the pairs of a file, in order, and writes them as text or JSON lines.

    Args:
        data: A file, a folder or the word of a source with `chosen` and `rejected`.
        pretrained: The checkpoint.
        settings: Settings of the judge.
        form: `text` or `jsonl`.
        output: Where to write.

    Raises:
        UltrarmEvalError: The data, the judge or a setting cannot be used.
    """
    opened = open_named_or_local(data, "test", registry().sources())
    _require_pairs(opened)
    judge = load_judge(pretrained, **settings)
    write = _write_json if form == "jsonl" else _write_text
    rows = enumerate(opened.rows)
    while chunk := list(islice(rows, _ROWS_AT_ONCE)):
        for (index, _), rewards in zip(chunk, _score(judge, opened, chunk), strict=True):
            write(output, index, *rewards)
        output.flush()


def _require_pairs(opened: OpenedData) -> None:
    first = opened.rows[0]
    missing = [field for field in ("chosen", "rejected") if field not in first]
    if missing:
        raise DataError(
            f"{opened.where(0)}: field {missing[0]!r} is missing. Each row needs 'chosen' and "
            "'rejected', and may have 'prompt'. Prompts with several rated completions are "
            "scored with lm_eval --tasks ultrafeedback_pairs."
        )


def _score(
    judge: Judge, opened: OpenedData, rows: Sequence[tuple[int, Row]]
) -> list[tuple[float, float]]:
    sides = [_side(opened, index, row, f) for index, row in rows for f in ("chosen", "rejected")]
    rewards = judge.score([prompt for prompt, _ in sides], [text for _, text in sides])
    return list(zip(rewards[::2], rewards[1::2], strict=True))


def _side(opened: OpenedData, index: int, row: Row, field: str) -> tuple[Prompt, str]:
    value = row.get(field)
    prompt: Prompt = row.get("prompt")
    if isinstance(value, str):
        return prompt, value
    if isinstance(value, Sequence) and value:
        messages = as_messages(value)
        return (messages[:-1] or prompt), messages[-1]["content"]
    raise DataError(
        f"{opened.where(index)}: field {field!r} is {value!r:.40}; it has to be a text or a list "
        "of messages."
    )


def _write_text(output: TextIO, index: int, chosen: float, rejected: float) -> None:
    output.write(
        f"Pair {index + 1}: reward of chosen: {chosen}, reward of rejected: {rejected}\n"
        f"Difference in rewards: {chosen - rejected}\n"
    )


def _write_json(output: TextIO, index: int, chosen: float, rejected: float) -> None:
    line = {
        "row": index,
        "reward_chosen": chosen,
        "reward_rejected": rejected,
        "difference": chosen - rejected,
    }
    output.write(json.dumps(line) + "\n")
