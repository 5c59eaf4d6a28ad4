"""Keeps rewards on disk, so that texts are not scored again.

An SQLite file with a row for each judge and each text it has scored. A judge is identified by its
fingerprint (weights, template, dtype, special_tokens, max_length), a text by the SHA-256 of its
token ids, so a reward of another judge is never used. Every row has a checksum over these and its
value: the reward of a damaged row is recomputed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import sqlite3
import struct
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ultrarm_eval.engine.store_file import (
    PATIENCE_S,
    checked_store_path,
    damage_as_such,
    is_damage,
    lock_of,
    opened,
    refuse_what_is_no_store,
    set_aside,
    transaction,
)
from ultrarm_eval.errors import ScoreStoreError

__all__ = ["ScoreStore", "checked_store_path"]

logger = logging.getLogger(__name__)

#: Logged for the first texts: the store, how many it contains, of how many.
FOUND_IN_STORE = "score_store=%s: %d of %d texts are already scored."

# After a failed write, later writes wait only briefly.
_LITTLE_PATIENCE_S = 1.0
# Older versions of SQLite support at most 999 parameters.
_KEYS_AT_ONCE = 500
_CHECKSUM_BYTES = 16


class ScoreStore:
    """The rewards of one judge in a file that other judges and processes may share.

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path, fingerprint: str, settings: Mapping[str, Any]) -> None:
        """Opens or creates the file.

        Args:
            path: The file.
            fingerprint: The judge's fingerprint.
            settings: The judge's settings, for people who look into the file.

        Raises:
            ScoreStoreError: The file cannot be opened, or is not a score store.
        """
        self.path = path
        self._damaged: set[tuple[str, object]] = set()
        self._fingerprint, self._settings = fingerprint, dict(settings)
        self._open()

    @property
    def damaged(self) -> int:
        """The number of damaged rows, which are treated as missing."""
        return len(self._damaged)

    def _open(self, damage: sqlite3.Error | None = None) -> None:
        """Opens the file; a damaged one is moved aside, and a new one is created.

        Args:
            damage: The damage found while it was open.
        """
        path = self.path
        try:
            refuse_what_is_no_store(path)
            with FileLock(lock_of(path), timeout=PATIENCE_S):
                if damage is not None and self._is_in_place():
                    set_aside(path, damage)
                try:
                    self._connect()
                except sqlite3.DatabaseError as error:
                    if not is_damage(error):
                        raise
                    set_aside(path, error)
                    self._connect()
                self._file = path.stat().st_ino
        except (OSError, sqlite3.Error, Timeout) as error:
            raise ScoreStoreError(
                f"score_store={path}: the file cannot be opened ({error}). Give a path in an "
                "existing writable folder."
            ) from error

    def _connect(self) -> None:
        with damage_as_such():
            self._connection = opened(self.path)
        self.close = weakref.finalize(self, self._connection.close)
        try:
            self._judge = self._register(self._fingerprint, self._settings)
            with damage_as_such():
                self._take_out_damaged()
        except sqlite3.Error:
            self.close()
            raise

    def _take_out_damaged(self) -> None:
        """Counts this judge's damaged rows, also those under a wrong key, which are never requested."""
        damaged: set[tuple[str, object]] = set()
        for table in _COLUMNS:
            keys = [row[0] for row in self._stored(table) if self._value(table, *row) is None]
            damaged.update((table, key) for key in keys)
            # If the disk is not writable they stay, and are not used as rewards either.
            if keys:
                with suppress(sqlite3.OperationalError), transaction(self._connection):
                    self._delete_damaged(table, {key for key in keys if isinstance(key, bytes)})
        self._count_damaged(damaged)

    def _stored(self, table: str, condition: str = "", *keys: bytes) -> sqlite3.Cursor:
        """This judge's rows: key, value and checksum."""
        query = f"SELECT text, {_COLUMNS[table][0]}, checksum FROM {table} WHERE judge = ?"  # noqa: S608 - ours
        return self._connection.execute(query + condition, (self._judge, *keys))

    def _delete_damaged(self, table: str, keys: Iterable[bytes]) -> None:
        for key in keys:
            # Another process may have rewritten it.
            row = self._stored(table, " AND text = ?", key).fetchone()
            if row is not None and self._value(table, *row) is None:
                self._connection.execute(
                    f"DELETE FROM {table} WHERE judge = ? AND text = ?",  # noqa: S608 - ours
                    (self._judge, key),
                )

    def _value(self, table: str, key: object, stored: object, checksum: object) -> Any:
        """The value of a row; None if the row is damaged."""
        return checked_value(self._fingerprint, table, key, stored, checksum)

    def _count_damaged(self, rows: set[tuple[str, object]]) -> None:
        # Rows that could not be deleted are found damaged again.
        rows -= self._damaged
        self._damaged |= rows
        if rows:
            logger.warning(
                "score_store=%s: %d rows are damaged; their rewards are recomputed.",
                self.path,
                len(rows),
            )

    def find(self, texts: Sequence[bytes]) -> dict[bytes, float]:
        """The stored rewards, by text.

        Args:
            texts: The identity of each text; see `Tokens.identity`.

        Raises:
            ScoreStoreError: The file cannot be read.
        """
        return self._find("rewards", texts)

    def add(self, rewards: Mapping[bytes, float]) -> None:
        """Stores finite rewards by text, durably.

        Raises:
            ScoreStoreError: They cannot be written, or one is not finite.
        """
        if not all(map(math.isfinite, rewards.values())):
            raise ScoreStoreError(f"score_store={self.path}: a reward must be a finite number.")
        # SQLite has no negative zero.
        self._insert("rewards", {ids: float(reward) + 0.0 for ids, reward in rewards.items()})

    def add_details(self, details: Mapping[bytes, str]) -> None:
        """Stores the details of rewards by text, such as a judge's critiques.

        Raises:
            ScoreStoreError: It cannot be written.
        """
        self._insert("critiques", details)

    def find_details(self, texts: Sequence[bytes]) -> dict[bytes, str]:
        """The stored details of the rewards of texts.

        Raises:
            ScoreStoreError: The file cannot be read.
        """
        return self._find("critiques", texts)

    def _find(self, table: str, texts: Sequence[bytes]) -> dict[bytes, Any]:
        by_key = {_key(text): text for text in texts}
        found: dict[bytes, Any] = {}
        damaged: set[tuple[str, object]] = set()
        remaining = iter(by_key)
        while keys := list(islice(remaining, _KEYS_AT_ONCE)):
            for key, stored, checksum in self._rows(table, keys):
                value = self._value(table, key, stored, checksum)
                if value is None or key not in by_key:
                    damaged.add((table, key))
                else:
                    found[by_key[key]] = value
        self._count_damaged(damaged)
        return found

    def _rows(self, table: str, keys: Sequence[bytes]) -> list[tuple[Any, Any, Any]]:
        marks = ",".join("?" * len(keys))
        try:
            with damage_as_such():
                return self._stored(table, f" AND text IN ({marks})", *keys).fetchall()
        except sqlite3.Error as error:
            if is_damage(error):
                self._begin_anew(error)
                return []
            raise ScoreStoreError(
                f"score_store={self.path}: rewards cannot be read ({error}). Give another path, "
                "or delete the file to start again."
            ) from error

    def _insert(self, table: str, values: Mapping[bytes, float] | Mapping[bytes, str]) -> None:
        if not self._is_in_place():
            # Another process found the file damaged and moved it aside.
            self.close()
            self._open()
        try:
            self._write(table, values)
        except sqlite3.Error as error:
            try:
                if not is_damage(error):
                    raise
                self._begin_anew(error)
                self._write(table, values)
            except sqlite3.Error as failure:
                self._wait_at_most(_LITTLE_PATIENCE_S)
                raise ScoreStoreError(
                    f"score_store={self.path}: rewards cannot be written ({failure}). Stored "
                    "rewards are kept; free disk space or unlock the file, and start again."
                ) from failure
        self._wait_at_most(PATIENCE_S)

    def _write(self, table: str, values: Mapping[bytes, float] | Mapping[bytes, str]) -> None:
        rows = [
            (self._judge, key, value, _checksum(self._fingerprint, table, key, value))
            for key, value in ((_key(ids), value) for ids, value in values.items())
        ]
        with damage_as_such(), transaction(self._connection):
            self._connection.executemany(
                f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?, ?)",  # noqa: S608 - ours
                rows,
            )

    def _begin_anew(self, damage: sqlite3.Error) -> None:
        """Continues with a new file; the rewards of the damaged one are recomputed."""
        self.close()
        self._open(damage)

    def _wait_at_most(self, seconds: float) -> None:
        """Sets how long to wait for a locked file."""
        self._connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")

    def _is_in_place(self) -> bool:
        try:
            return self.path.stat().st_ino == self._file
        except FileNotFoundError:
            return False

    def _register(self, fingerprint: str, settings: Mapping[str, Any]) -> int:
        with transaction(self._connection):
            self._connection.execute(
                "INSERT OR IGNORE INTO judges (fingerprint, settings) VALUES (?, ?)",
                (fingerprint, json.dumps(dict(settings), sort_keys=True, default=str)),
            )
        row = self._connection.execute(
            "SELECT id FROM judges WHERE fingerprint = ?", (fingerprint,)
        ).fetchone()
        if row is None or not isinstance(row[0], int):
            raise sqlite3.DatabaseError("the table judges does not contain what was written to it")
        return row[0]


def _key(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()


def _finite(value: object) -> float | None:
    return value if isinstance(value, float) and math.isfinite(value) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


# The value column of each table, and the conversion of its stored values.
_COLUMNS: dict[str, tuple[str, Callable[[object], Any]]] = {
    "rewards": ("reward", _finite),
    "critiques": ("critique", _text),
}


#: The tables, each with the column of its values.
VALUES = {table: column for table, (column, _) in _COLUMNS.items()}


def checked_value(
    fingerprint: str, table: str, key: object, stored: object, checksum: object
) -> Any:
    """The value of a row; None if the row is damaged.

    Args:
        fingerprint: The judge's.
        table: The table.
        key: The text's identity in it.
        stored: The stored value.
        checksum: The stored checksum.
    """
    value = _COLUMNS[table][1](stored)
    if value is None or not isinstance(key, bytes):
        return None
    return value if checksum == _checksum(fingerprint, table, key, value) else None


def _checksum(fingerprint: str, table: str, key: bytes, value: object) -> bytes:
    """The checksum of a row: over its judge, its table, its text and its value."""
    if isinstance(value, float):
        written = struct.pack(">d", value)
    else:
        written = str(value).encode("utf-8", errors="surrogateescape")
    digest = hashlib.blake2b(digest_size=_CHECKSUM_BYTES)
    for part in (table.encode(), fingerprint.encode(), key, written):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()
