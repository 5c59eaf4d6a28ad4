"""`--model ultrarm` and `--model reward-model`: a judge used as a model of the harness."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NoReturn

from lm_eval.api.model import LM
from tqdm import tqdm

from ultrarm_eval.data.counts import counted
from ultrarm_eval.documents.document import is_comparison
from ultrarm_eval.errors import ConfigurationError, ScoringError, UnwritableTextError
from ultrarm_eval.judges import DEFAULT_JUDGE
from ultrarm_eval.judges.base import Judge, Judgement, may_abstain
from ultrarm_eval.judges.judgements import described, judgement_stream, warn_if_all_equal
from ultrarm_eval.judges.loading import default_checkpoint, default_judge, make_judge
from ultrarm_eval.lm_eval_plugin.document_json import place_of
from ultrarm_eval.lm_eval_plugin.harness_values import Reward, as_reward
from ultrarm_eval.lm_eval_plugin.logs import show_as_harness_does
from ultrarm_eval.lm_eval_plugin.model_info import model_info
from ultrarm_eval.lm_eval_plugin.processes import (
    JudgeCounts,
    device_of_process,
    gather_object,
    join_processes,
)
from ultrarm_eval.lm_eval_plugin.requests import DistinctText, as_context, distinct_texts
from ultrarm_eval.lm_eval_plugin.response_cache import (
    bind_to_judge,
    check_responses,
    refuse_damaged,
    require_same_model,
)
from ultrarm_eval.messages import as_messages

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

logger = logging.getLogger(__name__)


class RewardModelLM(LM):  # type: ignore[misc, unused-ignore]
    """Answers log-likelihood requests with rewards.

    The judge is created and every setting is checked at once. Its weights are loaded with the first
    request, so that invalid data or tasks are reported before that.
    """

    def __init__(
        self,
        pretrained: str | None = None,
        judge: str | None = None,
        batch_size: int | str | None = None,
        max_batch_size: int | None = None,
        device: str | None = None,
        trust_remote_code: bool = False,
        **settings: Any,
    ) -> None:
        """Makes the judge.

        Args:
            pretrained: A folder, a hub id, or `demo`; the judge's own default if None.
            judge: The judge's registered name; `ultrarm` if None.
            batch_size: The largest number of texts in a batch; `auto` and 1 leave it to the judge.
            max_batch_size: A further limit on it.
            device: The device to compute on.
            trust_remote_code: Ignored with a warning: a judge never runs remote code.
            **settings: The judge's own settings.
        """
        super().__init__()
        show_as_harness_does()
        if trust_remote_code:
            logger.warning("trust_remote_code is ignored: a judge never runs a checkpoint's code.")
        self.accelerator = join_processes(lambda: self._counts.gather(self.accelerator))
        if self.accelerator is not None:
            self._rank = self.accelerator.process_index
            self._world_size = self.accelerator.num_processes
        device = device_of_process(device, self.accelerator)
        if judge is None:
            judge = self.judge_unless_named(pretrained, settings.get("revision"))
        pretrained = default_checkpoint(judge) if pretrained is None else str(pretrained)
        named = {} if pretrained is None else {"pretrained": pretrained}
        made = make_judge(
            judge,
            {**named, **settings},
            offered={"batch_size": batch_size, "max_batch_size": max_batch_size, "device": device},
        )
        self._ask(made, judge, pretrained)

    @classmethod
    def of_judge(cls, judge: Judge, name: str, pretrained: str | None = None) -> RewardModelLM:
        """Wraps an existing judge, for a single process.

        Args:
            judge: The judge.
            name: The name to use if it has no name of its own.
            pretrained: Its checkpoint, if it has one.
        """
        model = cls.__new__(cls)
        LM.__init__(model)
        model.accelerator = None
        model._ask(judge, name, pretrained)
        return model

    def _ask(self, judge: Judge, name: str, pretrained: str | None) -> None:
        self.judge = judge
        # judge=auto resolves to another judge.
        self.judge_name = str(getattr(judge, "name", name))
        # A judge without weights is identified by its name.
        self.pretrained = name if pretrained is None else pretrained
        self._device = getattr(judge, "device", None)
        self._counts = JudgeCounts(judge)

    @classmethod
    def judge_unless_named(cls, pretrained: str | None, revision: str | None) -> str:
        """The default judge of a run."""
        return DEFAULT_JUDGE

    @property
    def device(self) -> Any:
        """The device on which the harness gathers counts of all processes."""
        return "cpu" if self.accelerator is None else self.accelerator.device

    @property
    def tokenizer(self) -> Any:
        """The judge's tokenizer, which the harness describes in its results; None without one."""
        return getattr(self.judge, "tokenizer", None)

    @property
    def max_length(self) -> int | None:
        """The largest number of tokens of a text, if the judge has a limit."""
        return getattr(self.judge, "max_length", None)

    @property
    def tokenizer_name(self) -> str:
        """The judge's name in the harness's request cache."""
        return self.pretrained.replace("/", "__")

    def loglikelihood(self, requests: list[Instance], disable_tqdm: bool = False) -> list[Reward]:
        """Scores requests, in order; a text requested several times is scored once.

        Each reward is put into the harness's response cache as soon as it is known.
        """
        self._count_damaged_responses()
        texts = distinct_texts(requests)
        self._counts.requests["texts"] += len(requests)
        self._counts.requests["distinct_texts"] += len(texts)
        logger.info(
            "Scoring %s for %s: %s distinct.",
            counted(len(requests), "text"),
            ", ".join(sorted({str(request.task_name) for request in requests})),
            f"{len(texts):,}",
        )
        rewards: dict[int, Reward] = {}
        stream = self._judgements(texts, requests)
        # Loading happens with the first reward; its log lines stay out of the progress bar.
        started = [*islice(stream, 1)]
        self._require_same_model()
        silent = disable_tqdm or self.rank != 0
        with tqdm(total=len(requests), disable=silent, desc="Scoring rewards") as progress:
            for place, judgement in chain(started, stream):
                reward = as_reward(judgement, may_abstain=may_abstain(self.judge))
                for index in texts[place].askers:
                    self._require_reward(judgement, requests[index])
                    rewards[index] = reward
                    self.cache_hook.add_partial("loglikelihood", requests[index].args, reward)
                    progress.update()
        answers = [rewards[index] for index in range(len(requests))]
        warn_if_all_equal((r.args, a.reward) for r, a in zip(requests, answers, strict=True))
        return answers

    def loglikelihood_rolling(self, requests: list[Instance]) -> NoReturn:
        """Refused: a judge has no likelihoods."""
        raise _cannot("the likelihood of whole texts", requests)

    def generate_until(self, requests: list[Instance]) -> NoReturn:
        """Refused: a judge generates no text."""
        raise _cannot("generated text", requests)

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """A placeholder for a chat template: the judge applies its own template when it scores."""
        return as_context(as_messages(chat_history))

    def all_gather(self, tensor: Any) -> Any:
        """Gathers a tensor from every process."""
        return tensor if self.accelerator is None else self.accelerator.gather(tensor)

    def gather_object(self, obj: Any, dst: int = 0) -> list[Any] | None:
        """Gathers an object from every process on process `dst`."""
        return [obj] if self.accelerator is None else gather_object(self.accelerator, obj, dst)

    def barrier(self) -> None:
        """Waits for every process."""
        if self.accelerator is not None:
            self.accelerator.wait_for_everyone()

    def set_cache_hook(self, cache_hook: Any) -> None:
        """Binds a response cache to this judge before anything is read from it.

        Raises:
            CacheMismatchError: The cache was filled by another judge or model.
            ResponseCacheError: It is damaged.
        """
        if cache_hook.dbdict is not None:
            fingerprint = self.judge.fingerprint()
            refuse_damaged(cache_hook.dbdict)
            bind_to_judge(cache_hook.dbdict, fingerprint)
            check_responses(cache_hook.dbdict, fingerprint)
        super().set_cache_hook(cache_hook)

    def get_model_info(self) -> dict[str, Any]:
        """The judge's settings, for the ``config`` section of the results."""
        return model_info(self.judge, self.judge_name, self._counts)

    def _require_same_model(self) -> None:
        """Checks the model before anything is put into the harness's cache.

        Raises:
            CacheMismatchError: The cached rewards were computed by servers with another model.
        """
        cache = getattr(self.cache_hook, "dbdict", None)
        known = getattr(self.judge, "witness", None)
        witness = None if cache is None or known is None else known()
        if witness is not None:
            require_same_model(cache, witness)

    def _count_damaged_responses(self) -> None:
        """Logs how many cached responses are damaged; the harness requests them again."""
        cache = getattr(self.cache_hook, "dbdict", None)
        found = len(getattr(cache, "damaged", ()))
        if found > self._counts.requests.get("cache_rows_damaged", 0):
            self._counts.requests["cache_rows_damaged"] = found
            logger.warning(
                "%s: %d responses are damaged, or are from an earlier version without "
                "checksums; they are recomputed.",
                getattr(cache, "filename", "The cache"),
                found,
            )

    def _require_reward(self, judgement: Judgement, request: Instance) -> None:
        """Refuses a reward that is not a finite number.

        Our tasks exclude answers on which a judge abstains; third-party tasks would treat NaN as
        the best.
        """
        if judgement.value is None:
            if may_abstain(self.judge) and is_comparison(request.doc):
                return
        elif math.isfinite(judgement.value):
            return
        raise _no_number(described(self.judge), judgement, request)

    def _judgements(
        self, texts: Sequence[DistinctText], requests: Sequence[Instance]
    ) -> Iterator[tuple[int, Judgement]]:
        """The judgements; errors about a text name its document."""
        prompts, completions = [one.prompt for one in texts], [one.completion for one in texts]
        try:
            yield from judgement_stream(self.judge, prompts, completions)
        except UnwritableTextError as error:
            request = requests[texts[error.text].askers[0]]
            place = place_of(request.doc)
            raise error.of(f"Document {request.doc_id} of {request.task_name}{place}") from error


class AnyRewardModelLM(RewardModelLM):
    """`--model reward-model`: the checkpoint decides the judge, unless one is named."""

    @classmethod
    def judge_unless_named(cls, pretrained: str | None, revision: str | None) -> str:
        """`auto` if the checkpoint's config.json can be read, else `ultrarm`."""
        return default_judge(pretrained, revision)


def _no_number(who: str, judgement: Judgement, request: Instance) -> ScoringError:
    return ScoringError(
        f"{who} gave the reward {judgement.reward} to document {request.doc_id} of "
        f"{request.task_name}, answer {request.idx}; a reward must be a finite number."
        + (
            " The judge gave no readable score, and only preference tasks exclude such answers. "
            "Set samples=4 or more, so that at least one is readable."
            if judgement.unscored
            else ""
        )
    )


def _cannot(what: str, requests: Sequence[Instance]) -> ConfigurationError:
    tasks = ", ".join(sorted({str(request.task_name) for request in requests}))
    return ConfigurationError(
        f"A reward judge cannot provide {what}, which these tasks need: {tasks}. Run them with a "
        "language model (--model hf)."
    )
