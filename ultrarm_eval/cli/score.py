"""`ultrarm-eval score`: the published tutorial's job, for a file of pairs."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any, TextIO

from ultrarm_eval.data.binarized import read_side
from ultrarm_eval.data.opening import open_named_or_local
from ultrarm_eval.data.records import Location, Row
from ultrarm_eval.errors import ConfigurationError, DataError
from ultrarm_eval.judges.loading import load_judge
from ultrarm_eval.judges.text_check import check_texts
from ultrarm_eval.messages import Prompt, as_messages
from ultrarm_eval.plugins import registry
from ultrarm_eval.scoring.equal_rewards import EqualRewards

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
    check_texts(
        judge,
        (
            (prompt, text, opened.where(index))
            for index, row in enumerate(opened.rows)
            for prompt, text in _read(opened.where(index), row)
        ),
    )
    watched = EqualRewards()
    write = _write_json if form == "jsonl" else _write_text
    rows = enumerate(opened.rows)
    while chunk := list(islice(rows, _ROWS_AT_ONCE)):
        sides = [side for index, row in chunk for side in _read(opened.where(index), row)]
        rewards = judge.score([prompt for prompt, _ in sides], [text for _, text in sides])
        for (prompt, text), reward in zip(sides, rewards, strict=True):
            watched.add((repr(prompt), text), reward)
        for (index, _), chosen, rejected in zip(chunk, rewards[::2], rewards[1::2], strict=True):
            write(output, index, chosen, rejected)
        output.flush()
    watched.report()


def _read(where: Location, row: Row) -> list[tuple[Prompt, str]]:
    """Prompt and text of both sides of a row."""
    sides: list[tuple[Prompt, str]] = []
    for field in ("chosen", "rejected"):
        if field not in row:
            raise DataError(
                f"{where}: field {field!r} is missing. Each row needs 'chosen' and 'rejected', and "
                "may have 'prompt'. Prompts with several rated completions are scored with "
                "lm_eval --tasks ultrafeedback_pairs."
            )
        side = read_side(row[field])
        if side is None:
            raise DataError(
                f"{where}: field {field!r} is {row[field]!r:.40}; it has to be a text or a list of "
                "messages."
            )
        before, text = side
        try:
            sides.append((before or as_messages(row.get("prompt")), text))
        except ConfigurationError as error:
            raise DataError(f"{where}: field 'prompt': {error}") from error
    return sides


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
