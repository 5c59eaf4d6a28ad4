"""`ultrarm-eval score`: the published tutorial's job, for a file of pairs."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from itertools import count, islice, takewhile
from typing import Any, Protocol

from ultrarm_eval.cli.scoring import StoredScoring
from ultrarm_eval.data.counts import DataCounts, left_out_remarks
from ultrarm_eval.data.rows import Location, Row
from ultrarm_eval.errors import DataError, RewardError, ScoringError
from ultrarm_eval.judges.base import Judgement
from ultrarm_eval.judges.judgements import texts_from
from ultrarm_eval.messages import Prompt
from ultrarm_eval.plugins import registry
from ultrarm_eval.sources.conversations import (
    CONTRADICTIONS,
    UNSEEN,
    AnsweredPrompt,
    UnusableRowError,
    read_pair,
)
from ultrarm_eval.sources.preference_data import PreferenceData, open_named_or_local

logger = logging.getLogger(__name__)

# Printed as they come: what was scored is not lost when a later row cannot be.
_ROWS_AT_ONCE = 256


class Output(Protocol):
    """Where rows go."""

    def write(self, rows: str, /) -> object:
        """Writes rows."""
        ...

    def flush(self) -> None:
        """Hands them on."""
        ...


def score_file(
    data: str, pretrained: str | None, settings: dict[str, Any], *, form: str, output: Output
) -> None:
    """Scores the pairs of a file, in order, and writes them as text or JSON lines.

    An answer that the judge has no score for has none in the output, and is counted in the log;
    so is a row that tasks leave out because its columns contradict each other, or because its
    answers depend on what a judge of texts does not see.

    Args:
        data: A file, a folder or the word of a source with `chosen` and `rejected`.
        pretrained: The checkpoint; None for a judge without one.
        settings: Settings of the judge; `judge` among them is its kind.
        form: `text` or `jsonl`.
        output: Where to write.

    Raises:
        UltrarmEvalError: The data, the judge or a setting cannot be used, or a reward is no finite
            number; the pairs before it are written.
    """
    scoring = StoredScoring(pretrained, settings)
    opened = open_named_or_local(data, "test", registry().sources())
    pairs = _Pairs(opened)
    scoring.check(
        (prompt, text, opened.rows.where(index)) for index, sides in pairs for prompt, text in sides
    )
    scoring.load()
    unscored = _Unscored()
    write = _write_json if form == "jsonl" else _write_text
    rows = iter(pairs)
    while chunk := list(islice(rows, _ROWS_AT_ONCE)):
        sides = [side for _, both in chunk for side in both]
        indices = [index for index, _ in chunk]
        failure = None
        try:
            places = [opened.rows.where(i) for i in indices]
            with texts_from([_field(place, side) for place in places for side in (0, 1)]):
                judgements = scoring.score(
                    [prompt for prompt, _ in sides], [text for _, text in sides]
                )
        except RewardError as error:
            failure = _placed(error, opened.rows.where(indices[error.completion // 2]))
            judgements = _whole_pairs(error)
        # Of a chunk that fails, the pairs before the first without both of its rewards.
        for index, chosen, rejected in zip(
            indices, judgements[::2], judgements[1::2], strict=False
        ):
            write(output, index, unscored.seen(chosen), unscored.seen(rejected))
        output.flush()
        if failure is not None:
            raise failure
    unscored.report()
    scoring.report()


class _Pairs:
    """The pairs that rows hold, read as tasks read them.

    Every row is read before the weights are: a bad last line must not show after hours.
    """

    def __init__(self, opened: PreferenceData) -> None:
        """Reads all rows, and warns of those that tasks leave out.

        Raises:
            DataError: A row is no pair, or none is left.
        """
        self._opened = opened
        self._left_out = set[int]()
        counts = DataCounts()
        for index, row in enumerate(opened.rows):
            counts.where = opened.rows.where(index)
            try:
                _read(counts.where, row).count(counts)
            except UnusableRowError as error:
                self._left_out.add(index)
                counts.add(f"pairs_left_out_{error.reason}", why=str(error))
        left_out = left_out_remarks(counts)
        if left_out and len(self._left_out) == len(opened.rows):
            raise DataError(f"{opened.origin}: no pair is left to score. {' '.join(left_out)}")
        for remark in (*opened.source.remarks(counts), *left_out):
            logger.warning("%s", remark)

    def __iter__(self) -> Iterator[tuple[int, list[tuple[Prompt, str]]]]:
        """Yields the number of each row that is a pair, and its two sides."""
        for index, row in enumerate(self._opened.rows):
            if index not in self._left_out:
                pair = _read(self._opened.rows.where(index), row)
                yield index, [(pair.prompt, answer) for answer in pair.answers]


class _Unscored:
    """Counts answers that a judge has no score for."""

    def __init__(self) -> None:
        self._answers = self._without = 0

    def seen(self, judgement: Judgement) -> float | None:
        """A reward; None where there is none."""
        self._answers += 1
        self._without += judgement.unscored
        return judgement.value

    def report(self) -> None:
        """Says how many there were."""
        if self._without:
            logger.warning(
                "%d of %d answers got no readable score from the judge, and none is guessed: their "
                "pairs have no difference.",
                self._without,
                self._answers,
            )


def _placed(error: RewardError, where: Location) -> ScoringError:
    failure = ScoringError(f"{_field(where, error.completion % 2)}: {error.problem}")
    failure.__cause__ = error
    return failure


def _field(where: Location, side: int) -> str:
    return f"{where}, field {('chosen', 'rejected')[side]!r}"


def _whole_pairs(error: RewardError) -> list[Judgement]:
    known = takewhile(error.judgements.__contains__, count())
    judgements = [error.judgements[index] for index in known]
    return judgements[: len(judgements) // 2 * 2]


def _read(where: Location, row: Row) -> AnsweredPrompt:
    """The pair of a row, as tasks read it.

    Raises:
        UnusableRowError: The row can be read, and is one that tasks leave out.
        DataError: It is no pair.
    """
    for field in ("chosen", "rejected"):
        if field not in row:
            raise DataError(
                f"{where}: field {field!r} is missing. Each row needs 'chosen' and 'rejected', and "
                "may have 'prompt'. Prompts with several rated completions are scored with "
                "lm_eval --tasks ultrafeedback_pairs."
            )
    try:
        return read_pair(row)
    except UnusableRowError as error:
        if error.reason in CONTRADICTIONS | UNSEEN:
            raise
        raise DataError(f"{where}: {error}.") from error


def _difference(chosen: float | None, rejected: float | None) -> float | None:
    return None if chosen is None or rejected is None else chosen - rejected


def _write_text(output: Output, index: int, chosen: float | None, rejected: float | None) -> None:
    first, second, difference = (
        "no score" if value is None else float(value)
        for value in (chosen, rejected, _difference(chosen, rejected))
    )
    output.write(
        f"Pair {index + 1}: reward of chosen: {first}, reward of rejected: {second}\n"
        f"Difference in rewards: {difference}\n"
    )


def _write_json(output: Output, index: int, chosen: float | None, rejected: float | None) -> None:
    line = {
        "row": index,
        "reward_chosen": chosen,
        "reward_rejected": rejected,
        "difference": _difference(chosen, rejected),
    }
    output.write(json.dumps(line) + "\n")
