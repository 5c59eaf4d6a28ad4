"""A text's tokens, and the reward after each of them."""

from __future__ import annotations

from dataclasses import dataclass

from ultrarm_eval.errors import ScoringError


@dataclass(frozen=True)
class TokenRewards:
    """What the reward of a text would be if it ended after each of its tokens.

    Attributes:
        tokens: Readable text of each token; together they are the text that was read, as far as
            the tokenizer allows. Control tokens stand by their names (`<s>`), sentencepiece's
            leading space is kept. A character whose bytes lie in several tokens stands at the
            last of them, and the others are empty; bytes of no whole character are `<0xE2>`.
        ids: The token ids.
        rewards: The reward after each token; None where there is none, as before a completion
            that is scored by its likelihood.
        completion_start: Index of the first token that the completion has a part in; what the
            template writes behind the completion counts with it. The number of tokens where the
            completion has none.
        truncated: Whether tokens were cut off on the left.
    """

    tokens: tuple[str, ...]
    ids: tuple[int, ...]
    rewards: tuple[float | None, ...]
    completion_start: int
    truncated: bool

    def __post_init__(self) -> None:
        """Refuses what does not fit together.

        Raises:
            ScoringError: The fields are not those of one text, or the last token has no reward.
        """
        counts = {len(self.tokens), len(self.ids), len(self.rewards)}
        if len(counts) > 1 or not self.rewards or self.rewards[-1] is None:
            raise ScoringError(
                f"{len(self.tokens)} tokens, {len(self.ids)} ids and {len(self.rewards)} rewards: "
                "a text has at least one token, each with its id and its reward, which may be None "
                "before the last."
            )
        if not 0 <= self.completion_start <= len(self.ids):
            raise ScoringError(
                f"completion_start={self.completion_start} lies outside of a text of "
                f"{len(self.ids)} tokens."
            )

    @property
    def reward(self) -> float:
        """The reward of the whole text."""
        last = self.rewards[-1]
        return float("nan") if last is None else last
