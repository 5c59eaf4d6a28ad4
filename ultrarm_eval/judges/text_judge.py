"""A judge composed of a text format, an engine and a head."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

from ultrarm_eval.engine.counts import TextCounts
from ultrarm_eval.engine.engine import Engine
from ultrarm_eval.engine.reward_stream import RewardStream, Scoring
from ultrarm_eval.engine.score_store import ScoreStore
from ultrarm_eval.engine.token_rewards import TokenRewards, prefixes, read_positions
from ultrarm_eval.engine.witness import Witness
from ultrarm_eval.errors import ConfigurationError, RewardError, ScoringError
from ultrarm_eval.judges.base import Judgement
from ultrarm_eval.judges.loading import no_token_rewards
from ultrarm_eval.judges.reward_head import RewardHead
from ultrarm_eval.messages import Prompt
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.token_texts import TokenTexts
from ultrarm_eval.text_format.tokens import Tokens


class TextJudge:
    """Scores texts with an encoder, an engine and a head."""

    def __init__(
        self,
        encoder: TextEncoder,
        engine: Engine,
        head: RewardHead,
        tokenizer: Any,
        store: Callable[[], ScoreStore | None],
        advice: str = "",
    ) -> None:
        """Combines the parts.

        Args:
            encoder: The text format, which makes tokens of prompts and completions.
            engine: Computes a value for tokens.
            head: How the value becomes a reward.
            tokenizer: The tokenizer.
            store: Opens the score store on first use, if there is one.
            advice: Additional advice for the warning about truncated texts.
        """
        self._encoder, self._engine, self._head = encoder, engine, head
        self._tokenizer, self._opened_store = tokenizer, store
        self._counts = TextCounts(encoder.max_length, advice)

    @property
    def tokenizer(self) -> Any:
        """The tokenizer."""
        return self._tokenizer

    @property
    def encoder(self) -> TextEncoder:
        """The text format."""
        return self._encoder

    @property
    def head(self) -> RewardHead:
        """How the value becomes a reward."""
        return self._head

    @property
    def max_length(self) -> int:
        """The maximum number of tokens per text."""
        return self._encoder.max_length

    def score(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> list[float]:
        """Scores completions; see `ultrarm_eval.judges.base.Judge.score`.

        NaN marks an abstention; see `judgements`.
        """
        found: dict[int, float] = {}
        try:
            found.update(self.score_stream(prompts, completions))
        except RewardError as error:
            error.judgements = {
                index: Judgement(None if math.isnan(reward) else reward)
                for index, reward in found.items()
            }
            raise
        return [found[index] for index in range(len(completions))]

    def score_stream(
        self, prompts: Sequence[Prompt], completions: Sequence[str]
    ) -> Iterator[tuple[int, float]]:
        """Yields (index, reward) batch by batch; see `judgements`."""
        for index, judgement in self.judgements(prompts, completions):
            yield index, judgement.reward

    def judgements(
        self, prompts: Sequence[Prompt], completions: Sequence[str]
    ) -> Iterator[tuple[int, Judgement]]:
        """Yields (index, judgement) batch by batch; every distinct text is computed once."""
        if isinstance(prompts, str) or isinstance(completions, str):
            raise ConfigurationError(
                "Prompts and completions must be lists, also for a single text."
            )
        if len(prompts) != len(completions):
            raise ConfigurationError(
                f"There are {len(prompts)} prompts and {len(completions)} completions; each "
                "completion needs its prompt (a text, a list of messages, or None)."
            )
        if not completions:
            return
        head = self._head
        scoring = Scoring(
            self._encoder,
            self._engine,
            self._counts,
            self._opened_store,
            keeps_unreadable=head.may_lack,
            stored=head.stored,
            judged=head.judgement,
        )
        yield from RewardStream(scoring, prompts, completions)

    def witness(self) -> Witness | None:
        """Distinguishes the computing model from another of the same name."""
        return self._engine.witness()

    def encoded(self, prompt: Prompt, completion: str) -> Tokens:
        """A text as the network gets it."""
        (found,) = self._encoder.encode([prompt], [completion])
        return found.tokens

    def read_at(self, text: Tokens) -> tuple[int, ...]:
        """The positions, counted from 0, of the tokens at which the network's output is used.

        Empty if the reward depends on the complete text.
        """
        return self._head.read_at(text)

    @property
    def unread_id(self) -> int | None:
        """The token that is skipped at the end of a text; None if there is none."""
        left_out = self._encoder.unread_id
        return self._head.unread_id if left_out is None else left_out

    def reads_alike(self, prompts: Sequence[Prompt], completion: str) -> bool:
        """Whether a completion is rendered identically after each of these prompts."""
        texts = self._encoder.encode(prompts, [completion] * len(prompts))
        return len({encoded.tokens for encoded in texts}) <= 1

    def check(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> None:
        """Rejects texts that cannot be scored, before the weights are loaded.

        Args:
            prompts: Prompts.
            completions: Completions, one for each prompt.

        Raises:
            UnwritableTextError: The template rejects a prompt's turns; the error names the prompt.
            UltrarmEvalError: A prompt or a completion is not valid.
        """
        self._encoder.check(prompts, completions)

    def rewards_after_tokens(self, prompt: Prompt, completion: str) -> TokenRewards:
        """The rewards if the text ended after each of its tokens.

        Nothing follows that token, no EOS and no end of turn, except the end token that an encoder
        adds. The last reward is that of `score`. Nothing is counted or stored.

        Args:
            prompt: A text, a message list, or None.
            completion: The completion.

        Raises:
            ConfigurationError: The reward is not computed only at the last token of a text.
            UltrarmEvalError: The text cannot be encoded, or does not fit into memory, or a reward
                is not finite.
        """
        why = self._why_no_token_rewards()
        if why is not None:
            raise no_token_rewards(str(getattr(self, "name", type(self).__name__)), why)
        encoded, completion_start = self._encoder.place(prompt, completion)
        rewards = self._after_tokens(encoded.tokens)
        for number, reward in enumerate(rewards, start=1):
            if reward is not None and not math.isfinite(reward):
                raise ScoringError(
                    f"The reward after token {number} is {reward}: weights or activations "
                    "overflowed. Use dtype=bfloat16 or float32 instead of float16."
                )
        ids = tuple(encoded.tokens)
        texts = self.token_texts(ids)
        return TokenRewards(texts, ids, tuple(rewards), completion_start, encoded.truncated)

    @cached_property
    def token_texts(self) -> TokenTexts:
        """Decodes token ids into readable texts."""
        return TokenTexts(self._tokenizer.backend_tokenizer)

    def _why_no_token_rewards(self) -> str | None:
        """Why a text has no rewards after its tokens; None if it has."""
        if self._head.compose is not None:
            return "its reward is computed from several tokens"
        if self._encoder.final_id is not None:
            return "its reward is computed at a token that is appended to the complete text"
        return None

    def _after_tokens(self, text: Tokens) -> Sequence[float | None]:
        """The reward after each token."""
        encoder, engine = self._encoder, self._engine
        if engine.capabilities.likelihoods:
            return [*([None] * (text.start or 0)), *engine.compute_after_tokens(text)]
        if engine.capabilities.token_rewards:
            rewards = engine.compute_after_tokens(text)
            return [rewards[at] for at in read_positions(text, encoder.unread_id)]
        # Each prefix in its own forward pass.
        every = prefixes(text, closing=encoder.closing, unread_id=encoder.unread_id)
        texts = list(dict.fromkeys(every))
        found: dict[Tokens, float] = {}
        for batch in engine.compute(texts):
            found.update(zip((texts[i] for i in batch.texts), batch.values, strict=True))
        return [found[prefix] for prefix in every]
