"""From prompts and completions to rewards: every distinct text once, or out of the store."""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ultrarm_eval.engine.encoding_ahead import Portion, encoded_ahead
from ultrarm_eval.engine.runner import Runner
from ultrarm_eval.engine.score_store import FOUND_IN_STORE, ScoreStore
from ultrarm_eval.engine.scorer import BatchLimits, score_token_ids
from ultrarm_eval.engine.token_ids import PackedIds, unpacked
from ultrarm_eval.errors import DeviceError, RewardError, ScoreStoreError, TextDoesNotFitError
from ultrarm_eval.messages import Prompt
from ultrarm_eval.text_format.encoder import EncodedText, TextEncoder
from ultrarm_eval.text_format.text_counts import TextCounts

logger = logging.getLogger(__name__)

# Characters of a text that a message quotes.
_QUOTED = 80
# Bytes that tell texts of earlier portions apart: their token ids need not be kept.
_DIGEST = 16


@dataclass(frozen=True)
class Scoring:
    """What rewards are made with; what is costly is made when it is first needed.

    Attributes:
        runner: The loaded model.
        limits: How much is computed at once.
        batching: See `ultrarm_eval.engine.plan`.
        store: The score store, if there is one.
        keeps_unreadable: Whether a reward that is not a number is handed out and not an error.
        stored: Finds the rewards that a store holds, with all that belongs to them.
    """

    runner: Callable[[], Runner]
    limits: Callable[[], BatchLimits]
    batching: str
    store: Callable[[], ScoreStore | None]
    keeps_unreadable: bool = False
    stored: Callable[[ScoreStore, Sequence[PackedIds]], dict[PackedIds, float]] = ScoreStore.find


class RewardStream:
    """The rewards of one call, as they come."""

    def __init__(
        self,
        scoring: Scoring,
        encoder: TextEncoder,
        counts: TextCounts,
        prompts: Sequence[Prompt],
        completions: Sequence[str],
    ) -> None:
        """Takes what is to be scored.

        Args:
            scoring: What rewards are made with.
            encoder: Makes token ids.
            counts: Where it is counted what happened to the texts.
            prompts: Prompts.
            completions: Completions, one for each prompt.
        """
        self._scoring, self._encoder, self._counts = scoring, encoder, counts
        self._prompts, self._completions = prompts, completions
        # Of the portions before, by digest of the token ids.
        self._known: dict[bytes, float] = {}
        # That the store could not take yet.
        self._not_stored: dict[PackedIds, float] = {}

    def __iter__(self) -> Iterator[tuple[int, float]]:
        """Yields (index, reward).

        Raises:
            RewardError: A reward is not finite; the finite ones of its batch came before.
        """
        for portion in encoded_ahead(self._encoder, self._prompts, self._completions):
            yield from self._score(portion)
        self._store_the_rest()
        self._counts.report()

    def _score(self, portion: Portion) -> Iterator[tuple[int, float]]:
        places: dict[EncodedText, list[int]] = {}
        for index, encoded in zip(portion.indices, portion.texts, strict=True):
            places.setdefault(encoded, []).append(index)
        distinct: dict[PackedIds, list[int]] = {}
        for encoded, indices in places.items():
            distinct.setdefault(encoded.packed_ids, []).extend(indices)
        before = self._before(distinct)
        self._counts.add(places, distinct.keys() - before.keys())
        stored = self._stored([ids for ids in distinct if ids not in before])
        for ids, reward in (before | stored).items():
            yield from self._hand_out(ids, distinct[ids], reward)
        texts = [ids for ids in distinct if ids not in before and ids not in stored]
        if texts:
            yield from self._compute(texts, distinct)

    def _compute(
        self, texts: Sequence[PackedIds], places: Mapping[PackedIds, list[int]]
    ) -> Iterator[tuple[int, float]]:
        store = self._scoring.store()
        runner = self._scoring.runner()
        arrays = [unpacked(ids) for ids in texts]
        batches = score_token_ids(runner, arrays, self._scoring.limits(), self._scoring.batching)
        for batch, rewards in self._timed(self._named(batches, texts, places), texts):
            by_text = {texts[i]: reward for i, reward in zip(batch, rewards, strict=True)}
            finite = {ids: reward for ids, reward in by_text.items() if math.isfinite(reward)}
            if store is not None:
                self._store(store, finite)
            for ids, reward in finite.items():
                yield from self._hand_out(ids, places[ids], reward)
            for ids, reward in by_text.items():
                if math.isnan(reward) and self._scoring.keeps_unreadable:
                    yield from self._hand_out(ids, places[ids], reward)
                elif ids not in finite:
                    index = places[ids][0]
                    raise _not_finite(index, self._completions[index], reward)

    def _store(self, store: ScoreStore, rewards: Mapping[PackedIds, float]) -> None:
        """Stores rewards; where that fails the run goes on, and the next batch takes them along."""
        failed_before = bool(self._not_stored)
        self._not_stored.update(rewards)
        try:
            store.add(self._not_stored)
        except ScoreStoreError as error:
            if not failed_before:
                logger.warning("%s The run goes on without it, and tries again.", error)
            return
        if failed_before:
            logger.info("score_store=%s can be written again; nothing is missing.", store.path)
        self._not_stored.clear()

    def _store_the_rest(self) -> None:
        store = self._scoring.store()
        if store is None or not self._not_stored:
            return
        self._store(store, {})
        if self._not_stored:
            self._counts.add_not_stored(len(self._not_stored))
            logger.warning(
                "score_store=%s: %d rewards of this run could not be stored; a later run computes "
                "them anew.",
                store.path,
                len(self._not_stored),
            )

    def _timed(
        self, batches: Iterator[tuple[list[int], list[float]]], texts: Sequence[PackedIds]
    ) -> Iterator[tuple[list[int], list[float]]]:
        """The batches; what each took is counted, without what is done with its rewards."""
        while True:
            started = time.perf_counter()
            found = next(batches, None)
            if found is None:
                return
            taken = time.perf_counter() - started
            self._counts.add_computed([texts[i] for i in found[0]], taken)
            yield found

    def _named(
        self,
        batches: Iterator[tuple[list[int], list[float]]],
        texts: Sequence[PackedIds],
        places: Mapping[PackedIds, list[int]],
    ) -> Iterator[tuple[list[int], list[float]]]:
        """The batches; a text that does not fit is called by its place and its words."""
        try:
            yield from batches
        except TextDoesNotFitError as error:
            index = places[texts[error.text]][0]
            start = _quoted(self._completions[index])
            raise DeviceError(f"Completion {index}, which starts {start}: {error}") from error

    def _hand_out(
        self, ids: PackedIds, indices: Sequence[int], reward: float
    ) -> Iterator[tuple[int, float]]:
        self._known[_digest(ids)] = reward
        for index in indices:
            yield index, reward

    def _before(self, texts: Mapping[PackedIds, list[int]]) -> dict[PackedIds, float]:
        if not self._known:
            return {}
        digests = ((ids, _digest(ids)) for ids in texts)
        return {ids: self._known[d] for ids, d in digests if d in self._known}

    def _stored(self, texts: Sequence[PackedIds]) -> dict[PackedIds, float]:
        """The rewards that the score store holds, if there is one."""
        store = self._scoring.store()
        if store is None:
            return {}
        damaged_before = store.damaged
        found = self._scoring.stored(store, texts)
        # A judge is asked many times; how many there were in all is in the counts.
        if not self._counts.has_asked_store:
            logger.info(FOUND_IN_STORE, store.path, len(found), len(texts))
        self._counts.add_stored(len(found))
        self._counts.add_damaged(store.damaged - damaged_before)
        return found


def _digest(ids: PackedIds) -> bytes:
    return hashlib.blake2b(ids, digest_size=_DIGEST).digest()


def _quoted(text: str) -> str:
    return repr(text if len(text) <= _QUOTED else text[:_QUOTED] + "...")


def _not_finite(index: int, completion: str, reward: float) -> RewardError:
    problem = (
        f"is {reward}; it starts {_quoted(completion)}. "
        "Weights or activations overflowed: use dtype=bfloat16 or float32 rather than float16, "
        "and check that the checkpoint is undamaged."
    )
    return RewardError(
        f"The reward of completion {index} {problem}", index, f"Its reward {problem}"
    )
