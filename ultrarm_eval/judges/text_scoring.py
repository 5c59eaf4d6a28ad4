"""From prompts and completions to rewards: what every judge with a tokenizer and a model does."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from ultrarm_eval.engine.counts import TextCounts
from ultrarm_eval.engine.engine import Capabilities
from ultrarm_eval.engine.local_engine import BatchLimits, LocalEngine
from ultrarm_eval.engine.plan import Plan, joined
from ultrarm_eval.engine.portions import portions
from ultrarm_eval.engine.reward_stream import RewardStream, Scoring
from ultrarm_eval.engine.runner import Runner
from ultrarm_eval.engine.score_store import ScoreStore
from ultrarm_eval.engine.token_rewards import TokenRewards, prefixes, read_positions
from ultrarm_eval.errors import ConfigurationError, RewardError, ScoringError
from ultrarm_eval.messages import Prompt
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.token_texts import TokenTexts
from ultrarm_eval.text_format.tokens import Tokens


class TextScoring(ABC):
    """Scores texts with whatever encodes and runs them."""

    _tokenizer: Any
    _encoder: TextEncoder
    _counts: TextCounts
    _batching: str

    @abstractmethod
    def _loaded(self) -> Runner:
        """The loaded model; loads it the first time."""

    @abstractmethod
    def _batch_limits(self) -> BatchLimits:
        """The limits of a batch; they shrink for good when the device's memory runs out."""

    @abstractmethod
    def _opened_store(self) -> ScoreStore | None:
        """The score store, if there is one."""

    def _keeps_unreadable(self) -> bool:
        """Whether a reward that is not a number is handed out and not an error."""
        return False

    def _capabilities(self) -> Capabilities:
        """What the model can do."""
        return Capabilities()

    @cached_property
    def _engine(self) -> LocalEngine:
        return LocalEngine(self._loaded, self._batch_limits, self._batching, self._capabilities())

    def _stored(self, store: ScoreStore, texts: Sequence[bytes]) -> dict[bytes, float]:
        """The rewards that a store holds."""
        return store.find(texts)

    def score(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> list[float]:
        """Scores completions; see `ultrarm_eval.judges.base.Judge.score`."""
        rewards: dict[int, float] = {}
        try:
            rewards.update(self.score_stream(prompts, completions))
        except RewardError as error:
            error.rewards = rewards
            raise
        return [rewards[index] for index in range(len(completions))]

    def score_stream(
        self, prompts: Sequence[Prompt], completions: Sequence[str]
    ) -> Iterator[tuple[int, float]]:
        """Yields (index, reward) batch by batch; every distinct text is computed once."""
        if isinstance(prompts, str) or isinstance(completions, str):
            raise ConfigurationError("Prompts and completions are lists, also of a single text.")
        if len(prompts) != len(completions):
            raise ConfigurationError(
                f"{len(prompts)} prompts and {len(completions)} completions: each completion "
                "needs its prompt (a text, a message list, or None)."
            )
        if not completions:
            return
        scoring = Scoring(
            self._encoder,
            self._engine,
            self._counts,
            self._opened_store,
            self._keeps_unreadable(),
            self._stored,
        )
        yield from RewardStream(scoring, prompts, completions)

    def reads_alike(self, prompts: Sequence[Prompt], completion: str) -> bool:
        """Whether a completion has the same text behind every one of these prompts."""
        texts = self._encoder.encode(prompts, [completion] * len(prompts))
        return len({encoded.tokens for encoded in texts}) <= 1

    def check(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> None:
        """Refuses what cannot be scored, before the weights are loaded and anything is scored.

        Args:
            prompts: Prompts.
            completions: Completions, one for each prompt.

        Raises:
            UnwritableTextError: The template refuses a prompt's turns; it says which prompt.
            UltrarmEvalError: A prompt or a completion is none.
        """
        self._encoder.check(prompts, completions)

    def plan(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> tuple[Plan, int]:
        """What scoring these completions would compute, without loading the weights.

        Returns:
            The plan for the distinct texts, and how many of those are cut to `max_length`.
        """
        plans, cut = [], 0
        for portion in portions(self._encoder, prompts, completions):
            cut += len({t.tokens for t in portion.texts if t.truncated and t.tokens in portion.new})
            plans.append(self._engine.plan(sorted(portion.new, key=lambda t: t.identity)))
        return joined(plans), cut

    def score_one_at_a_time(
        self, prompts: Sequence[Prompt], completions: Sequence[str]
    ) -> list[float]:
        """Scores each completion in a forward pass of its own, through the whole model.

        The plain way that every faster one is measured against.
        """
        runner = self._loaded()
        return [
            float(runner.score_padded([encoded.tokens])[0])
            for encoded in self._encoder.encode(prompts, completions)
        ]

    def rewards_after_tokens(self, prompt: Prompt, completion: str) -> TokenRewards:
        """What the reward would be if the text ended after each of its tokens.

        Nothing follows the token that the text would end after, no EOS and no end of turn, but an
        encoder's closing token. The last reward is that of `score`. Nothing is counted or stored.

        Args:
            prompt: A text, a message list, or None.
            completion: The completion.

        Raises:
            UltrarmEvalError: The text cannot be encoded, or does not fit into memory, or a reward
                is not finite.
        """
        encoded, completion_start = self._encoder.place(prompt, completion)
        rewards = self._after_tokens(encoded.tokens)
        for number, reward in enumerate(rewards, start=1):
            if reward is not None and not math.isfinite(reward):
                raise ScoringError(
                    f"The reward after token {number} is {reward}. Weights or activations "
                    "overflowed: use dtype=bfloat16 or float32 rather than float16."
                )
        ids = tuple(encoded.tokens)
        return TokenRewards(
            self._token_texts(ids), ids, tuple(rewards), completion_start, encoded.truncated
        )

    @cached_property
    def _token_texts(self) -> TokenTexts:
        return TokenTexts(self._tokenizer.backend_tokenizer)

    def _after_tokens(self, text: Tokens) -> Sequence[float | None]:
        """The reward after each token."""
        encoder, engine = self._encoder, self._engine
        if engine.capabilities.likelihoods:
            return [*([None] * (text.start or 0)), *engine.compute_after_tokens(text)]
        if engine.capabilities.token_rewards:
            rewards = engine.compute_after_tokens(text)
            return [rewards[at] for at in read_positions(text, encoder.unread_id)]
        # Each prefix in a forward pass of its own.
        every = prefixes(text, closing_id=encoder.closing_id, unread_id=encoder.unread_id)
        texts = list(dict.fromkeys(every))
        found: dict[Tokens, float] = {}
        for batch in engine.compute(texts):
            found.update(zip((texts[i] for i in batch.texts), batch.values, strict=True))
        return [found[prefix] for prefix in every]
