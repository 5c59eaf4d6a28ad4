"""Reference answers: the target, a field of the metadata, or a file."""

from __future__ import annotations

import logging
from pathlib import Path

from inspect_ai.scorer import Target
from inspect_ai.solver import TaskState

from ultrarm_eval.errors import ConfigurationError, DataError
from ultrarm_eval.messages import Message, well_formed
from ultrarm_eval.sources.answers import prompt_key, read_references
from ultrarm_eval.sources.references import is_file

logger = logging.getLogger(__name__)

#: The word for a sample's target.
TARGET = "target"
_NAMED = 10


class References:
    """Finds the reference of a sample."""

    def __init__(self, named: str) -> None:
        """Reads a file, if one is named.

        Args:
            named: `target`, a key of the samples' metadata, or a file of answers, one per prompt
                (see `ultrarm_eval.sources.answers`).

        Raises:
            DataError: The file cannot be read, or a prompt has two answers.
        """
        self._named = named
        self._answers: dict[str, str] | None = None
        self._has_warned = False
        if named != TARGET and is_file(named):
            self._answers = read_references(Path(named).expanduser())

    def of(
        self, state: TaskState, target: Target, prompt: tuple[Message, ...], where: str
    ) -> str | None:
        """The reference of a sample; None, with one warning, if it has none.

        Args:
            state: The sample.
            target: Its target.
            prompt: Its prompt, by which a file's answers are found.
            where: The sample, for messages.

        Raises:
            ConfigurationError: The sample has no such key, or several targets.
            DataError: The value is not text.
        """
        found = self._found(state, target, prompt, where)
        if found is None and not self._has_warned:
            self._has_warned = True
            logger.warning(
                "%s has no reference (%s) and so no win rate; such samples count as unscored. "
                "Prompts in a reference file must match exactly.",
                where,
                self._named,
            )
        return None if found is None else well_formed(found)

    def _found(
        self, state: TaskState, target: Target, prompt: tuple[Message, ...], where: str
    ) -> str | None:
        if self._named == TARGET:
            if len(target) > 1:
                raise ConfigurationError(
                    f"{where} has {len(target)} targets, but a reference is one answer. Use "
                    "reference to name a key of the metadata or a file."
                )
            return target.text or None
        if self._answers is not None:
            return self._answers.get(prompt_key(prompt))
        if self._named not in state.metadata:
            keys = ", ".join(sorted(map(str, state.metadata))[:_NAMED]) or "none"
            raise ConfigurationError(
                f"{where}: reference={self._named!r} is neither a file nor a key of the sample's "
                f"metadata. Keys: {keys}. Or use the target: reference={TARGET}."
            )
        value = state.metadata[self._named]
        if value is not None and not isinstance(value, str):
            raise DataError(
                f"{where}: {self._named!r} in the metadata (reference) is of type "
                f"{type(value).__name__}; it must be a string or null."
            )
        return value
