"""Joins score stores, such as those of a run over many machines."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ultrarm_eval.engine.score_store import VALUES, checked_value
from ultrarm_eval.engine.store_file import (
    PATIENCE_S,
    checked_store_path,
    damage_as_such,
    is_damage,
    lock_of,
    opened,
    transaction,
)
from ultrarm_eval.engine.witness import Witness
from ultrarm_eval.errors import ScoreStoreError

_ROWS_AT_ONCE = 10_000
_SHOWN = 12


@dataclass
class JoinedRows:
    """Counts of a store's rows after joining.

    Attributes:
        path: The store.
        rows: The number of undamaged rows: rewards, and what they were computed from.
        added: The number of new rows.
        rounded: The number of rewards that differ from another store's by rounding; the other's
            are kept.
        damaged: The number of damaged rows, which are skipped.
        judges: The fingerprints of the judges of its rewards.
    """

    path: Path
    rows: int = 0
    added: int = 0
    rounded: int = 0
    damaged: int = 0
    judges: set[str] = field(default_factory=set)


def join_stores(
    sources: Sequence[str | Path],
    output: str | Path,
    *,
    rounding: float = 0.0,
    several_judges: bool = False,
) -> list[JoinedRows]:
    """Joins the rows of stores in one store, all of them or none.

    An existing output keeps its rows, so joining again changes nothing.

    Args:
        sources: The stores, which are not changed.
        output: The store that receives the rows; created if it does not exist.
        rounding: Rewards of one text that differ by at most this are equal, and the first is kept.
        several_judges: Whether the stores may contain rewards of different judges.

    Returns:
        The counts of each source's rows.

    Raises:
        ScoreStoreError: A file is not a store, or is damaged; the stores are of different judges;
            two have different values for one text; or the output cannot be written.
    """
    target = checked_store_path(output)
    paths = [_existing(source) for source in sources]
    if target in paths or len(set(paths)) < len(paths):
        raise ScoreStoreError(
            f"{target if target in paths else paths[0]}: a store is given twice, or is also the "
            "output. Give every store once, and another file for the result."
        )
    if not several_judges:
        _require_one_judge([*paths, *([target] if target.exists() else [])])
    joined: list[JoinedRows] = []
    try:
        with _store(target) as into, damage_as_such(), transaction(into):
            for path in paths:
                with _store(path) as source:
                    joined.append(_add(source, into, path, target, rounding))
    except sqlite3.Error as error:
        raise ScoreStoreError(
            f"{target}: the joined store cannot be written there ({error}). Nothing was written; "
            "free disk space or unlock the file, or give another path."
        ) from error
    return joined


def _existing(given: str | Path) -> Path:
    path = checked_store_path(given)
    if not path.is_file() or not path.stat().st_size:
        raise ScoreStoreError(
            f"{given}: there is no score store. Give a file that was written by score_store."
        )
    return path


@contextmanager
def _store(path: Path) -> Iterator[sqlite3.Connection]:
    """Opens an undamaged store.

    Raises:
        ScoreStoreError: It is not a store, or damaged.
    """
    try:
        with FileLock(lock_of(path), timeout=PATIENCE_S), damage_as_such():
            connection = opened(path)
    except (OSError, sqlite3.Error, Timeout) as error:
        is_whole = not (isinstance(error, sqlite3.Error) and is_damage(error))
        what = "cannot be opened" if is_whole else "is damaged"
        raise ScoreStoreError(
            f"{path}: the store {what} ({error}). Remove it from the command: its rewards will be "
            "recomputed."
        ) from error
    try:
        yield connection
    finally:
        connection.close()


def _require_one_judge(paths: Sequence[Path]) -> None:
    known: dict[str, list[str]] = {}
    for path in paths:
        with _store(path) as store, damage_as_such():
            for fingerprint in _judges(store).values():
                known.setdefault(fingerprint, []).append(str(path))
    if len(known) > 1:
        each = "; ".join(f"{name[:_SHOWN]}… in {', '.join(at)}" for name, at in known.items())
        raise ScoreStoreError(
            f"These stores are of {len(known)} different judges (fingerprints): {each}. Join "
            "stores of one judge, or write all of them to one file with --several-judges."
        )


def _judges(store: sqlite3.Connection) -> dict[int, str]:
    """The fingerprints of the judges that have rows, by their numbers in this store."""
    having: set[int] = set()
    for table in VALUES:
        having.update(row[0] for row in store.execute(f"SELECT DISTINCT judge FROM {table}"))  # noqa: S608 - ours
    judges = store.execute("SELECT id, fingerprint FROM judges").fetchall()
    return {number: fingerprint for number, fingerprint in judges if number in having}


def _add(
    source: sqlite3.Connection,
    into: sqlite3.Connection,
    path: Path,
    target: Path,
    rounding: float,
) -> JoinedRows:
    joined = JoinedRows(path)
    for number, fingerprint in _judges(source).items():
        joined.judges.add(fingerprint)
        query = "SELECT settings FROM judges WHERE id = ?"
        (settings,) = source.execute(query, (number,)).fetchone()
        into.execute(
            "INSERT OR IGNORE INTO judges (fingerprint, settings) VALUES (?, ?)",
            (fingerprint, settings),
        )
        query = "SELECT id FROM judges WHERE fingerprint = ?"
        (judge,) = into.execute(query, (fingerprint,)).fetchone()
        for table, column in VALUES.items():
            rows = source.execute(
                f"SELECT text, {column}, checksum FROM {table} WHERE judge = ?",  # noqa: S608 - ours
                (number,),
            )
            while chunk := list(islice(rows, _ROWS_AT_ONCE)):
                for row in chunk:
                    if checked_value(fingerprint, table, *row) is None:
                        joined.damaged += 1
                        continue
                    joined.rows += 1
                    _add_row(into, table, judge, fingerprint, row, joined, target, rounding)
    return joined


def _add_row(
    into: sqlite3.Connection,
    table: str,
    judge: int,
    fingerprint: str,
    row: tuple[Any, Any, Any],
    joined: JoinedRows,
    target: Path,
    rounding: float,
) -> None:
    key, value, _ = row
    there = into.execute(
        f"SELECT {VALUES[table]}, checksum FROM {table} WHERE judge = ? AND text = ?",  # noqa: S608 - ours
        (judge, key),
    ).fetchone()
    known = None if there is None else checked_value(fingerprint, table, key, *there)
    if known is None:
        into.execute(f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?, ?)", (judge, *row))  # noqa: S608 - ours
        joined.added += 1
    elif known != value:
        witness = None if table == "rewards" else Witness.from_json(value)
        former = None if witness is None else Witness.from_json(known)
        if witness is not None and former is not None:
            _require_same_model(former.difference(witness), joined.path, target)
            return
        if table == "rewards" and abs(known - value) <= rounding:
            joined.rounded += 1
            return
        if table != "rewards" and rounding:
            # The details of the kept reward are stored already.
            return
        what = f"the rewards {known!r} and {value!r}" if table == "rewards" else "different details"
        raise ScoreStoreError(
            f"{joined.path}: one text has {what} here and in an earlier store (text "
            f"{key.hex()[:_SHOWN]}…). Nothing was written to {target}. If other batches or "
            "machines explain the difference, keep the first reward with --rounding X, where X is "
            "the largest difference that counts as rounding."
        )


def _require_same_model(difference: str | None, path: Path, target: Path) -> None:
    if difference is not None:
        raise ScoreStoreError(
            f"{path}: the servers that computed its rewards served another model or precision "
            f"than those of an earlier store: {difference}. Nothing was written to {target}. "
            "Remove the store of the wrong model."
        )
