"""Rewards as records that inspect_ai's scorer `precomputed_scores` reads.

A record has the sample's `id`, a `value`, and, if known, the `epoch`, the `answer`, an
`explanation` and `metadata` (inspect_ai 0.3.285, `scorer/_precomputed.py`). inspect_ai treats a
value that is not a number as unscored; it is written `NaN`, as Python's JSON does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ultrarm_eval.data.rows import Location
from ultrarm_eval.errors import ConfigurationError, DataError
from ultrarm_eval.sources.answers import Answer

#: What a record's value is: the reward, the win over the reference, or both by name.
BOTH = "both"
VALUES = ("reward", "win_rate", BOTH)
ID, EPOCH = "id", "epoch"
_NEEDED = (
    "A record for inspect_ai needs the id of its sample (text or a whole number in the field "
    "'id'), and the epoch (from 1, in the field 'epoch') if a sample has several answers"
)


class InspectRecords:
    """Makes records from answers and their judgements."""

    def __init__(self, answers: Sequence[Answer], value: str, *, compared: bool) -> None:
        """Checks the answers before any is scored.

        Args:
            answers: The answers; their rows contain the samples' ids.
            value: One of `VALUES`.
            compared: Whether there are references.

        Raises:
            ConfigurationError: Wins are requested and there are no references.
            DataError: An answer has no id, or two answers have the same sample and epoch.
        """
        if value != VALUES[0] and not compared:
            raise ConfigurationError(
                f"--value {value}: a win rate needs references. Name them with --reference or "
                "--reference-field."
            )
        self._value = value
        first: dict[tuple[str, int | None], Location] = {}
        for answer in answers:
            key = str(_id(answer)), _epoch(answer)
            known = first.setdefault(key, answer.where)
            if known is not answer.where:
                epoch = "" if key[1] is None else f" in epoch {key[1]}"
                raise DataError(
                    f"{answer.where}: sample {key[0]!r} already has an answer{epoch} in "
                    f"{known.place}. {_NEEDED}."
                )

    def record(self, answer: Answer, row: Mapping[str, Any]) -> dict[str, Any]:
        """The record of an answer.

        Args:
            answer: The answer.
            row: Its judgement: `reward`, `win` and the other fields, as `judge -o` writes them.
        """
        epoch = _epoch(answer)
        value: Any = {
            "reward": row.get("reward", math.nan),
            "win_rate": row.get("win", math.nan),
        }
        if self._value != BOTH:
            value = value[self._value]
        elif "reward" not in row:
            # Unscored is what is no number as a whole.
            value = math.nan
        written = "\n\n".join(row.get("critiques", ()))
        return {
            ID: _id(answer),
            **({} if epoch is None else {EPOCH: epoch}),
            "value": value,
            "answer": answer.text,
            **({"explanation": written} if written else {}),
            "metadata": {name: one for name, one in row.items() if name != "critiques"},
        }


def require_json_lines(output: str | None) -> None:
    """Refuses a file that inspect_ai would not read as JSON Lines.

    Raises:
        ConfigurationError: No file is named, or it has another extension.
    """
    if output is None or Path(output).suffix.lower() != ".jsonl":
        raise ConfigurationError(
            "--format inspect writes records for inspect_ai's precomputed_scores to the file given "
            f"by -o, whose name must end in .jsonl; -o is {output!r}."
        )


def _id(answer: Answer) -> str | int:
    found = answer.row.get(ID)
    if isinstance(found, bool) or not isinstance(found, str | int):
        raise DataError(f"{answer.where}: field 'id' is {found!r:.40}. {_NEEDED}.")
    return found


def _epoch(answer: Answer) -> int | None:
    found = answer.row.get(EPOCH)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int) or found < 1:
        raise DataError(f"{answer.where}: field 'epoch' is {found!r:.40}. {_NEEDED}.")
    return found
