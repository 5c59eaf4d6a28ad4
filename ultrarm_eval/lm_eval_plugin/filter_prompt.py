"""The prompt of a document, as set in a filter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ultrarm_eval.errors import ConfigurationError, DataError
from ultrarm_eval.messages import Prompt, as_messages, read_messages_as_text
from ultrarm_eval.text_format.jinja_sandbox import column_environment

#: The columns in which a filter without a prompt setting looks, in this order.
USUAL_COLUMNS = ("prompt", "instruction", "question", "input")


def prompt_writer(written: str | None) -> Callable[[Mapping[str, Any]], Prompt]:
    """Returns a function that makes a document's prompt.

    Args:
        written: A column's name, or a Jinja template over the document's columns; the first of
            `USUAL_COLUMNS` that the document has if None. Messages may be written as JSON text.

    Raises:
        ConfigurationError: It is not a string, or not a valid template. The returned function
            raises it if a prompt is neither text nor messages.
    """
    write = _usual_prompt if written is None else _writer(written, "prompt")

    def prompt(document: Mapping[str, Any]) -> Prompt:
        found: Prompt = write(document)
        if isinstance(found, str):
            spelled = _messages_in(found, "prompt", written)
            found = found if spelled is None else spelled
        as_messages(found)
        return found

    return prompt


def _messages_in(text: str, setting: str, written: str | None) -> Any:
    """The messages that a text contains; None for any other text."""
    try:
        return read_messages_as_text(text)
    except DataError as error:
        raise ConfigurationError(
            f"Filter setting {setting}={written!r} gives a text that cannot be used: {error}."
        ) from error


def _writer(written: str, setting: str) -> Callable[[Mapping[str, Any]], Any]:
    if not isinstance(written, str) or not written.strip():
        raise ConfigurationError(
            f"Filter setting {setting}={written!r}: give a column's name or a Jinja template."
        )
    if "{{" in written or "{%" in written:
        return _rendered(written, setting)
    return lambda document: _of_column(document, written, setting)


def reference_writer(written: str) -> Callable[[Mapping[str, Any]], str | None]:
    """Returns a function that makes a document's reference answer; None if its column is null.

    Args:
        written: A column's name, or a Jinja template over the document's columns.

    Raises:
        ConfigurationError: It is not a string, or not a valid template. The returned function
            raises it if a reference is not plain text.
    """
    write = _writer(written, "reference")

    def reference(document: Mapping[str, Any]) -> str | None:
        found = write(document)
        kind = type(found).__name__
        if isinstance(found, str) and _messages_in(found, "reference", written) is not None:
            kind = "text that contains messages as JSON"
        elif found is None or isinstance(found, str):
            return found
        raise ConfigurationError(
            f"Filter setting reference={written!r} gives a {kind}; a reference answer must be "
            "plain text. Name a column of plain texts."
        )

    return reference


def _rendered(written: str, setting: str) -> Callable[[Mapping[str, Any]], str]:
    try:
        rendered = column_environment().template(written)
    except Exception as error:
        # Besides its own errors, jinja2 raises those of Python's parser on the code it generates.
        raise ConfigurationError(
            f"Filter setting {setting}={written!r} is not a valid Jinja template: {error}"
        ) from error

    def render(document: Mapping[str, Any]) -> str:
        try:
            return rendered(dict(document))
        except Exception as error:
            # A template is a program; besides jinja2's errors it can raise any of Python's.
            raise ConfigurationError(
                f"Filter setting {setting}={written!r} fails ({error}). The document has the "
                f"columns {', '.join(map(str, document))}."
            ) from error

    return render


def _of_column(document: Mapping[str, Any], column: str, setting: str) -> Any:
    if column not in document:
        raise ConfigurationError(
            f"Filter setting {setting}={column!r}: the document has no such column. Its columns: "
            f"{', '.join(map(str, document))}."
        )
    return document[column]


def _usual_prompt(document: Mapping[str, Any]) -> Prompt:
    if document.get("instruction") and document.get("input"):
        raise ConfigurationError(
            "A filter has no prompt setting, and the document has both an instruction and an "
            "input. Set how they become one prompt, for example prompt: "
            "'{{instruction}}\\n\\n{{input}}'."
        )
    for column in USUAL_COLUMNS:
        if document.get(column) is not None:
            return document[column]  # type: ignore[no-any-return]
    raise ConfigurationError(
        "A filter has no prompt setting, and the document has none of the columns "
        f"{', '.join(USUAL_COLUMNS)}. Set prompt to a column's name or a Jinja template."
    )
