"""A third-party pair source, whose errors name it."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.records import PromptRecord, RatedCompletion
from ultrarm_eval.data.rows import Location, Row
from ultrarm_eval.errors import DataError, PluginError, UltrarmEvalError, first_line
from ultrarm_eval.sources.source import PairSource


def of_plugin(source: object, plugin: str) -> PairSource:
    """A source whose errors name the source and its plugin, and whose records are checked.

    Args:
        source: What the plugin registered.
        plugin: The plugin, for messages.

    Raises:
        PluginError: It is not a pair source.
    """
    if not isinstance(source, PairSource):
        raise PluginError(
            f"{plugin}: a pair source must be an ultrarm_eval.PairSource, not a value "
            f"of type {type(source).__name__}."
        )
    who = f"Pair source {source.name!r} ({plugin})"
    if not isinstance(source.name, str) or not source.name:
        raise PluginError(f"{who}: its name must be a non-empty string.")
    for name in ("recognises", "read_row"):
        if not callable(getattr(source, name)):
            raise PluginError(f"{who}: {name} must be a function.")
    if source.open_rows is not None and not callable(source.open_rows):
        raise PluginError(f"{who}: open_rows must be a function or None.")
    if not source.preferences:
        raise PluginError(f"{who}: preferences is empty. Name the ratings of its completions.")
    return replace(
        source,
        recognises=_recognises(source, who),
        read_row=_read_row(source, who),
        open_rows=None if source.open_rows is None else _open_rows(source.open_rows, who),
    )


def _recognises(source: PairSource, who: str) -> Callable[[frozenset[str]], bool]:
    def recognises(columns: frozenset[str]) -> bool:
        try:
            return bool(source.recognises(columns))
        except Exception as error:
            raise DataError(
                f"{who}: recognises() fails on the columns {', '.join(sorted(columns))}: "
                f"{first_line(error)}. Fix it, or uninstall the package."
            ) from error

    return recognises


def _read_row(
    source: PairSource, who: str
) -> Callable[[Row, Location, DataCounts], PromptRecord | None]:
    def read_row(row: Row, where: Location, counts: DataCounts) -> PromptRecord | None:
        try:
            record = source.read_row(row, where, counts)
        except KeyError as error:
            if error.args and error.args[0] not in row:
                # The caller reports the missing field.
                raise
            raise _failure(who, where, error) from error
        except UltrarmEvalError:
            raise
        except Exception as error:
            raise _failure(who, where, error) from error
        problem = None if record is None else _problem(record, source.preferences)
        if problem is not None:
            raise DataError(f"{where}: {who} returned {problem}.")
        return record

    return read_row


def _open_rows(open_rows: Callable[[], Sequence[Row]], who: str) -> Callable[[], Sequence[Row]]:
    def opened() -> Sequence[Row]:
        try:
            rows = open_rows()
        except UltrarmEvalError:
            raise
        except Exception as error:
            raise DataError(f"{who} cannot open its data: {first_line(error)}") from error
        if not hasattr(rows, "__len__") or not hasattr(rows, "__getitem__"):
            raise DataError(
                f"{who}: open_rows returned a {type(rows).__name__} instead of a list of rows."
            )
        return rows

    return opened


def _failure(who: str, where: Location, error: Exception) -> DataError:
    return DataError(f"{where}: {who} fails on this row: {first_line(error)}")


def _problem(record: Any, preferences: Sequence[str]) -> str | None:
    """What is wrong with a record; a wrong rating would give wrong metrics."""
    if not isinstance(record, PromptRecord):
        return f"a {type(record).__name__} for this row instead of a PromptRecord"
    for message in record.prompt:
        if not isinstance(message, Mapping) or not all(
            isinstance(message.get(name), str) for name in ("role", "content")
        ):
            return f"the message {message!r:.60} for this row, without role and content as strings"
    for completion in record.completions:
        if not isinstance(completion, RatedCompletion):
            return f"a completion of type {type(completion).__name__} for this row"
        if not isinstance(completion.text, str):
            return (
                f"a completion for this row whose text is of type {type(completion.text).__name__}"
            )
        for name, rating in completion.ratings.items():
            if name not in preferences:
                allowed = ", ".join(preferences)
                return f"a rating {name!r} for this row, but its preferences are {allowed}"
            if not isinstance(rating, numbers.Rational) or isinstance(rating, bool):
                return (
                    f"the rating {name}={rating!r:.40} for this row, of type "
                    f"{type(rating).__name__}: ratings must be exact (fractions.Fraction)"
                )
    return None
