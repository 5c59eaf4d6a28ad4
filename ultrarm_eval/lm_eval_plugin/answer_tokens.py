"""How many tokens an answer has by the tokenizer of the model that wrote it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

#: Counts the tokens of an answer; None where the model does not tell.
TokenCounter: TypeAlias = Callable[[str], int | None]

#: What the harness's models call the most tokens of an answer; the last is its own name, which the
#: tasks set, and the others take its place.
_LIMITS = ("max_tokens", "max_new_tokens", "max_completion_tokens", "max_gen_toks")
# Tokens of the same text, encoded again, can be a few fewer than those that were written.
_SHARE = 0.99


def token_counter(lm: Any) -> TokenCounter:
    """A counter of a model's tokens; models behind an interface may have no tokenizer here."""
    encode = getattr(lm, "tok_encode", None)

    def count(answer: str) -> int | None:
        if encode is None:
            return None
        try:
            ids = encode(answer)
        except (NotImplementedError, AttributeError, TypeError):
            return None
        # Without a tokenizer, models behind an interface give back the text, or a list of it.
        is_ids = isinstance(ids, list | tuple) and all(isinstance(i, int) for i in ids)
        return len(ids) if is_ids else None

    return count


def is_truncated(answer: str, count: TokenCounter, limits: Mapping[str, Any]) -> bool | None:
    """Whether an answer is as long as the model was allowed to write.

    Args:
        answer: The answer.
        count: Counts its tokens.
        limits: The generation's arguments.

    Returns:
        Whether it has at least 99 % of the tokens allowed; None where no limit or no count is
        known.
    """
    limit = next((limits[name] for name in _LIMITS if limits.get(name) is not None), None)
    tokens = None if limit is None else count(answer)
    return None if tokens is None or limit is None else tokens >= _SHARE * int(limit)
