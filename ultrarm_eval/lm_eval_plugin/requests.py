"""The harness's requests as prompts and completions for a judge."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lm_eval.api.instance import Instance

from ultrarm_eval.documents.document import is_comparison
from ultrarm_eval.lm_eval_plugin.document_json import document_of
from ultrarm_eval.messages import Message, Prompt, as_messages

#: Starts a context that is a whole conversation, so that it stays one in the harness's caches.
_CONVERSATION = "ultrarm_eval.conversation/1 "


@dataclass
class ConversationRequest(Instance):  # type: ignore[misc, unused-ignore]
    """A request of our tasks, with the conversation its context was made from.

    The document is unchanged, whatever the run puts before its text, so that documents of different
    runs can be matched.
    """

    conversation: Prompt = None

    @property
    def completion(self) -> str:
        """The completion to score."""
        return document_of(self.doc).completions[self.idx]


def as_context(messages: Sequence[Message]) -> str:
    """Encodes a conversation as text that `read_request` decodes.

    Different conversations have different texts, and a single user turn is its own text.
    """
    if len(messages) == 1 and messages[0]["role"] == "user":
        content = messages[0]["content"]
        if content and not content.startswith(_CONVERSATION):
            return content
    return _CONVERSATION + json.dumps(list(messages), ensure_ascii=False)


@dataclass
class DistinctText:
    """A text requested by one or more requests.

    Attributes:
        prompt: The conversation before the completion.
        completion: The completion.
        askers: The indices of the requests for it.
    """

    prompt: Prompt
    completion: str
    askers: list[int]


def distinct_texts(requests: Sequence[Any]) -> list[DistinctText]:
    """The distinct texts of log-likelihood requests, in the order of their first request."""
    found: dict[tuple[str, str], DistinctText] = {}
    for index, request in enumerate(requests):
        prompt, completion = read_request(request)
        key = (as_context(as_messages(prompt)), completion)
        found.setdefault(key, DistinctText(prompt, completion, [])).askers.append(index)
    return list(found.values())


def read_request(request: Any) -> tuple[Prompt, str]:
    """The prompt and the completion of a log-likelihood request.

    Requests of our own tasks contain messages and completions as they are. In other tasks the
    context is the user's turn, and the continuation, without one leading space, is the answer.
    """
    document = request.doc
    if isinstance(request, ConversationRequest):
        return request.conversation, request.completion
    if is_comparison(document):
        return document["prompt"], document["completions"][request.idx]
    context, continuation = request.args[0], request.args[1]
    prompt: Prompt = context
    if context.startswith(_CONVERSATION):
        prompt = json.loads(context.removeprefix(_CONVERSATION))
    return prompt, continuation.removeprefix(" ")
