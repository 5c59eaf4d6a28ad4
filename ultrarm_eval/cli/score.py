"""`ultrarm-eval score`: rewards of a file of pairs, as in UltraRM's tutorial."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TextIO

from ultrarm_eval.cli.judge_options import SCORING, JudgeChoice, add_judge_options, chosen_judge
from ultrarm_eval.cli.output import RowOutput, form_of
from ultrarm_eval.cli.stored_judge import StoredJudge, TextToScore
from ultrarm_eval.data.counts import DataCounts, left_out_remarks
from ultrarm_eval.data.rows import Location, Row
from ultrarm_eval.errors import DataError
from ultrarm_eval.judges.base import Judgement
from ultrarm_eval.plugins import registry
from ultrarm_eval.sources.conversation_columns import UNSEEN
from ultrarm_eval.sources.conversations import CONTRADICTIONS, AnsweredPrompt, read_pair
from ultrarm_eval.sources.message_fields import UnusableRowError
from ultrarm_eval.sources.preference_data import (
    PreferenceData,
    open_named_or_local,
    require_named_or_local,
)

logger = logging.getLogger(__name__)

# Printed as they come, so that rewards are not lost when a later row fails.
_ROWS_AT_ONCE = 256
# The most bytes of pairs kept in memory.
_MOST_BYTES = 2**29
# Bytes of a pair in addition to its texts: its place, turns and tuples.
_BYTES_OF_A_PAIR = 600
_SIDES = ("chosen", "rejected")
_FORMS = {"text": (".txt",), "jsonl": (".jsonl",)}


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    command.description = (
        "Scores pairs and prints the reward of chosen, the reward of rejected and their margin "
        "(chosen minus rejected; 'difference' in JSON lines). Each row of PAIRS has 'chosen', "
        "'rejected' and, if there is one, 'prompt'. Without a prompt the texts are scored as they "
        "are (template raw)."
    )
    command.add_argument(
        "pairs",
        metavar="PAIRS",
        help="JSON, JSONL or Parquet file of pairs, or a folder (split 'test' of several)",
    )
    add_judge_options(command, SCORING)
    command.add_argument(
        "--format",
        choices=list(_FORMS),
        help="output format (default: from FILE's extension, else text)",
    )
    command.add_argument(
        "-o", "--output", metavar="FILE", help="write to FILE instead of the terminal, row by row"
    )
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    form = form_of(options.format, options.output, _FORMS, otherwise="text")
    # Before the judge, whose checkpoint may be looked for on the hub for a while.
    require_named_or_local(options.pairs, registry().sources())
    judge = chosen_judge(options)
    if options.output is None:
        _score(options.pairs, judge, form, sys.stdout)
        return 0
    with RowOutput(Path(options.output), [options.pairs]) as output:
        _score(options.pairs, judge, form, output)
    sys.stdout.write(f"{options.output}\n")
    return 0


def _score(data: str, judge: JudgeChoice, form: str, output: TextIO | RowOutput) -> None:
    """Scores the pairs of a file, in order, and writes them as text or JSON lines.

    An answer without a readable score has no reward in the output and is counted in the log. Rows
    that tasks exclude, because their columns contradict each other or because the answers depend on
    something that a judge of texts cannot see, are skipped and counted.

    Raises:
        UltrarmEvalError: The data, the judge or a setting cannot be used, or a reward is not a
            finite number; the pairs before it have been written.
    """
    scoring = StoredJudge(judge)
    pairs = _Pairs(open_named_or_local(data, "test", registry().sources()))
    scoring.check(
        TextToScore(pair.prompt, answer, where)
        for _, where, pair in pairs
        for answer in pair.answers
    )
    scoring.load()
    unscored = _Unscored()
    row_of = _json_row if form == "jsonl" else _text_row
    rows = iter(pairs)
    while chunk := list(islice(rows, _ROWS_AT_ONCE)):
        texts = [
            TextToScore(pair.prompt, answer, f"{where}, field {side!r}")
            for _, where, pair in chunk
            for side, answer in zip(_SIDES, pair.answers, strict=True)
        ]
        found, failure = scoring.judgements(texts)
        for place, (index, *_) in enumerate(chunk):
            # If a chunk fails: the pairs before the first one that lacks a reward.
            if 2 * place not in found or 2 * place + 1 not in found:
                break
            chosen, rejected = (unscored.seen(found[2 * place + side]) for side in (0, 1))
            output.write(row_of(index, chosen, rejected))
        output.flush()
        if failure is not None:
            raise failure
    unscored.report()
    scoring.report()


class _Pairs:
    """The pairs of the rows, read as tasks read them.

    Every row is read before the weights are loaded, so that a bad last line does not show up after
    hours. Pairs stay in memory up to half a gigabyte; the rest is read again.
    """

    def __init__(self, opened: PreferenceData) -> None:
        """Reads all rows, and warns about those that tasks exclude.

        Raises:
            DataError: A row is not a pair, or none is left.
        """
        self._opened = opened
        self._left_out = set[int]()
        self._kept: list[tuple[int, Location, AnsweredPrompt]] = []
        self._first_not_kept = len(opened.rows)
        counts, room = DataCounts(), _MOST_BYTES
        for index, row in enumerate(opened.rows):
            counts.where = where = opened.rows.where(index)
            try:
                pair = _read(where, row)
                pair.count(counts)
            except UnusableRowError as error:
                self._left_out.add(index)
                counts.add(f"pairs_left_out_{error.reason}", why=str(error))
                continue
            room -= _bytes(pair)
            if room >= 0:
                self._kept.append((index, where, pair))
            else:
                self._first_not_kept = min(index, self._first_not_kept)
        left_out = left_out_remarks(counts)
        if left_out and len(self._left_out) == len(opened.rows):
            raise DataError(f"{opened.origin}: no pair is left to score. {' '.join(left_out)}")
        for remark in (*opened.source.remarks(counts), *left_out):
            logger.warning("%s", remark)

    def __iter__(self) -> Iterator[tuple[int, Location, AnsweredPrompt]]:
        """Yields each pair with its row number and place."""
        yield from self._kept
        rows = self._opened.rows
        for index, row in rows.read(range(self._first_not_kept, len(rows))):
            if index not in self._left_out:
                where = rows.where(index)
                yield index, where, _read(where, row)


def _bytes(pair: AnsweredPrompt) -> int:
    # A character takes one, two or four bytes.
    texts = (*(turn["content"] for turn in pair.prompt), *pair.answers)
    return _BYTES_OF_A_PAIR + sum(map(sys.getsizeof, texts))


class _Unscored:
    """Counts answers without a readable score."""

    def __init__(self) -> None:
        self._answers = self._without = 0

    def seen(self, judgement: Judgement) -> Judgement:
        """Counts a judgement, and returns it."""
        self._answers += 1
        self._without += judgement.unscored
        return judgement

    def report(self) -> None:
        """Logs how many there were."""
        if self._without:
            logger.warning(
                "%d of %d answers got no readable score from the judge; their pairs have no "
                "margin.",
                self._without,
                self._answers,
            )


def _read(where: Location, row: Row) -> AnsweredPrompt:
    """The pair of a row, as tasks read it.

    Raises:
        UnusableRowError: The row can be read, but tasks exclude it.
        DataError: It is not a pair.
    """
    for field in _SIDES:
        if field not in row:
            raise DataError(
                f"{where}: field {field!r} is missing. Each row needs 'chosen' and 'rejected', and "
                "may have 'prompt'. For prompts with several rated completions use lm_eval --tasks "
                "ultrafeedback_pairs."
            )
    try:
        return read_pair(row)
    except UnusableRowError as error:
        if error.reason in CONTRADICTIONS | UNSEEN:
            raise
        raise DataError(f"{where}: {error}.") from error


def _margin(chosen: float | None, rejected: float | None) -> float | None:
    return None if chosen is None or rejected is None else chosen - rejected


def _text_row(index: int, chosen: Judgement, rejected: Judgement) -> str:
    rewards = chosen.value, rejected.value
    first, second, margin = (
        "no score" if value is None else float(value) for value in (*rewards, _margin(*rewards))
    )
    return (
        f"Pair {index + 1}: reward of chosen: {first}, reward of rejected: {second}\n"
        f"Margin: {margin}\n"
    )


def _json_row(index: int, chosen: Judgement, rejected: Judgement) -> str:
    row = {
        "row": index,
        "reward_chosen": chosen.value,
        "reward_rejected": rejected.value,
        "difference": _margin(chosen.value, rejected.value),
    }
    # Objectives, rewards of steps, or a written critique.
    for side, judgement in zip(_SIDES, (chosen, rejected), strict=True):
        row |= {f"{name}_{side}": value for name, value in judgement.told().items()}
    return json.dumps(row) + "\n"
