"""Saves answers that could not be judged in a file that `ultrarm-eval judge` reads."""

from __future__ import annotations

import json
import os
import shlex
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ultrarm_eval.errors import (
    AnswersNotJudgedError,
    DataError,
    UltrarmEvalError,
    first_line,
)
from ultrarm_eval.io import write_whole
from ultrarm_eval.judges.loading import is_without_weights, judge_names
from ultrarm_eval.messages import Message, Prompt, as_messages, read_messages_as_text

#: The field of an answer's reference.
REFERENCE_FIELD = "reference"


def keep_answers(
    prompts: Sequence[Prompt],
    answers: Sequence[Sequence[str]],
    references: Sequence[str | None],
) -> str:
    """Writes answers and their references.

    Args:
        prompts: The prompt of each document.
        answers: Its answers.
        references: Its reference, if there is one.

    Returns:
        The beginning of the command that judges them, without the judge.
    """
    rows: list[dict[str, Any]] = []
    for prompt, of_prompt, reference in zip(prompts, answers, references, strict=True):
        beside = {} if reference is None else {REFERENCE_FIELD: _as_answer(reference)}
        rows.extend(
            {"prompt": _written(as_messages(prompt)), "completion": _as_answer(answer), **beside}
            for answer in of_prompt
        )
    path = write_rows("answers-not-judged", rows)
    compared = any(reference is not None for reference in references)
    option = f" --reference-field {REFERENCE_FIELD}" if compared else ""
    return f"ultrarm-eval judge {shlex.quote(str(path))}{option}"


def answers_not_judged(
    error: Exception,
    prompts: Sequence[Prompt],
    answers: Sequence[Sequence[str]],
    references: Sequence[str | None],
    checkpoint: str,
    judge_args: Mapping[str, Any] | None,
) -> AnswersNotJudgedError:
    """The error to raise after a judge failed on answers; the answers are saved.

    Args:
        error: The judge's error.
        prompts: The prompt of each document.
        answers: Its answers.
        references: Its reference, if there is one.
        checkpoint: The judge's checkpoint.
        judge_args: Its settings.
    """
    command = keep_answers(prompts, answers, references)
    options = judge_options(checkpoint, judge_args)
    ours = isinstance(error, UltrarmEvalError)
    said = str(error) if ours else f"{first_line(error).rstrip('.')}."
    return AnswersNotJudgedError(
        f"{said} The model's answers are not judged; they are saved in a file. Judge them with: "
        f"{command} {options}"
    )


def judge_options(checkpoint: str, judge_args: Mapping[str, Any] | None) -> str:
    """The options of `ultrarm-eval judge` that name a judge and its settings."""
    kind = (judge_args or {}).get("judge")
    needs_none = kind is not None and is_without_weights(str(kind), checkpoint)
    is_kind = kind is None and checkpoint in judge_names() and not Path(checkpoint).is_dir()
    named = "--judge" if is_kind else "--pretrained"
    options = [] if needs_none else [f"{named} {shlex.quote(checkpoint)}"]
    for name, value in (judge_args or {}).items():
        if name == "judge":
            options.append(f"--judge {shlex.quote(str(value))}")
        else:
            written = value if isinstance(value, str) else json.dumps(value)
            options.append(f"--judge-args {shlex.quote(f'{name}={written}')}")
    return " ".join(options)


def write_rows(name: str, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Writes rows into the working directory, or into the temporary one if that is not writable."""
    file_name = f"{name}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.jsonl"
    lines = "".join(json.dumps(row, default=str) + "\n" for row in rows)
    try:
        path = Path(file_name).absolute()
        write_whole(path, lines)
    except OSError:
        path = Path(tempfile.gettempdir()) / file_name
        write_whole(path, lines)
    return path


def _as_answer(text: str) -> str | list[dict[str, str]]:
    """An answer in a form that can be read again: one that spells messages becomes a message."""
    try:
        spells_messages = read_messages_as_text(text) is not None
    except DataError:
        spells_messages = True
    return [{"role": "assistant", "content": text}] if spells_messages else text


def _written(messages: Sequence[Message]) -> str | list[dict[str, str]] | None:
    """A prompt in a form that can be read again: a text for one user turn, else its messages."""
    if len(messages) == 1 and messages[0]["role"] == "user":
        return messages[0]["content"]
    return [{"role": m["role"], "content": m["content"]} for m in messages] or None
