"""Judges that can say what the reward is after each token of a text."""

from __future__ import annotations

from typing import Protocol, cast, runtime_checkable

from ultrarm_eval.engine.token_rewards import TokenRewards
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.judges.base import Judge
from ultrarm_eval.messages import Prompt

#: Those that come along, for messages.
TOKEN_JUDGES = ("dpo", "eurus", "likelihood", "sequence-classification", "ultrarm")


@runtime_checkable
class TokenJudge(Judge, Protocol):
    """A judge that can."""

    def rewards_after_tokens(self, prompt: Prompt, completion: str) -> TokenRewards:
        """What the reward would be if the text ended after each of its tokens.

        Args:
            prompt: A text, a message list, or None.
            completion: The completion.

        Returns:
            The rewards; the last is that of `score`.
        """
        ...


def require_token_judge(judge: Judge, name: str) -> TokenJudge:
    """The judge, if it can.

    Args:
        judge: Any judge.
        name: What the user calls it.

    Raises:
        ConfigurationError: It has no method `rewards_after_tokens`.
    """
    if not callable(getattr(judge, "rewards_after_tokens", None)):
        raise no_token_rewards(name, "it has no method rewards_after_tokens(prompt, completion)")
    return cast(TokenJudge, judge)


def no_token_rewards(name: str, why: str) -> ConfigurationError:
    """The error for a judge that cannot.

    Args:
        name: What the user calls the judge.
        why: Why it cannot.
    """
    return ConfigurationError(
        f"judge={name} gives no reward after each token: {why}. These judges do: "
        f"{', '.join(TOKEN_JUDGES)}."
    )
