"""Files of answers: one prompt and one answer per row."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ultrarm_eval.data.files import open_file
from ultrarm_eval.data.rows import Location, Row, Rows, wrong_type
from ultrarm_eval.errors import DataError
from ultrarm_eval.messages import Message, Prompt, as_messages, well_formed
from ultrarm_eval.sources.conversation_parts import joined
from ultrarm_eval.sources.conversations import read_answered_prompt, read_side
from ultrarm_eval.sources.message_fields import UnusableRowError, is_nan

__all__ = ["Answer", "prompt_key", "read_answers", "read_references"]

#: The fields of a reference file's rows: AlpacaEval's, and plain ones.
FORMS = (("instruction", "output"), ("prompt", "completion"))
_ALLOWED = "A row has " + ", or ".join(f"{prompt!r} and {answer!r}" for prompt, answer in FORMS)
# If one field of a format is present, the other one is reported as missing.
_PARTNERS = {name: other for form in FORMS for name, other in (form, form[::-1])}
_SHOWN_CHARACTERS = 60
_BETWEEN_STEPS = "\n\n"


@dataclass(frozen=True)
class Answer:
    """An answer to a prompt.

    Attributes:
        prompt: The prompt: text, messages, or None.
        text: The answer.
        where: Its row.
        row: The row's other fields.
        steps: The steps of the answer, if the row has a list of them; the text joins them with
            blank lines.
    """

    prompt: Prompt
    text: str
    where: Location
    row: Row
    steps: tuple[str, ...] = ()

    @property
    def asked(self) -> str | tuple[str, ...]:
        """The completion for a judge: the steps, if there are any."""
        return self.steps or self.text

    @property
    def key(self) -> str:
        """The key of the prompt."""
        return prompt_key(as_messages(self.prompt))


def prompt_key(messages: Sequence[Message]) -> str:
    """A prompt as a unique text: one user turn as it is, everything else as JSON."""
    if len(messages) == 1 and messages[0]["role"] == "user":
        return messages[0]["content"]
    return json.dumps([dict(message) for message in messages])


def read_answers(path: Path) -> list[Answer]:
    """Reads a file of answers; a prompt may have several.

    Args:
        path: A JSON, JSON Lines or Parquet file whose rows have AlpacaEval's fields `instruction`
            and `output`, or `prompt` and `completion`. Other fields are ignored; in a row with all
            four, AlpacaEval's are used. An answer may be a list of texts, its steps, for judges
            that score steps.

    Raises:
        DataError: The file cannot be read or is empty, or a field is missing or not text.
    """
    answers = list(_read(path))
    if not answers:
        raise DataError(f"{path}: the file has no rows. {_ALLOWED}.")
    return answers


def read_references(path: Path) -> dict[str, str]:
    """Reads a file of reference answers.

    Args:
        path: As for `read_answers`.

    Returns:
        The answers by `prompt_key`, in the file's order. Lone surrogates are replaced, as in the
        prompts of preference data.

    Raises:
        DataError: The file cannot be read or is empty, a field is missing or not text, or a prompt
            has two different answers.
    """
    first: dict[str, Answer] = {}
    for answer in read_answers(path):
        known = first.setdefault(answer.key, answer)
        if known.text != answer.text:
            raise DataError(
                f"{answer.where}: the prompt {_shown(answer.key)} has a different answer in "
                f"{known.where.place}. A prompt has one reference: remove one of the two rows."
            )
    return {prompt: answer.text for prompt, answer in first.items()}


def read_own_reference(answer: Answer, field: str) -> str | None:
    """The reference answer in a field of the answer's row, read as the answer itself.

    Args:
        answer: The answer.
        field: The field: a text, or messages that end with the reference.

    Returns:
        The reference; None if the field is missing or null.

    Raises:
        DataError: It is neither text nor messages, or answers another conversation.
    """
    value = answer.row.get(field)
    if value is None or is_nan(value):
        return None
    conversation = as_messages(answer.prompt)
    try:
        before, text = read_side(value, field, set())
    except UnusableRowError as error:
        raise DataError(f"{answer.where}: {error} (--reference-field), or null.") from error
    if before and joined(conversation, tuple(_writable(before))) != conversation:
        raise DataError(
            f"{answer.where}: field {field!r} (--reference-field) and the row's answer belong to "
            "different conversations. Both must answer the same one."
        )
    return well_formed(text)


def _read(path: Path) -> Iterator[Answer]:
    rows = _open(path)
    for index, row in enumerate(rows):
        where = rows.where(index)
        field, steps = _steps(row)
        joined = {**row, field: _BETWEEN_STEPS.join(steps)} if steps else row
        yield Answer(*read_answer(joined, where), where, row, steps)


def _steps(row: Row) -> tuple[str, tuple[str, ...]]:
    """The field with a row's answer, and the steps in it; empty for any other answer."""
    form = next((form for form in FORMS if set(form) <= set(row)), FORMS[-1])
    given = row.get(form[1])
    is_list = isinstance(given, list) and all(isinstance(step, str) for step in given)
    return form[1], tuple(map(well_formed, given)) if is_list and given else ()


def require_file(path: Path) -> None:
    """Refuses a path that is not a file.

    Raises:
        DataError: It is a folder, or does not exist.
    """
    if not path.is_file():
        problem = "this is a folder" if path.is_dir() else "no such file"
        raise DataError(f"{path}: {problem}. Give a file of answers. {_ALLOWED}.")


def _open(path: Path) -> Rows:
    require_file(path)
    try:
        return open_file(path)
    except OSError as error:
        raise DataError(f"{path}: the file cannot be read: {error}") from error


def read_answer(row: Row, where: Location) -> tuple[Prompt, str]:
    """The prompt and the answer of a row.

    Raises:
        DataError: A field is missing or neither text nor messages, fields contradict each other, or
            the row has an input in addition to its instruction.
    """
    form = next((form for form in FORMS if set(form) <= set(row)), None)
    if form is None:
        missing = next(
            (f"field {other!r} is missing" for name, other in _PARTNERS.items() if name in row),
            "prompt and answer are missing",
        )
        fields = ", ".join(map(repr, row)) or "none"
        raise DataError(f"{where}: {missing}. {_ALLOWED}; this row has: {fields}.")
    prompt_field, answer_field = form
    if form == FORMS[0] and not isinstance(row[prompt_field], str):
        # Conversations, and answers without a prompt, are allowed only in the plain format.
        raise wrong_type(where, prompt_field, row[prompt_field], "a text")
    if form == FORMS[0] and row.get("input"):
        raise DataError(
            f"{where}: the row has both 'instruction' and 'input'. Merge them into "
            "'instruction', as the model received them."
        )
    try:
        read = read_answered_prompt(row, prompt_field, (answer_field,))
    except UnusableRowError as error:
        raise DataError(f"{where}: {error}.") from error
    return _plain(_writable(read.prompt)), well_formed(read.answers[0])


def _writable(conversation: Sequence[Message]) -> list[Message]:
    """A conversation without lone surrogates."""
    return [Message(role=m["role"], content=well_formed(m["content"])) for m in conversation]


def _plain(conversation: Sequence[Message]) -> Prompt:
    """A conversation in its simplest form: one user turn is a text, no turn is None."""
    if len(conversation) == 1 and conversation[0]["role"] == "user":
        return conversation[0]["content"]
    return [dict(message) for message in conversation] or None


def _shown(prompt: str) -> str:
    short = prompt if len(prompt) <= _SHOWN_CHARACTERS else prompt[:_SHOWN_CHARACTERS] + "..."
    return repr(short)
