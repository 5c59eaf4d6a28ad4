"""Which columns of a table hold prompts and answers, and which are added to it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ultrarm_eval.errors import DataError
from ultrarm_eval.sources.conversation_columns import HISTORY_COLUMN, SYSTEM_COLUMNS, UNSEEN_COLUMNS
from ultrarm_eval.sources.conversations import CONVERSATION_COLUMNS

#: What is added: the reward, null where there is none; why there is none, null where there is one;
#: whether tokens were cut off on the left; the row's number in its file, from 0 on; the judge.
REWARD, REFUSED, TRUNCATED, ROW, JUDGE = ADDED = ("reward", "refused", "truncated", "row", "judge")
ANSWERS = ("completion", "answer", "response", "output")
INSTRUCTION, INPUT = "instruction", "input"
_PROMPTS = ("prompt", INSTRUCTION, "question")
# Read with the prompt wherever they are; see `ultrarm_eval.sources.conversations`.
_CONTEXT = (*SYSTEM_COLUMNS, HISTORY_COLUMN, *UNSEEN_COLUMNS)


@dataclass(frozen=True)
class Columns:
    """The columns of a data set that are read.

    Attributes:
        prompt: Texts or messages; None where the answers' column has the whole conversations.
        answer: The answers, or conversations that end with them.
        prefix: What the names of added columns begin with.
    """

    prompt: str | None
    answer: str
    prefix: str = ""

    @classmethod
    def found(
        cls,
        there: Collection[str],
        where: object,
        *,
        prompt: str | None = None,
        answer: str | None = None,
        prefix: str = "",
    ) -> Columns:
        """The columns of a file, by their names.

        Args:
            there: The names of its columns.
            where: What messages call it.
            prompt: The prompts' column, if the user named it.
            answer: The answers' column, if the user named it.
            prefix: What the names of added columns begin with.

        Raises:
            DataError: There are none, or several that could be meant.
        """
        conversations = [name for name in CONVERSATION_COLUMNS if name in there]
        if answer is None:
            answer = _one([n for n in ANSWERS if n in there], "answers", "--answer", where)
        if answer is None and prompt is None and conversations:
            answer = _one(conversations, "conversations", "--answer", where)
        if answer is None:
            raise DataError(
                f"{where}: no column has the answers. They are in one of {', '.join(ANSWERS)}, or "
                f"are the last turns of {', '.join(CONVERSATION_COLUMNS)}; name another one by "
                f"--answer. The file has: {', '.join(there)}."
            )
        if prompt is None:
            candidates = [name for name in (*_PROMPTS, *conversations) if name in there]
            others = [name for name in candidates if name != answer]
            is_conversation = answer in CONVERSATION_COLUMNS
            prompt = None if is_conversation else _one(others, "prompts", "--prompt", where)
            if prompt is None and not is_conversation:
                raise DataError(
                    f"{where}: no column has the prompts. They are in one of "
                    f"{', '.join((*_PROMPTS, *CONVERSATION_COLUMNS))}; name another one by "
                    f"--prompt. The file has: {', '.join(there)}."
                )
        columns = cls(prompt, answer, prefix)
        columns.require(there, where)
        return columns

    def require(self, there: Collection[str], where: object) -> None:
        """Refuses a file that lacks a column, or has one of a name that is added.

        Raises:
            DataError: It does.
        """
        for name in filter(None, (self.prompt, self.answer)):
            if name not in there:
                raise DataError(
                    f"{where}: the column {name!r} is missing, which other files have or the "
                    f"command names. The file has: {', '.join(there)}."
                )
        for name in map(self.added, ADDED):
            if name in there:
                raise DataError(
                    f"{where}: there is a column {name!r} already, and one of this name is added. "
                    "Give the added columns names that begin otherwise, such as --prefix ultrarm_."
                )

    def added(self, name: str) -> str:
        """What a column that is added is called."""
        return f"{self.prefix}{name}"

    def read(self, there: Collection[str]) -> list[str]:
        """The columns that a row's conversation depends on, of those that a file has."""
        beside = [INPUT] if self.prompt == INSTRUCTION else []
        names = [self.prompt, self.answer, *_CONTEXT, *beside]
        return [name for name in dict.fromkeys(names) if name is not None and name in there]


def _one(candidates: list[str], what: str, option: str, where: object) -> str | None:
    if len(candidates) > 1:
        raise DataError(
            f"{where}: several columns could be the {what}: {', '.join(candidates)}. Name one by "
            f"{option}."
        )
    return candidates[0] if candidates else None
