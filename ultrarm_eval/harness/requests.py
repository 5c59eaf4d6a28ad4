"""What a judge is asked: the harness's requests as prompts and completions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ultrarm_eval.data.documents import is_document
from ultrarm_eval.messages import Message, Prompt, as_messages, as_plain_text


class RequestReader:
    """Reads requests of our tasks from their documents, and any other from its two texts."""

    def __init__(self) -> None:
        self._conversations: dict[str, tuple[Message, ...]] = {}

    def read(self, request: Any) -> tuple[Prompt, str]:
        """The prompt and the completion of a log-likelihood request.

        Our own documents hold messages and completions as they are. Elsewhere the context is
        the user's turn and the continuation, less one leading space, the answer.
        """
        document = request.doc
        if is_document(document):
            return document["prompt"], document["completions"][request.idx]
        context, continuation = request.args[0], request.args[1]
        prompt = self._conversations.get(context, context)
        return prompt, continuation.removeprefix(" ")

    def remember(self, chat_history: Sequence[Mapping[str, str]]) -> str:
        """Writes a conversation as text that `read` turns back into the conversation."""
        messages = as_messages(chat_history)
        text = as_plain_text(messages)
        self._conversations[text] = messages
        return text
