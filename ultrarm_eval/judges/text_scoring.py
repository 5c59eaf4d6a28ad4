"""From prompts and completions to rewards: what every judge with a tokenizer and a model does."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from ultrarm_eval.engine.encoding_ahead import encoded_ahead
from ultrarm_eval.engine.plan import Plan, joined, make_plan
from ultrarm_eval.engine.prefixes import each_once, prefixes
from ultrarm_eval.engine.reward_stream import RewardStream, Scoring
from ultrarm_eval.engine.runner import Runner
from ultrarm_eval.engine.score_store import ScoreStore
from ultrarm_eval.engine.scorer import BatchLimits, score_token_ids
from ultrarm_eval.engine.token_ids import PackedIds, TokenIds, unpacked
from ultrarm_eval.engine.token_rewards import TokenRewards
from ultrarm_eval.errors import ConfigurationError, RewardError, ScoringError
from ultrarm_eval.judges.base import Judgement
from ultrarm_eval.messages import Prompt
from ultrarm_eval.text_format.completion_place import PlacedText, placed_text
from ultrarm_eval.text_format.encoder import EncodedText, TextEncoder
from ultrarm_eval.text_format.text_counts import TextCounts
from ultrarm_eval.text_format.token_texts import TokenTexts


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

    def _stored(self, store: ScoreStore, texts: Sequence[PackedIds]) -> dict[PackedIds, float]:
        """The rewards that a store holds."""
        return store.find(texts)

    def score(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> list[float]:
        """Scores completions; see `ultrarm_eval.judges.base.Judge.score`.

        One that the judge gives no score is not a number; `judgements` says why.
        """
        rewards: dict[int, float] = {}
        try:
            rewards.update(self.score_stream(prompts, completions))
        except RewardError as error:
            error.judgements = {index: Judgement(reward) for index, reward in rewards.items()}
            raise
        return [rewards[index] for index in range(len(completions))]

    def judgements(
        self, prompts: Sequence[Prompt], completions: Sequence[str]
    ) -> Iterator[tuple[int, Judgement]]:
        """Yields (index, judgement) batch by batch; every distinct text is computed once."""
        for index, reward in self.score_stream(prompts, completions):
            yield index, Judgement(reward)

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
            self._loaded,
            self._batch_limits,
            self._batching,
            self._opened_store,
            self._keeps_unreadable(),
            self._stored,
        )
        yield from RewardStream(scoring, self._encoder, self._counts, prompts, completions)

    def reads_alike(self, prompts: Sequence[Prompt], completion: str) -> bool:
        """Whether a completion has the same text behind every one of these prompts."""
        texts = self._encoder.encode(prompts, [completion] * len(prompts))
        return len({encoded.packed_ids for encoded in texts}) <= 1

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
        limits = self._batch_limits()
        seen: dict[PackedIds, EncodedText] = {}
        plans = []
        for portion in encoded_ahead(self._encoder, prompts, completions):
            new = {e.packed_ids: e for e in portion.texts if e.packed_ids not in seen}
            seen.update(new)
            plans.append(
                make_plan(
                    [unpacked(ids) for ids in sorted(new)],
                    batching=self._batching,
                    max_tokens=limits.max_tokens,
                    max_texts=limits.max_texts,
                )
            )
        return joined(plans), sum(encoded.truncated for encoded in seen.values())

    def score_one_at_a_time(
        self, prompts: Sequence[Prompt], completions: Sequence[str]
    ) -> list[float]:
        """Scores each completion in a forward pass of its own, through the whole model.

        The plain way that every faster one is measured against.
        """
        runner = self._loaded()
        return [
            float(runner.score_padded([unpacked(encoded.packed_ids)])[0])
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
        text = self._placed(prompt, completion)
        rewards = self._after_tokens(text)
        for number, reward in enumerate(rewards, start=1):
            if reward is not None and not math.isfinite(reward):
                raise ScoringError(
                    f"The reward after token {number} is {reward}. Weights or activations "
                    "overflowed: use dtype=bfloat16 or float32 rather than float16."
                )
        ids = tuple(text.ids.tolist())
        return TokenRewards(
            self._token_texts(ids), ids, tuple(rewards), text.completion_start, text.truncated
        )

    @cached_property
    def _token_texts(self) -> TokenTexts:
        return TokenTexts(self._tokenizer.backend_tokenizer)

    def _placed(self, prompt: Prompt, completion: str) -> PlacedText:
        return placed_text(self._encoder, prompt, completion)

    def _prefixes(self, text: PlacedText) -> list[TokenIds]:
        """The texts that end after each of its tokens, as the model is given them."""
        encoder = self._encoder
        return prefixes(text.ids, closing_id=encoder.closing_id, unread_id=encoder.unread_id)

    def _after_tokens(self, text: PlacedText) -> Sequence[float | None]:
        """The reward after each token; here of each prefix in a forward pass of its own."""
        texts, which = each_once(self._prefixes(text))
        found = [0.0] * len(texts)
        batches = score_token_ids(self._loaded(), texts, self._batch_limits(), self._batching)
        for indices, rewards in batches:
            for index, reward in zip(indices, rewards, strict=True):
                found[index] = reward
        return [found[index] for index in which]
