"""The base class of all our tasks: what they do before and after the harness's requests."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ultrarm_eval.data.counts import counted
from ultrarm_eval.documents.base import Documents
from ultrarm_eval.errors import ConfigurationError, DataError
from ultrarm_eval.lm_eval_plugin.abstentions import Abstentions
from ultrarm_eval.lm_eval_plugin.document_json import document_of
from ultrarm_eval.lm_eval_plugin.harness_task import HarnessTask
from ultrarm_eval.lm_eval_plugin.logs import show_as_harness_does
from ultrarm_eval.lm_eval_plugin.protocols import BridgedTask
from ultrarm_eval.lm_eval_plugin.run_metadata import own_metadata, task_folders
from ultrarm_eval.messages import Message, as_plain_text

logger = logging.getLogger(__name__)

_SYSTEM = "system"
# Keys of a task's YAML that format a document.
_WITHOUT_EFFECT = ("description", "doc_to_text", "doc_to_choice", "gen_prefix", "fewshot_config")


class OwnTask(HarnessTask, BridgedTask):
    """Builds its requests anew in each run, and logs how much of its data is used."""

    takes_shots = True
    is_pairwise = False

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        """Loads the data.

        Args:
            config: The task's YAML, with the run's metadata merged in.

        Raises:
            UltrarmEvalError: The metadata or the data cannot be used.
        """
        show_as_harness_does()
        self.abstentions = Abstentions()
        given = {k: v for k, v in (config or {}).items() if k != "class"}
        if given.get("scorer"):
            raise ConfigurationError(
                f"{given.get('task')}: its YAML has the key scorer, which this task class does "
                "not use because it does its own scoring. Remove the key."
            )
        #: Folders of the user's own task files.
        self.task_folders = task_folders(given)
        # A function in the YAML that makes the data may need the model's arguments.
        if "metadata" in given and given.get("custom_dataset") is None:
            given["metadata"] = own_metadata(given)
        try:
            super().__init__(config=given)
        except (ConfigurationError, DataError) as error:
            task = str(given.get("task"))
            data = (given.get("metadata") or {}).get("data")
            # If each task has its own data, a path alone does not identify the task.
            if not isinstance(data, Mapping) or str(error).startswith(task):
                raise
            raise type(error)(f"{task}: {error}") from error

    def build_all_requests(self, *, cache_requests: bool = False, **kwargs: Any) -> Any:
        """Builds the requests anew: a request cache does not know which data they come from."""
        if cache_requests:
            logger.info("%s: --cache_requests has no effect on this task.", self.config.task)
        kwargs.pop("rewrite_requests_cache", None)
        self._refuse_wrong_choice(**kwargs)
        self._refuse_idle_processes(**kwargs)
        return super().build_all_requests(cache_requests=False, **kwargs)

    def tell_counts(self, documents: Documents) -> dict[str, int]:
        """Logs how much of the data is used, and warns about what is excluded.

        Returns:
            The counts by name.
        """
        logger.info("%s: %s.", self.config.task, documents.counts.listed())
        for remark in documents.remarks():
            logger.warning("%s: %s", self.config.task, remark)
        return documents.counts.as_dict()

    def before_requests(self, lm: Any, most: int | None) -> None:
        """See `BridgedTask`."""
        return

    def has_answers_judged(self) -> bool:
        """See `BridgedTask`."""
        return False

    def averaged_metrics(self) -> Sequence[str]:
        """See `BridgedTask`."""
        return ()

    def after_evaluation(self, samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """See `BridgedTask`."""
        return {}

    def _refuse_wrong_choice(
        self, *, limit: int | None = None, samples: Sequence[int] | None = None, **_: Any
    ) -> None:
        """Refuses a selection of documents that the harness would misinterpret."""
        task, known = self.config.task, len(self.eval_docs)
        if limit is not None and limit < 1:
            raise ConfigurationError(
                f"{task}: --limit selects {limit} documents. Give a number of at least 1, or a "
                "fraction between 0 and 1."
            )
        if samples is None:
            return
        is_ordered = all(
            isinstance(one, int) and not isinstance(one, bool) for one in samples
        ) and list(samples) == sorted(set(samples))
        # The harness numbers the documents in their original order, and treats an empty list as
        # all.
        if not samples or not is_ordered or samples[0] < 0 or samples[-1] >= known:
            raise ConfigurationError(
                f"{task}: --samples is {_shortened(list(samples))}. Give at least one whole "
                f"number from 0 to {known - 1}, in ascending order and each only once."
            )

    def _refuse_idle_processes(
        self,
        *,
        limit: int | None = None,
        samples: Sequence[int] | None = None,
        world_size: int = 1,
        **_: Any,
    ) -> None:
        """Refuses more processes than documents: the harness fails in a process without documents.

        Every process checks this by itself, so that none waits for another.
        """
        documents = len(samples) if samples else len(self.eval_docs)
        if limit and not samples:
            documents = min(documents, int(limit))
        if 0 < documents < world_size:
            raise ConfigurationError(
                f"{self.config.task}: {world_size} processes are too many for "
                f"{counted(documents, 'document')}. Start at most one process per document."
            )


class ConversationTask(OwnTask):
    """The common base of preference tasks and judged tasks."""

    #: A run with few-shot examples is refused: a conversation is scored, or answered, as it is.
    takes_shots = False
    #: The run's `--system_instruction`.
    system_instruction: str | None = None
    _own_system_turns = 0

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        """See `OwnTask`.

        Args:
            config: The task's YAML, with the run's metadata merged in.

        Raises:
            UltrarmEvalError: A key of the YAML has no effect here, or the metadata or the data
                cannot be used.
        """
        given = dict(config or {})
        for key in _WITHOUT_EFFECT:
            if given.get(key):
                raise ConfigurationError(
                    f"{given.get('task')}: its YAML has the key {key}, which this task class "
                    "does not use: conversations are taken from the data as they are. Remove "
                    "the key. To add a system turn to every conversation, use "
                    "--system_instruction."
                )
        super().__init__(config)

    def build_all_requests(self, *, system_instruction: str | None = None, **kwargs: Any) -> Any:
        """Builds the requests; a system instruction is put before every conversation."""
        self.system_instruction = system_instruction or None
        self._own_system_turns = 0
        built = super().build_all_requests(system_instruction=system_instruction, **kwargs)
        if self._own_system_turns:
            logger.warning(
                "%s: %d documents already have a system turn; --system_instruction is put "
                "before its text in the same turn.",
                self.config.task,
                self._own_system_turns,
            )
        return built

    def after_evaluation(self, samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Facts known only after the evaluation, for the task's metadata in the results.

        Args:
            samples: The samples of all processes; empty if samples are not logged.
        """
        if not self.system_instruction:
            return {}
        own = (
            sum(_has_system_turn(s["doc"]) for s in samples) if samples else self._own_system_turns
        )
        return {"documents_with_own_system_turn": own} if own else {}

    def conversation(self, doc: Mapping[str, Any]) -> tuple[Message, ...]:
        """The turns before the answer, with the run's system instruction first."""
        return _instructed(document_of(doc).prompt, self.system_instruction)

    def fewshot_docs(self) -> None:
        """These tasks have no few-shot examples."""
        return

    def doc_to_text(self, doc: Mapping[str, Any], *_: Any) -> str:
        """The conversation before the answer, as text."""
        return as_plain_text(document_of(doc).prompt)

    def set_repeats(self, repeats: int) -> None:
        """Has no effect: each completion is scored once, and each prompt answered once."""
        if int(repeats) != int(self.config.repeats or 1):
            logger.warning(
                "%s: --repeats %s has no effect on this task, which needs one answer per prompt.",
                self.config.task,
                repeats,
            )

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
        """The conversation as text for a language model; a judge gets its turns."""
        messages = _instructed(document_of(doc).prompt, system_instruction)
        self._own_system_turns += bool(system_instruction) and _has_system_turn(doc)
        if apply_chat_template and chat_template is not None:
            return chat_template([dict(m) for m in messages]) if messages else ""
        return as_plain_text(messages)


def _instructed(messages: Sequence[Message], instruction: str | None) -> tuple[Message, ...]:
    """A conversation with a system instruction.

    It is joined with an existing system turn, as the harness joins it with a task's description:
    templates allow only one system turn, at the start.
    """
    if not instruction:
        return tuple(messages)
    if messages and messages[0]["role"] == _SYSTEM:
        joined = f"{instruction}\n\n{messages[0]['content']}"
        return (Message(role=_SYSTEM, content=joined), *messages[1:])
    return (Message(role=_SYSTEM, content=instruction), *messages)


def _has_system_turn(doc: Mapping[str, Any]) -> bool:
    messages = document_of(doc).prompt
    return bool(messages) and messages[0]["role"] == _SYSTEM


def _shortened(values: list[Any]) -> str:
    text = repr(values)
    return text if len(text) <= 60 else f"{text[:60]}…"
