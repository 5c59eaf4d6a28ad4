"""The harness's `--use_cache`, bound to one judge.

Its keys contain the request but not the model, so a second judge would be served the first one's
rewards. The judge's fingerprint is therefore stored in the cache itself. Every reward has a
checksum over fingerprint, request and value: a damaged one counts as missing and is recomputed.

The file is read here instead of through the harness's cache, which unpickles any value and waits
forever for one that cannot be read.
"""

from __future__ import annotations

import hashlib
import io
import math
import pickle
import sqlite3
import weakref
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from ultrarm_eval.engine.witness import Witness
from ultrarm_eval.errors import CacheMismatchError, ResponseCacheError, first_line
from ultrarm_eval.judges.base import Judgement
from ultrarm_eval.judges.critique_text import Critique, CritiquedReward
from ultrarm_eval.lm_eval_plugin.harness_values import JudgedReward, Reward, is_unscored

_KEY = "ultrarm_eval.judge_fingerprint"
_CHECKSUM_BYTES = 16
_CLASSES: Mapping[str, type] = {
    kind.__name__: kind for kind in (Reward, JudgedReward, Judgement, CritiquedReward, Critique)
}


def check_responses(cache: Any, fingerprint: str) -> None:
    """Makes an opened cache check every reward that it returns.

    The harness reads its cache by itself, so its own cache object has to do the check. From then on
    `cache.damaged` contains the keys of responses that are damaged or have no checksum.

    Args:
        cache: The harness's opened cache, bound to the judge.
        fingerprint: The judge's fingerprint.
    """
    if hasattr(cache, "damaged"):
        return
    cache.__class__ = _checking(type(cache), fingerprint)
    cache.damaged = set()
    # A damaged value must be detected before it is unpickled.
    cache.encode, cache.decode = sqlite3.Binary, _as_it_is


def require_same_model(cache: Any, witness: Witness) -> None:
    """Refuses to add to a cache with rewards of another model with the same name.

    Args:
        cache: The opened cache, which checks its responses.
        witness: The rewards of fixed test texts by the judge's engine; stored in a cache without
            one.

    Raises:
        CacheMismatchError: The rewards are of another model.
    """
    key = witness.key.decode()
    row = _values_of(cache, key)
    held = bytes(row[0]).decode(errors="replace") if row is not None else ""
    former = Witness.from_json(held)
    if former is None:
        cache.keep(key, witness.to_json().encode())
    elif (difference := former.difference(witness)) is not None:
        raise CacheMismatchError(
            f"{cache.filename} contains rewards of a different model with the same name, or of "
            f"another precision: {difference}. Serve the same checkpoint as before, or give "
            "another path to --use_cache."
        )


def _checking(opened: Any, fingerprint: str) -> type:
    """A class of opened caches whose responses carry checksums."""

    class CheckedResponses(opened):  # type: ignore[misc]
        def __contains__(self, key: str) -> bool:
            return self._found(key) is not None

        def __getitem__(self, key: str) -> Reward:
            found = self._found(key)
            if found is None:
                raise KeyError(key)
            return found

        def __setitem__(self, key: str, value: Reward) -> None:
            written = pickle.dumps(value)
            super().__setitem__(key, _checksum(fingerprint, key, written) + written)

        def keep(self, key: str, written: bytes) -> None:
            super().__setitem__(key, written)

        def _found(self, key: str) -> Reward | None:
            row = _values_of(self, key)
            if row is None:
                return None
            reward = _read(fingerprint, key, row[0]) if isinstance(row[0], bytes) else None
            if reward is None:
                self.damaged.add(key)
            return reward

    return CheckedResponses


def _as_it_is(value: Any) -> Any:
    return value


def _read(fingerprint: str, key: str, row: bytes) -> Reward | None:
    checksum, written = row[:_CHECKSUM_BYTES], row[_CHECKSUM_BYTES:]
    if checksum != _checksum(fingerprint, key, written):
        return None
    try:
        reward = _Reader(io.BytesIO(written)).load()
    except Exception:
        # Some version of this module wrote it; unpickling can raise anything.
        return None
    if not isinstance(reward, Reward):
        return None
    sound = math.isfinite(reward.reward) or is_unscored(reward.reward)
    return reward if sound else None


class _Reader(pickle.Unpickler):
    """Also reads values of earlier versions, whose classes were in other modules."""

    def find_class(self, module: str, name: str) -> Any:
        ours = _CLASSES.get(name) if module.startswith("ultrarm_eval.") else None
        return super().find_class(module, name) if ours is None else ours


def _checksum(fingerprint: str, key: str, written: bytes) -> bytes:
    digest = hashlib.blake2b(digest_size=_CHECKSUM_BYTES)
    for part in (fingerprint.encode(), key.encode(), written):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


def refuse_damaged(cache: Any) -> None:
    """Refuses a cache whose file itself is damaged.

    Raises:
        ResponseCacheError: The file is damaged.
    """
    if (found := _asked(cache, "PRAGMA quick_check(1)")) and found[0] != b"ok":
        raise _damaged(cache, found[0].decode(errors="replace"))


def _values_of(cache: Any, key: str) -> tuple[Any, ...] | None:
    """The value of a key in the file, as a row of one value."""
    return _asked(cache, f'SELECT value FROM "{cache.tablename}" WHERE key = ?', key)  # noqa: S608


def _asked(cache: Any, query: str, *values: str) -> tuple[Any, ...] | None:
    """The first row of a query on a cache's file, with texts as bytes."""
    connection = getattr(cache, "_ultrarm_eval_reads", None)
    try:
        if connection is None:
            connection = sqlite3.connect(cache.filename, check_same_thread=False)
            connection.text_factory = bytes
            weakref.finalize(cache, connection.close)
            cache._ultrarm_eval_reads = connection
        with closing(connection.execute(query, values)) as cursor:
            row: tuple[Any, ...] | None = cursor.fetchone()
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise _damaged(cache, error) from error
    return row


def _damaged(cache: Any, state: object) -> ResponseCacheError:
    return ResponseCacheError(
        f"{cache.filename}: this response cache is damaged ({' '.join(str(state).split())}). "
        "Delete the file, or give another path to --use_cache."
    )


def _held(cache: Any) -> str | None:
    """The fingerprint stored in a cache."""
    if not hasattr(cache, "tablename"):
        # A mapping used instead of the harness's cache has no file.
        return cache.get(_KEY)  # type: ignore[no-any-return]
    row = _values_of(cache, _KEY)
    if row is None:
        return None
    try:
        held = pickle.loads(row[0])  # noqa: S301 - the harness's cache does so with all it holds
    except Exception as error:
        # Unpickling damaged data can raise anything.
        raise _damaged(cache, f"the judge's fingerprint in it: {first_line(error)}") from error
    if not isinstance(held, str):
        raise _damaged(cache, f"the judge's fingerprint in it is of type {type(held).__name__}")
    return held


def refuse_rewards(cache: Any) -> None:
    """Refuses a language model with a judge's cache, which would return rewards as likelihoods.

    Raises:
        CacheMismatchError: The cache contains rewards.
    """
    if _held(cache) is not None:
        raise CacheMismatchError(
            f"{getattr(cache, 'filename', 'The cache')} contains rewards of a judge, not "
            "likelihoods of this model. Give another path to --use_cache, or delete this file."
        )


def bind_to_judge(cache: Any, fingerprint: str) -> None:
    """Writes the judge's fingerprint into a new cache, or compares it with the stored one.

    Args:
        cache: The opened cache.
        fingerprint: The judge's fingerprint.

    Raises:
        CacheMismatchError: The cache contains responses of another judge or model.
    """
    held = _held(cache)
    if held == fingerprint:
        return
    path = cache.filename
    if held is not None:
        raise CacheMismatchError(
            f"{path} contains rewards of another judge: weights, template, dtype, special_tokens "
            "or max_length differ. Give another path to --use_cache, or delete this file."
        )
    if _asked(cache, f'SELECT 1 FROM "{cache.tablename}"') is not None:  # noqa: S608
        raise CacheMismatchError(
            f"{path} contains responses of another model, not rewards of this judge. Give "
            "another path to --use_cache, or delete this file."
        )
    cache[_KEY] = fingerprint
