"""How a model generated its answers: whether it sampled, and whether answers were truncated."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from ultrarm_eval.errors import ConfigurationError

logger = logging.getLogger(__name__)

#: Counts the tokens of an answer; None where the model does not tell.
TokenCounter: TypeAlias = Callable[[str], int | None]

#: What the harness's models call the most tokens of an answer; the last is its own name, which the
#: tasks set, and the others take its place.
_LIMITS = ("max_tokens", "max_new_tokens", "max_completion_tokens", "max_gen_toks")
# Tokens of the same text, encoded again, can be a few fewer than those that were written.
_SHARE = 0.99


def token_counter(lm: Any) -> TokenCounter:
    """Returns a token counter for a model; API models may have no local tokenizer."""
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
    """Whether an answer is as long as the model's token limit.

    Args:
        answer: The answer.
        count: Counts its tokens.
        limits: The generation arguments.

    Returns:
        Whether it has at least 99 % of the allowed tokens; None if the limit or the count is
        unknown.
    """
    limit = next((limits[name] for name in _LIMITS if limits.get(name) is not None), None)
    tokens = None if limit is None else count(answer)
    return None if tokens is None or limit is None else tokens >= _SHARE * int(limit)


class EqualAnswers:
    """Detects a model that always generates the same answer, so that there is nothing to pick."""

    def __init__(self) -> None:
        """Starts with nothing seen."""
        self._documents = self._equal = 0

    def look_at(self, answers: Sequence[str]) -> None:
        """Looks at the answers to one prompt."""
        self._documents += len(answers) > 1
        self._equal += len(answers) > 1 and len(set(map(str, answers))) == 1

    def report(self, task: str) -> None:
        """Warns if most prompts have only one distinct answer."""
        if 2 * self._equal > self._documents:
            logger.warning(
                "%s: for %d of %d prompts all answers of the model were identical, so there was "
                "nothing to pick from. Check that the model samples; API models may send a "
                "fixed seed with every request.",
                task,
                self._equal,
                self._documents,
            )


def checked_repeats(task: str, repeats: int, n: int | None) -> int:
    """The number of answers requested by `--repeats`.

    Args:
        task: The task's name, for messages.
        repeats: The harness's option.
        n: The same number from the run's metadata, which must not differ; None if not given.

    Raises:
        ConfigurationError: They differ.
    """
    if n is not None and n != int(repeats):
        raise ConfigurationError(
            f"{task}: --repeats {repeats} and --metadata n={n} set different numbers of answers "
            "per prompt. Leave one of them out."
        )
    return int(repeats)


def require_sampling(config: Any) -> None:
    """Refuses several answers per prompt with greedy decoding, which would all be the same.

    Raises:
        ConfigurationError: The generation arguments set greedy decoding.
    """
    how = config.generation_kwargs or {}
    temperature = how.get("temperature")
    greedy = not how.get("do_sample") or (temperature is not None and float(temperature) == 0)
    if int(config.repeats or 1) > 1 and greedy:
        raise ConfigurationError(
            f"{config.task}: the {config.repeats} answers to each prompt would all be the same, "
            f"because generation_kwargs has do_sample={how.get('do_sample')} and "
            f"temperature={temperature}. Set do_sample=True and a temperature above 0 "
            "(--gen_kwargs), or n=1."
        )
