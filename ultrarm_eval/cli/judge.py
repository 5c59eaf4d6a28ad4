"""`ultrarm-eval judge`: rewards of existing answers, and wins over reference answers."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from ultrarm_eval.cli.inspect_records import VALUES, InspectRecords, require_json_lines
from ultrarm_eval.cli.judge_options import SCORING, JudgeChoice, add_judge_options, chosen_judge
from ultrarm_eval.cli.output import RowOutput
from ultrarm_eval.cli.stored_judge import StoredJudge, TextToScore
from ultrarm_eval.errors import ConfigurationError, DataError, ScoringError
from ultrarm_eval.judges.base import Judgement
from ultrarm_eval.metrics.over_prompts import mean_with_error
from ultrarm_eval.sources.answers import (
    Answer,
    read_answers,
    read_own_reference,
    read_references,
    require_file,
)

# Written as they come, so that rewards are not lost when a later answer fails.
_ROWS_AT_ONCE = 256


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    command.description = (
        "Judges the answers in a file and shows the mean reward over prompts. With --reference, "
        "also shows the win rate over the reference answers (a tie counts one half) and the "
        "length-controlled win rate. Rows have 'instruction' and 'output' (AlpacaEval's format), "
        "or 'prompt' and 'completion'. For judge=process an answer may be a list of steps."
    )
    command.add_argument(
        "answers", metavar="ANSWERS", help="JSON, JSONL or Parquet file of answers"
    )
    add_judge_options(command, SCORING)
    command.add_argument(
        "--reference", metavar="FILE", help="file with one reference answer per prompt"
    )
    command.add_argument(
        "--reference-field",
        metavar="NAME",
        help="field of ANSWERS that contains the reference answers",
    )
    command.add_argument(
        "--format",
        choices=["text", "json", "inspect"],
        default="text",
        help=(
            "format of the summary; inspect: FILE contains records for inspect_ai's "
            "precomputed_scores"
        ),
    )
    command.add_argument(
        "--value",
        choices=VALUES,
        help="value of each record, with --format inspect (default: reward)",
    )
    command.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="write the reward of each answer to FILE, as JSON Lines",
    )
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    for_inspect = options.format == "inspect"
    if for_inspect:
        require_json_lines(options.output)
    elif options.value is not None:
        raise ConfigurationError("--value is only for --format inspect. Leave it out.")
    # Before the judge, whose checkpoint may be looked for on the hub for a while.
    for file in filter(None, (options.answers, options.reference)):
        require_file(Path(file))
    figures = judge_answers(
        options.answers,
        chosen_judge(options),
        reference=options.reference,
        reference_field=options.reference_field,
        samples=options.output,
        inspect_value=(options.value or VALUES[0]) if for_inspect else None,
    )
    sys.stdout.write(
        json.dumps(figures, indent=2) + "\n" if options.format == "json" else _as_text(figures)
    )
    return 0


def judge_answers(
    answers: str,
    judge: JudgeChoice,
    *,
    reference: str | None = None,
    reference_field: str | None = None,
    samples: str | None = None,
    inspect_value: str | None = None,
) -> dict[str, Any]:
    """Judges the answers of a file.

    Args:
        answers: A file of answers; see `ultrarm_eval.sources.answers`.
        judge: The judge.
        reference: A file of reference answers, one per prompt.
        reference_field: The field of the answers' rows that contains the references instead.
        samples: A file that receives each answer's reward as a JSON line, as it comes.
        inspect_value: Writes records for inspect_ai instead, with this as their value; see
            `ultrarm_eval.cli.inspect_records`.

    Returns:
        The metrics by name. Every prompt counts once, with the mean of its answers.

    Raises:
        UltrarmEvalError: A file, the judge or a setting cannot be used.
    """
    if reference is not None and reference_field is not None:
        raise ConfigurationError(
            "--reference and --reference-field both name references. Use only one of them."
        )
    given = read_answers(Path(answers))
    references = _references(answers, given, reference, reference_field)
    compared = reference is not None or reference_field is not None
    records = None
    if inspect_value is not None:
        records = InspectRecords(given, inspect_value, compared=compared)
    scoring = StoredJudge(judge)
    inputs = [answers, *([reference] if reference else [])]
    rows: list[dict[str, Any]] = []
    with nullcontext() if samples is None else RowOutput(Path(samples), inputs) as output:
        scoring.check(TextToScore(one.prompt, one.asked, one.where) for one in given)
        scoring.load()
        for part in _judged(scoring, list(zip(given, references, strict=True))):
            written = part
            if records is not None:
                written = list(map(records.record, given[len(rows) :], part))
            rows += part
            if output is not None and part:
                output.write("".join(json.dumps(row) + "\n" for row in written))
                output.flush()
    scoring.report()
    without = sum(text is None for text in references) if compared else None
    return _figures(given, rows, without, scoring.settings())


def _judged(
    scoring: StoredJudge, given: Sequence[tuple[Answer, str | None]]
) -> Iterator[list[dict[str, Any]]]:
    """Yields the rows of the answers in chunks.

    Raises:
        ScoringError: A reward is not a finite number; the rows before it have been yielded.
    """
    # A prompt's reference is scored once, however many answers are compared with it.
    of_references: dict[tuple[str, str], Judgement] = {}
    for start in range(0, len(given), _ROWS_AT_ONCE):
        part = given[start : start + _ROWS_AT_ONCE]
        compared: dict[tuple[str, str], Answer] = {}
        for answer, text in part:
            if text is not None and (answer.key, text) not in of_references:
                compared.setdefault((answer.key, text), answer)
        texts = [TextToScore(answer.prompt, answer.asked, answer.where) for answer, _ in part]
        texts += [
            TextToScore(answer.prompt, text, f"{answer.where}, its reference")
            for (_, text), answer in compared.items()
        ]
        found, failure = scoring.judgements(texts)
        of_references |= {
            pair: found[place]
            for place, pair in enumerate(compared, start=len(part))
            if place in found
        }
        rows = []
        for place, (answer, text) in enumerate(part):
            of_reference = None if text is None else of_references.get((answer.key, text))
            if place not in found or (text is not None and of_reference is None):
                break
            rows.append(_row(answer, found[place], text, of_reference))
        yield rows
        if failure is not None:
            raise failure


def _references(
    answers: str, given: Sequence[Answer], file: str | None, field: str | None
) -> list[str | None]:
    """The reference of each answer, if it has one."""
    if file is None and field is None:
        return [None] * len(given)
    if file is not None:
        known = read_references(Path(file))
        found = [known.get(answer.key) for answer in given]
        if not any(text is not None for text in found):
            raise DataError(
                f"{file}: it contains none of the {len({a.key for a in given}):,} prompts of "
                f"{answers}. Prompts must match exactly."
            )
        return found
    own = [read_own_reference(answer, str(field)) for answer in given]
    if not any(text is not None for text in own):
        raise DataError(
            f"{answers}: no row has a reference in field {field!r}. Name another field with "
            "--reference-field."
        )
    return own


def _as_text(figures: Mapping[str, Any]) -> str:
    """The metrics, one per line."""
    width = max(map(len, figures))
    return "".join(f"{name.ljust(width)}  {_said(value)}\n" for name, value in figures.items())


def _row(
    answer: Answer, judgement: Judgement, reference: str | None, of_reference: Judgement | None
) -> dict[str, Any]:
    row: dict[str, Any] = {"row": answer.where.row, "length": len(answer.text), **judgement.told()}
    if judgement.value is None:
        return row
    row["reward"] = judgement.value
    other = None if of_reference is None else of_reference.value
    if reference is not None and other is not None:
        from ultrarm_eval.metrics.win_rate import win_credit

        row |= {
            "reward_of_reference": other,
            "win": win_credit(judgement.value, other),
            "length_difference": len(answer.text) - len(reference),
        }
    return row


def _figures(
    given: Sequence[Answer],
    rows: Sequence[Mapping[str, Any]],
    without_reference: int | None,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "answers": len(given),
        "prompts": len({answer.key for answer in given}),
        **_with_error("reward", _scored(_by_prompt("reward", given, rows), "answer")),
        "response_length": statistics.fmean(_by_prompt("length", given, rows)),
        "empty": sum(not answer.text.strip() for answer in given),
        "texts_cut_by_the_judge": settings.get("counts", {}).get("truncated", 0),
    }
    if cut := settings.get("counts", {}).get("cut_by_template"):
        figures["texts_cut_by_the_template"] = cut
    if unscored := sum("reward" not in row for row in rows):
        figures["answers_without_score"] = unscored
    if without_reference is not None:
        from ultrarm_eval.metrics.win_rate import length_controlled_win_rate

        wins = _scored(_by_prompt("win", given, rows), "answer with its reference")
        figures |= {
            **_with_error("win_rate", wins),
            "win_rate_length_controlled": length_controlled_win_rate(
                wins, _by_prompt("length_difference", given, rows)
            ),
            "answers_without_reference": without_reference,
        }
    return figures


def _by_prompt(
    field: str, given: Sequence[Answer], rows: Sequence[Mapping[str, Any]]
) -> list[float]:
    """The mean over a prompt's answers, for each prompt that has the field."""
    values: dict[str, list[float]] = {}
    for answer, row in zip(given, rows, strict=True):
        if field in row:
            values.setdefault(answer.key, []).append(row[field])
    return [statistics.fmean(of_prompt) for of_prompt in values.values()]


def _scored(values: list[float], what: str) -> list[float]:
    if not values:
        raise ScoringError(
            f"No {what} got a readable score, so there is nothing to average. Use more samples "
            "(--judge-args samples=4), another template, or a model that was trained to write "
            "critiques."
        )
    return values


def _with_error(name: str, values: Sequence[float]) -> dict[str, float | None]:
    mean, error = mean_with_error(values)
    return {name: mean, f"{name}_stderr": error}


def _said(value: Any) -> str:
    if value is None:
        return "N/A"
    return f"{value:.4f}" if isinstance(value, float) else f"{value:,}"
