"""What a judge is asked: the harness's requests as prompts and completions."""

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
    """A request of our tasks: the document's, and the conversation its context was written from.

    The document is the data's own, whatever the run puts in front of it, so that documents of
    different runs can be matched.
    """

    conversation: Prompt = None

    @property
    def completion(self) -> str:
        """The completion that is asked about."""
        return document_of(self.doc).completions[self.idx]


def as_context(messages: Sequence[Message]) -> str:
    """Writes a conversation as text that `read_request` turns back into it.

    No two conversations are written alike, and one user turn stands for itself.
    """
    if len(messages) == 1 and messages[0]["role"] == "user":
        content = messages[0]["content"]
        if content and not content.startswith(_CONVERSATION):
            return content
    return _CONVERSATION + json.dumps(list(messages), ensure_ascii=False)


@dataclass
class DistinctText:
    """A text that requests ask for.

    Attributes:
        prompt: The conversation before the completion.
        completion: The completion.
        askers: The requests that ask for it, by their index.
    """

    prompt: Prompt
    completion: str
    askers: list[int]


def distinct_texts(requests: Sequence[Any]) -> list[DistinctText]:
    """Log-likelihood requests by what they ask for, in the order in which it is first asked."""
    found: dict[tuple[str, str], DistinctText] = {}
    for index, request in enumerate(requests):
        prompt, completion = read_request(request)
        key = (as_context(as_messages(prompt)), completion)
        found.setdefault(key, DistinctText(prompt, completion, [])).askers.append(index)
    return list(found.values())


def read_request(request: Any) -> tuple[Prompt, str]:
    """The prompt and the completion of a log-likelihood request.

    Requests of our own tasks hold messages and completions as they are. Elsewhere the context is
    the user's turn and the continuation, less one leading space, the answer.
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
