"""`--model ultrarm` and `--model reward-model`: a judge in the place of a language model."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NoReturn

from lm_eval.api.model import LM
from tqdm import tqdm

from ultrarm_eval._version import __version__
from ultrarm_eval.documents.document import is_comparison
from ultrarm_eval.errors import ConfigurationError, ScoringError, UnwritableTextError
from ultrarm_eval.judges import DEFAULT_JUDGE
from ultrarm_eval.judges.base import Judgement, statement
from ultrarm_eval.judges.judgements import described, judgement_stream, warn_if_all_equal
from ultrarm_eval.judges.loading import default_checkpoint, make_judge
from ultrarm_eval.lm_eval_plugin.abstentions import may_abstain
from ultrarm_eval.lm_eval_plugin.logs import show_as_harness_does
from ultrarm_eval.lm_eval_plugin.processes import device_of_process, gather_object, join_processes
from ultrarm_eval.lm_eval_plugin.requests import as_context, read_request
from ultrarm_eval.lm_eval_plugin.response_cache import (
    bind_to_judge,
    check_responses,
    refuse_damaged,
)
from ultrarm_eval.lm_eval_plugin.reward import Reward, as_reward
from ultrarm_eval.messages import Prompt, as_messages
from ultrarm_eval.runs.judge_identity import OF_COMPUTING

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

logger = logging.getLogger(__name__)

# Keys of the results' configuration that are the harness's own.
_OF_HARNESS = ("model", "model_args")


class RewardModelLM(LM):  # type: ignore[misc, unused-ignore]
    """Answers log-likelihood requests with rewards.

    The judge is made, and every setting checked, at once; its weights are loaded with the first
    request, so that wrong data or tasks are reported before they are.
    """

    is_reward_judge = True
    _counts_of_all: dict[str, int] | None = None
    _seconds_of_each: Sequence[float] = ()

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
            batch_size: The most texts computed together; `auto` and 1 leave it to the judge.
            max_batch_size: A further limit on it.
            device: The device to compute on.
            trust_remote_code: Has no effect on a judge, and is said so: none ever runs remote code.
            **settings: The judge's own settings.
        """
        super().__init__()
        show_as_harness_does()
        if trust_remote_code:
            logger.warning("trust_remote_code is ignored: a judge never runs a checkpoint's code.")
        self.accelerator = join_processes(self._count_all_processes)
        if self.accelerator is not None:
            self._rank = self.accelerator.process_index
            self._world_size = self.accelerator.num_processes
        device = device_of_process(device, self.accelerator)
        if judge is None:
            judge = self.judge_unless_named(pretrained, settings.get("revision"))
        pretrained = default_checkpoint(judge) if pretrained is None else str(pretrained)
        # A judge without weights goes by its name.
        self.pretrained = judge if pretrained is None else pretrained
        named = {} if pretrained is None else {"pretrained": pretrained}
        self.judge = make_judge(
            judge,
            {**named, **settings},
            offered={"batch_size": batch_size, "max_batch_size": max_batch_size, "device": device},
        )
        # judge=auto is answered by another.
        self.judge_name = str(getattr(self.judge, "name", judge))
        self._device = getattr(self.judge, "device", None)
        self._request_counts = {"texts": 0, "distinct_texts": 0}

    @classmethod
    def judge_unless_named(cls, pretrained: str | None, revision: str | None) -> str:
        """The judge of a run whose user named none."""
        return DEFAULT_JUDGE

    @property
    def device(self) -> Any:
        """Where the harness gathers what it counts in every process."""
        return "cpu" if self.accelerator is None else self.accelerator.device

    @property
    def tokenizer(self) -> Any:
        """The judge's tokenizer, which the harness describes in its results; None without one."""
        return getattr(self.judge, "tokenizer", None)

    @property
    def max_length(self) -> int | None:
        """The most tokens of a text, where the judge has a limit."""
        return getattr(self.judge, "max_length", None)

    @property
    def tokenizer_name(self) -> str:
        """Names the judge in the harness's request cache."""
        return self.pretrained.replace("/", "__")

    def loglikelihood(
        self, requests: list[Instance], disable_tqdm: bool = False
    ) -> list[tuple[float, bool]]:
        """Scores requests, in order; a text that several of them ask for is scored once.

        Each reward is put into the harness's response cache as soon as there is one.
        """
        self._count_damaged_responses()
        askers, prompts, completions = _distinct(requests)
        self._request_counts["texts"] += len(requests)
        self._request_counts["distinct_texts"] += len(askers)
        logger.info(
            "%d requests of %s ask for %d distinct texts; each is scored once.",
            len(requests),
            ", ".join(sorted({str(request.task_name) for request in requests})),
            len(askers),
        )
        rewards: list[Reward | None] = [None] * len(requests)
        stream = self._named(judgement_stream(self.judge, prompts, completions), requests, askers)
        # Loading comes with the first reward; its lines stay out of the bar.
        started = [*islice(stream, 1)]
        silent = disable_tqdm or self.rank != 0
        with tqdm(total=len(requests), disable=silent, desc="Scoring rewards") as progress:
            for distinct_index, judgement in chain(started, stream):
                for index in askers[distinct_index]:
                    self._require_reward(judgement, requests[index])
                    answer = rewards[index] = as_reward(
                        judgement, may_abstain=may_abstain(self.judge)
                    )
                    self.cache_hook.add_partial("loglikelihood", requests[index].args, answer)
                    progress.update()
        answered = [
            (r.args, answer[0]) for r, answer in zip(requests, rewards, strict=True) if answer
        ]
        warn_if_all_equal(answered)
        return [reward for reward in rewards if reward is not None]

    def loglikelihood_rolling(self, requests: list[Instance]) -> NoReturn:
        """Refused: a judge has no likelihoods."""
        raise _cannot("the likelihood of whole texts", requests)

    def generate_until(self, requests: list[Instance]) -> NoReturn:
        """Refused: a judge writes nothing."""
        raise _cannot("generated text", requests)

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """Stands in for a chat template: the judge's own template is applied when it scores."""
        return as_context(as_messages(chat_history))

    def all_gather(self, tensor: Any) -> Any:
        """Joins a tensor of every process."""
        return tensor if self.accelerator is None else self.accelerator.gather(tensor)

    def gather_object(self, obj: Any, dst: int = 0) -> list[Any] | None:
        """Collects an object of every process on the process `dst`."""
        return [obj] if self.accelerator is None else gather_object(self.accelerator, obj, dst)

    def barrier(self) -> None:
        """Waits for every process."""
        if self.accelerator is not None:
            self.accelerator.wait_for_everyone()

    def set_cache_hook(self, cache_hook: Any) -> None:
        """Binds a response cache to this judge before anything is taken from it.

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
        settings = dict(self.judge.settings())
        # The harness writes the device that was asked for under "device".
        used = {"device_used": settings.pop("device", None)}
        settings.pop("counts", None)
        if "scoring_seconds" in settings:
            settings["scoring_seconds"] = max(self._seconds_of_each or [self._own_seconds()])
        counts = {"judge_counts": self._counts_of_all or self._own_counts()}
        names = {
            "model_num_parameters": settings.pop("parameters", None),
            "model_dtype": settings.get("dtype"),
            "model_revision": settings.get("revision"),
            "model_sha": settings.pop("weights_digest", None),
        }
        said = self.judge.settings()
        own = {name: value for name, value in said.items() if name not in OF_COMPUTING}
        identity = {
            "judge_settings": own,
            **statement(self.judge),
            "fingerprint": self._known_fingerprint(),
        }
        version = {"ultrarm_eval_version": __version__}
        for name in _OF_HARNESS:
            settings.pop(name, None)
        about = {"judge": self.judge_name, **used, **names, **counts, **identity, **version}
        return {**settings, **about}

    def _known_fingerprint(self) -> str | None:
        """What identifies the rewards; None where it would take reading many gigabytes."""
        known = getattr(self.judge, "known_fingerprint", None)
        fingerprint = self.judge.fingerprint() if known is None else known()
        return None if fingerprint is None else str(fingerprint)

    def _count_damaged_responses(self) -> None:
        """Says what the harness found damaged in its cache, which it asks for again."""
        cache = getattr(self.cache_hook, "dbdict", None)
        found = len(getattr(cache, "damaged", ()))
        if found > self._request_counts.get("cache_rows_damaged", 0):
            self._request_counts["cache_rows_damaged"] = found
            logger.warning(
                "%s: %d responses are damaged, or are of an earlier version and have no checksum; "
                "they are computed anew.",
                getattr(cache, "filename", "The cache"),
                found,
            )

    def _require_reward(self, judgement: Judgement, request: Instance) -> None:
        """Refuses what is no finite number.

        Our tasks leave out what a judge has no score for; others would take it for the best.
        """
        if judgement.value is None:
            if may_abstain(self.judge) and is_comparison(request.doc):
                return
        elif math.isfinite(judgement.value):
            return
        raise _no_number(described(self.judge), judgement, request)

    def _own_counts(self) -> dict[str, int]:
        """What happened to the texts that this process was asked for."""
        # The judge is asked once for each text, and may find that some have the same tokens.
        of_judge = dict(self.judge.settings().get("counts", {}))
        of_judge.pop("texts", None)
        return {**self._request_counts, **of_judge}

    def _own_seconds(self) -> float:
        """What the model took for them."""
        return float(self.judge.settings().get("scoring_seconds") or 0.0)

    def _count_all_processes(self) -> None:
        """Adds up the counts of every process on the first one, which writes the results."""
        known = gather_object(self.accelerator, (self._own_counts(), self._own_seconds()), 0)
        if known is not None:
            of_each = [counts for counts, _ in known]
            self._seconds_of_each = [seconds for _, seconds in known]
            names = dict.fromkeys(name for counts in of_each for name in counts)
            self._counts_of_all = {
                name: sum(counts.get(name, 0) for counts in of_each) for name in names
            }

    def _named(
        self,
        stream: Iterator[tuple[int, Judgement]],
        requests: Sequence[Instance],
        askers: Sequence[Sequence[int]],
    ) -> Iterator[tuple[int, Judgement]]:
        """The judgements; a text that cannot be written is called by its document."""
        try:
            yield from stream
        except UnwritableTextError as error:
            request = requests[askers[error.text][0]]
            where = getattr(getattr(request.doc, "document", None), "where", None)
            place = "" if where is None else f" ({where})"
            raise error.of(f"Document {request.doc_id} of {request.task_name}{place}") from error


class AnyRewardModelLM(RewardModelLM):
    """`--model reward-model`: the checkpoint says which judge takes it, unless one is named."""

    @classmethod
    def judge_unless_named(cls, pretrained: str | None, revision: str | None) -> str:
        """`auto` where the checkpoint's config.json can be read, else `ultrarm`."""
        from ultrarm_eval.judges.auto import auto_if_readable

        return DEFAULT_JUDGE if pretrained is None else auto_if_readable(str(pretrained), revision)


def _distinct(
    requests: Sequence[Instance],
) -> tuple[list[list[int]], list[Prompt], list[str]]:
    """For each distinct text: the requests that ask for it, its prompt and its completion."""
    places: dict[tuple[str, str], int] = {}
    askers: list[list[int]] = []
    prompts: list[Prompt] = []
    completions: list[str] = []
    for index, request in enumerate(requests):
        prompt, completion = read_request(request)
        key = (as_context(as_messages(prompt)), completion)
        place = places.setdefault(key, len(askers))
        if place == len(askers):
            askers.append([])
            prompts.append(prompt)
            completions.append(completion)
        askers[place].append(index)
    return askers, prompts, completions


def _no_number(who: str, judgement: Judgement, request: Instance) -> ScoringError:
    return ScoringError(
        f"{who} gave the reward {judgement.reward} to document {request.doc_id} of "
        f"{request.task_name}, answer {request.idx}; a reward is a finite number."
        + (
            " Nothing readable was written about it, and only the preference tasks leave such "
            "answers out: set samples=4 or more, so that one of them is readable."
            if judgement.unscored
            else ""
        )
    )


def _cannot(what: str, requests: Sequence[Instance]) -> ConfigurationError:
    tasks = ", ".join(sorted({str(request.task_name) for request in requests}))
    return ConfigurationError(
        f"A reward judge cannot give {what}, which these tasks need: {tasks}. Run them with a "
        "language model (--model hf)."
    )
