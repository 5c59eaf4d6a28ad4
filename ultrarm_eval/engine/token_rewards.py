"""A text's tokens and the reward after each, and the texts that end there."""

from __future__ import annotations

from dataclasses import dataclass

from ultrarm_eval.errors import ScoringError
from ultrarm_eval.text_format.tokens import Tokens


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


def read_positions(text: Tokens, unread_id: int | None) -> list[int]:
    """Where the reward of a text is read that ends after each of the tokens.

    Args:
        text: The text.
        unread_id: A token that is not read at the end of a text: the one before it is.
    """
    positions: list[int] = []
    for position, token in enumerate(text):
        is_read = token != unread_id or not positions
        positions.append(position if is_read else positions[-1])
    return positions


def prefixes(text: Tokens, *, closing_id: int | None, unread_id: int | None) -> list[Tokens]:
    """The texts that end after each of the tokens, as a model is given them.

    Args:
        text: The text.
        closing_id: A token that closes texts: where it closes this one, it closes all.
        unread_id: A token that is not read at the end of a text.
    """
    ids = list(text)
    is_closed = len(ids) > 1 and ids[-1] == closing_id
    found: list[Tokens] = []
    for position in read_positions(text, unread_id):
        prefix = ids[: position + 1]
        closing = ids[-1:] if is_closed and prefix[-1] != closing_id else []
        found.append(Tokens.of(prefix + closing, text.start))
    return found
