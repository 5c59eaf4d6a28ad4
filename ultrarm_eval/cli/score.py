"""`ultrarm-eval score`: the published tutorial's job, for a file of pairs."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any, TextIO

from ultrarm_eval.data.conversations import UnusableRowError, read_pair
from ultrarm_eval.data.opening import open_named_or_local
from ultrarm_eval.data.records import Location, Row
from ultrarm_eval.errors import DataError
from ultrarm_eval.judges.loading import load_judge
from ultrarm_eval.messages import Prompt
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
    # Every row is read before the weights are: a bad last line must not show after hours.
    for index, row in enumerate(opened.rows):
        _read(opened.where(index), row)
    judge = load_judge(pretrained, **settings)
    write = _write_json if form == "jsonl" else _write_text
    rows = enumerate(opened.rows)
    while chunk := list(islice(rows, _ROWS_AT_ONCE)):
        sides = [side for index, row in chunk for side in _read(opened.where(index), row)]
        rewards = judge.score([prompt for prompt, _ in sides], [text for _, text in sides])
        for (index, _), chosen, rejected in zip(chunk, rewards[::2], rewards[1::2], strict=True):
            write(output, index, chosen, rejected)
        output.flush()


def _read(where: Location, row: Row) -> list[tuple[Prompt, str]]:
    """Prompt and text of both sides of a row, as tasks read them."""
    for field in ("chosen", "rejected"):
        if field not in row:
            raise DataError(
                f"{where}: field {field!r} is missing. Each row needs 'chosen' and 'rejected', and "
                "may have 'prompt'. Prompts with several rated completions are scored with "
                "lm_eval --tasks ultrafeedback_pairs."
            )
    try:
        pair = read_pair(row)
    except UnusableRowError as error:
        raise DataError(f"{where}: {error}.") from error
    return [(pair.prompt, answer) for answer in pair.answers]


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
