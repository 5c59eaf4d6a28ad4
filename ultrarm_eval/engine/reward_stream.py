"""From prompts and completions to rewards: every distinct text once, or from the score store."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ultrarm_eval.engine.counts import TextCounts
from ultrarm_eval.engine.engine import Computed, ComputedBatch, Engine
from ultrarm_eval.engine.portions import Portion, portions
from ultrarm_eval.engine.score_store import FOUND_IN_STORE, ScoreStore
from ultrarm_eval.engine.witness import require_same_model
from ultrarm_eval.errors import (
    DeviceError,
    RewardError,
    ScoreStoreError,
    TextDoesNotFitError,
    TextRefusedError,
)
from ultrarm_eval.messages import Prompt
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.tokens import Tokens

logger = logging.getLogger(__name__)

# Characters of a text that a message quotes.
_QUOTED = 80


@dataclass(frozen=True)
class Scoring:
    """The components of a judge.

    Attributes:
        encoder: Makes token ids.
        engine: Computes values.
        counts: Counts of the texts.
        store: The score store, if there is one; opened on first use.
        keeps_unreadable: Whether a NaN reward is yielded instead of raising an error.
        stored: Finds stored rewards with all that belongs to them; only the rewards if None.
        judged: Makes the yielded result from a text and its reward; the reward itself if None.
    """

    encoder: TextEncoder
    engine: Engine
    counts: TextCounts
    store: Callable[[], ScoreStore | None]
    keeps_unreadable: bool = False
    stored: Callable[[ScoreStore, Sequence[bytes]], dict[bytes, Computed]] | None = None
    judged: Callable[[Tokens, Computed], Any] | None = None


class RewardStream:
    """The rewards of one call, as they are computed."""

    def __init__(
        self, scoring: Scoring, prompts: Sequence[Prompt], completions: Sequence[str]
    ) -> None:
        """Takes the texts to score.

        Args:
            scoring: The components of the judge.
            prompts: Prompts.
            completions: Completions, one for each prompt.
        """
        self._scoring, self._counts = scoring, scoring.counts
        self._prompts, self._completions = prompts, completions
        # The yielded result of a text, by the index of its first request.
        self._found: dict[int, Any] = {}
        # Rewards that could not be stored yet.
        self._not_stored: dict[bytes, Computed] = {}

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        """Yields (index, result).

        Raises:
            RewardError: A reward is not finite; the finite ones of its batch came before.
        """
        for portion in portions(self._scoring.encoder, self._prompts, self._completions):
            yield from self._score(portion)
        self._store_the_rest()
        self._counts.report()

    def _score(self, portion: Portion) -> Iterator[tuple[int, Any]]:
        self._counts.add(portion)
        for index, first in portion.again:
            yield index, self._found[first]
        stored = self._stored(portion.new)
        for tokens, one in stored.items():
            yield from self._hand_out(tokens, portion.new[tokens], one)
        missing = {t: indices for t, indices in portion.new.items() if t not in stored}
        if missing:
            yield from self._compute(missing)

    def _compute(self, places: Mapping[Tokens, list[int]]) -> Iterator[tuple[int, Any]]:
        """Computes texts and yields their rewards.

        Args:
            places: The texts, and where each was requested.
        """
        store = self._scoring.store()
        self._scoring.engine.prepare()
        witness = self._scoring.engine.witness()
        if store is not None and witness is not None:
            require_same_model(store, witness)
        texts = list(places)
        for batch in self._timed(texts, places):
            details = batch.details or [None] * len(batch.texts)
            by_text = {
                texts[i]: Computed(value, detail)
                for i, value, detail in zip(batch.texts, batch.values, details, strict=True)
            }
            finite = {text: one for text, one in by_text.items() if math.isfinite(one.reward)}
            if store is not None:
                self._store(store, {text.identity: one for text, one in finite.items()})
            for text, one in finite.items():
                yield from self._hand_out(text, places[text], one)
            for text, one in by_text.items():
                reward = one.reward
                if math.isnan(reward) and self._scoring.keeps_unreadable:
                    yield from self._hand_out(text, places[text], one)
                elif text not in finite:
                    index = places[text][0]
                    raise _not_finite(index, self._completions[index], reward)

    def _store(self, store: ScoreStore, rewards: Mapping[bytes, Computed]) -> None:
        """Stores rewards; after a failure the run continues, and the next batch stores them."""
        failed_before = bool(self._not_stored)
        self._not_stored.update(rewards)
        try:
            details = {i: json.dumps(c.details) for i, c in self._not_stored.items() if c.details}
            # Details first: a reward is used from the store only with all that belongs to it.
            if details:
                store.add_details(details)
            store.add({identity: one.reward for identity, one in self._not_stored.items()})
        except ScoreStoreError as error:
            if not failed_before:
                logger.warning("%s The run continues without storing rewards, and retries.", error)
            return
        if failed_before:
            logger.info("score_store=%s can be written again; no rewards are missing.", store.path)
        self._not_stored.clear()

    def _store_the_rest(self) -> None:
        store = self._scoring.store()
        if store is None or not self._not_stored:
            return
        self._store(store, {})
        if self._not_stored:
            self._counts.add_not_stored(len(self._not_stored))
            logger.warning(
                "score_store=%s: %d rewards of this run could not be stored; a later run will "
                "recompute them.",
                store.path,
                len(self._not_stored),
            )

    def _timed(
        self, texts: Sequence[Tokens], places: Mapping[Tokens, list[int]]
    ) -> Iterator[ComputedBatch]:
        """The batches; counts the time of each, without the handling of its rewards."""
        batches = self._scoring.engine.compute(texts)
        while True:
            started = time.perf_counter()
            try:
                batch = next(batches, None)
            except TextDoesNotFitError as error:
                index = places[texts[error.text]][0]
                start = _quoted(self._completions[index])
                raise DeviceError(f"Completion {index}, which starts {start}: {error}") from error
            except TextRefusedError as error:
                index = places[texts[error.text]][0]
                start = _quoted(self._completions[index])
                problem = f"is missing: {error.reason}"
                raise RewardError(
                    f"The reward of completion {index}, which starts {start}, {problem}",
                    index,
                    f"Its reward {problem}",
                ) from error
            if batch is None:
                return
            self._counts.add_computed(batch.tokens, time.perf_counter() - started)
            yield batch

    def _hand_out(
        self, text: Tokens, indices: Sequence[int], one: Computed
    ) -> Iterator[tuple[int, Any]]:
        judged = self._scoring.judged
        found = self._found[indices[0]] = one.reward if judged is None else judged(text, one)
        for index in indices:
            yield index, found

    def _stored(self, texts: Iterable[Tokens]) -> dict[Tokens, Computed]:
        """The rewards in the score store, if there is one."""
        store = self._scoring.store()
        if store is None:
            return {}
        by_identity = {tokens.identity: tokens for tokens in texts}
        if self._scoring.stored is None:
            rewards = store.find(list(by_identity))
            found = {identity: Computed(reward) for identity, reward in rewards.items()}
        else:
            found = self._scoring.stored(store, list(by_identity))
        # A judge is called many times; the counts contain the totals.
        if not self._counts.has_asked_store:
            logger.info(FOUND_IN_STORE, store.path, len(found), len(by_identity))
        self._counts.add_stored(len(found))
        self._counts.note_damaged(store.damaged)
        return {by_identity[identity]: one for identity, one in found.items()}


def _quoted(completion: str | Sequence[str]) -> str:
    # A judge of steps may get them as a list, too.
    text = completion if isinstance(completion, str) else "\n".join(completion)
    return repr(text if len(text) <= _QUOTED else text[:_QUOTED] + "...")


def _not_finite(index: int, completion: str | Sequence[str], reward: float) -> RewardError:
    problem = (
        f"is {reward}; it starts {_quoted(completion)}. Weights or activations overflowed: use "
        "dtype=bfloat16 or float32 instead of float16, and check that the checkpoint is not "
        "damaged."
    )
    return RewardError(
        f"The reward of completion {index} {problem}", index, f"Its reward {problem}"
    )
