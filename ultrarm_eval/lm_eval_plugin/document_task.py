"""A task of the harness over our documents, whose prompts are messages."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lm_eval.api.instance import Instance

from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.lm_eval_plugin.fresh_task import FreshTask
from ultrarm_eval.messages import Message, as_messages, as_plain_text

logger = logging.getLogger(__name__)

_SYSTEM = "system"
# Keys of a task's YAML that say how a document is written.
_WITHOUT_EFFECT = ("description", "doc_to_text", "doc_to_choice", "gen_prefix", "fewshot_config")


class DocumentTask(FreshTask):
    """What preference tasks and judged tasks have in common."""

    #: Asked for examples, the run is refused: a conversation is scored, or answered, as it is.
    takes_shots = False
    #: The run's `--system_instruction`.
    system_instruction: str | None = None
    _own_system_turns = 0

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        """See `FreshTask`.

        Args:
            config: The task's YAML, with the run's metadata merged in.

        Raises:
            UltrarmEvalError: A key of the YAML has no effect here; the metadata or the data cannot
                be used.
        """
        given = dict(config or {})
        for key in _WITHOUT_EFFECT:
            if given.get(key):
                raise ConfigurationError(
                    f"{given.get('task')}: its YAML has {key}, which this class of task does not "
                    "read: its conversations come from the data as they are. Remove it; a system "
                    "turn for all of them is --system_instruction."
                )
        super().__init__(config)

    def build_all_requests(self, *, system_instruction: str | None = None, **kwargs: Any) -> None:
        """Builds the requests; a system instruction stands in front of every conversation."""
        self.system_instruction = system_instruction or None
        self._own_system_turns = 0
        super().build_all_requests(system_instruction=system_instruction, **kwargs)
        if self._own_system_turns:
            logger.warning(
                "%s: %d documents have a system turn of their own; --system_instruction stands "
                "before its text, in the same turn.",
                self.config.task,
                self._own_system_turns,
            )

    def after_evaluation(self, samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """What is known once everything is computed, for the task's metadata in the results.

        Args:
            samples: The samples of all processes; none where they are not logged.
        """
        if not self.system_instruction:
            return {}
        own = (
            sum(_has_system_turn(s["doc"]) for s in samples) if samples else self._own_system_turns
        )
        return {"documents_with_own_system_turn": own} if own else {}

    def conversation(self, doc: Mapping[str, Any]) -> tuple[Message, ...]:
        """The turns before the answer, the run's system instruction in front."""
        return _instructed(as_messages(doc["prompt"]), self.system_instruction)

    def fewshot_docs(self) -> None:
        """There are no examples: these tasks have no shots."""
        return

    def doc_to_text(self, doc: Mapping[str, Any], *_: Any) -> str:
        """The conversation before the answer, as text."""
        return as_plain_text(as_messages(doc["prompt"]))

    def apply_filters(self) -> list[Instance] | None:
        """Filters the answers, as many as were asked for."""
        self.drop_surplus_answers()
        filtered: list[Instance] | None = super().apply_filters()
        return filtered

    def fewshot_context(
        self,
        doc: Mapping[str, Any],
        num_fewshot: int = 0,
        *,
        system_instruction: str | None = None,
        apply_chat_template: bool = False,
        chat_template: Callable[..., str] | None = None,
        **_: Any,
    ) -> str:
        """The conversation as a language model reads it; a judge reads its turns."""
        messages = _instructed(as_messages(doc["prompt"]), system_instruction)
        self._own_system_turns += bool(system_instruction) and _has_system_turn(doc)
        if apply_chat_template and chat_template is not None:
            return chat_template([dict(m) for m in messages]) if messages else ""
        return as_plain_text(messages)


def _instructed(messages: Sequence[Message], instruction: str | None) -> tuple[Message, ...]:
    """A conversation under a system instruction.

    As the harness joins it with a task's description, it is joined with a system turn that is there
    already: templates know one system turn, at the start.
    """
    if not instruction:
        return tuple(messages)
    if messages and messages[0]["role"] == _SYSTEM:
        joined = f"{instruction}\n\n{messages[0]['content']}"
        return (Message(role=_SYSTEM, content=joined), *messages[1:])
    return (Message(role=_SYSTEM, content=instruction), *messages)


def _has_system_turn(doc: Mapping[str, Any]) -> bool:
    messages = as_messages(doc["prompt"])
    return bool(messages) and messages[0]["role"] == _SYSTEM
