"""The harness's `--use_cache`, bound to one judge.

Its keys hold the request and not the model, so a second judge would be served the first one's
rewards. The judge's fingerprint is therefore kept in the cache itself.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from ultrarm_eval.errors import CacheMismatchError

_KEY = "ultrarm_eval.judge_fingerprint"


def refuse_rewards(cache: MutableMapping[str, Any]) -> None:
    """Refuses a judge's cache to a language model, which would be served rewards as likelihoods.

    Raises:
        CacheMismatchError: The cache holds rewards.
    """
    if cache.get(_KEY) is not None:
        raise CacheMismatchError(
            f"{getattr(cache, 'filename', 'The cache')} holds rewards of a judge, which are no "
            "likelihoods of this model. Give another path to --use_cache, or delete this file."
        )


def bind_to_judge(cache: MutableMapping[str, Any], fingerprint: str) -> None:
    """Writes the judge's fingerprint into a new cache, or compares it with the one there.

    Args:
        cache: The opened cache.
        fingerprint: The judge's fingerprint.

    Raises:
        CacheMismatchError: The cache holds responses of another judge or model.
    """
    held = cache.get(_KEY)
    if held == fingerprint:
        return
    path = getattr(cache, "filename", "the cache")
    if held is not None:
        raise CacheMismatchError(
            f"{path} holds rewards of another judge: weights, template, dtype, special_tokens or "
            "max_length differ. Give another path to --use_cache, or delete this file."
        )
    if next(iter(cache.keys()), None) is not None:
        raise CacheMismatchError(
            f"{path} holds responses of another model, which are no rewards of this judge. Give "
            "another path to --use_cache, or delete this file."
        )
    cache[_KEY] = fingerprint
