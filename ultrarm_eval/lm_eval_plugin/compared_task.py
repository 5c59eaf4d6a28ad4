"""A task that compares the completions of a document: one request for each."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from lm_eval.api.instance import Instance

from ultrarm_eval.lm_eval_plugin.abstentions import Abstentions
from ultrarm_eval.lm_eval_plugin.document_task import DocumentTask
from ultrarm_eval.lm_eval_plugin.requests import ConversationRequest, as_context

#: What stands between prompt and answer for a language model without chat template.
ANSWER_DELIMITER = "\n\n"


class ComparedTask(DocumentTask):
    """Asks for the reward, or the log-likelihood, of completions."""

    is_pairwise = True
    #: Set where a judge answers: its requests then hold the whole conversation, which the keys of
    #: a response cache are made of, and not a text that two conversations could share.
    asks_judge = False
    #: Whether that judge may have no score for a completion.
    judge_may_abstain = False

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        """See `FreshTask`."""
        self.abstentions = Abstentions()
        super().__init__(config)

    @abstractmethod
    def completions_asked(self, doc: Mapping[str, Any]) -> Sequence[int]:
        """The completions of a document whose rewards are needed, by their index."""

    def construct_requests(
        self, doc: Mapping[str, Any], ctx: str, apply_chat_template: bool = False, **kwargs: Any
    ) -> list[Instance]:
        """One request for each completion that a metric needs."""
        kwargs.pop("chat_template", None)
        conversation = self.conversation(doc)
        context = as_context(conversation) if self.asks_judge else ctx
        answers = [self._continuation(c, chat=apply_chat_template) for c in doc["completions"]]
        return [
            ConversationRequest(
                request_type="loglikelihood",
                doc=doc,
                arguments=(context, answers[i]),
                idx=i,
                conversation=[dict(message) for message in conversation],
                **kwargs,
            )
            for i in self.completions_asked(doc)
        ]

    def _continuation(self, completion: str, *, chat: bool) -> str:
        # A language model needs at least one token to score, also behind a chat template.
        bare = self.asks_judge or (chat and completion)
        return completion if bare else ANSWER_DELIMITER + completion
