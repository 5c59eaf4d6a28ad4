"""A text's tokens and the reward after each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ultrarm_eval.errors import ScoringError
from ultrarm_eval.text_format.tokens import Tokens


@dataclass(frozen=True)
class TokenRewards:
    """The rewards of a text if it ended after each of its tokens.

    Attributes:
        tokens: Readable text of each token; together they are the scored text, as far as the
            tokenizer allows. Control tokens have their names (`<s>`), and sentencepiece's leading
            space is kept. A character whose bytes are in several tokens is shown at the last of
            them, and the others are empty; bytes of an incomplete character are `<0xE2>`.
        ids: The token ids.
        rewards: The reward after each token; None where it has none, such as before a completion
            that is scored by its likelihood.
        completion_start: Index of the completion's first token; text that the template writes after
            the completion belongs to it. The number of tokens if the completion has none.
        truncated: Whether the text was truncated on the left.
    """

    tokens: tuple[str, ...]
    ids: tuple[int, ...]
    rewards: tuple[float | None, ...]
    completion_start: int
    truncated: bool

    def __post_init__(self) -> None:
        """Rejects inconsistent fields.

        Raises:
            ScoringError: The fields are not those of one text, or the last token has no reward.
        """
        counts = {len(self.tokens), len(self.ids), len(self.rewards)}
        if len(counts) > 1 or not self.rewards or self.rewards[-1] is None:
            raise ScoringError(
                f"{len(self.tokens)} tokens, {len(self.ids)} ids and {len(self.rewards)} rewards: "
                "a text needs at least one token, each with an id and a reward; only the last "
                "reward must not be None."
            )
        if not 0 <= self.completion_start <= len(self.ids):
            raise ScoringError(
                f"completion_start={self.completion_start} is outside of a text of "
                f"{len(self.ids)} tokens."
            )

    @property
    def reward(self) -> float:
        """The reward of the complete text."""
        last = self.rewards[-1]
        return float("nan") if last is None else last


def read_positions(text: Tokens, unread_id: int | None) -> list[int]:
    """The position at which the reward is computed, for every prefix of a text.

    Args:
        text: The text.
        unread_id: A token that is skipped at the end of a text: the one before it is used.
    """
    positions: list[int] = []
    for position, token in enumerate(text):
        is_read = token != unread_id or not positions
        positions.append(position if is_read else positions[-1])
    return positions


def prefixes(text: Tokens, *, closing: Sequence[int], unread_id: int | None) -> list[Tokens]:
    """Every prefix of a text, as a model gets it.

    Args:
        text: The text.
        closing: End tokens: if this text ends with them, all do.
        unread_id: A token that is skipped at the end of a text.
    """
    ids = list(text)
    size = len(closing)
    is_closed = 0 < size < len(ids) and ids[-size:] == list(closing)
    found: list[Tokens] = []
    for position in read_positions(text, unread_id):
        prefix = ids[: position + 1]
        if is_closed and position >= len(ids) - size:
            prefix = ids
        elif is_closed and prefix[-size:] != ids[-size:]:
            prefix += ids[-size:]
        found.append(Tokens.of(prefix, text.start))
    return found
