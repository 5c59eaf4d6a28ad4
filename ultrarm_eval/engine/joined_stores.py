"""Several score stores as one: of a run over many machines that kept a store each."""

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
    """What became of a store's rows.

    Attributes:
        path: The store.
        rows: How many whole rows it has: rewards, and what they were made of.
        added: How many of them were new.
        rounded: How many rewards differ from another store's by rounding; the other's counts.
        damaged: How many rows were damaged, and so left out.
        judges: The fingerprints of the judges whose rewards it has.
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
    """Joins the rows of stores in one, all of them or none.

    A store that is there already keeps its rows, so that joining again changes nothing.

    Args:
        sources: The stores, which are left as they are.
        output: The store that takes the rows; made where there is none.
        rounding: Rewards of one text that differ by no more are the same, and the first counts.
        several_judges: Whether the stores may hold rewards of different judges.

    Returns:
        What became of each source's rows.

    Raises:
        ScoreStoreError: A file is no store, or damaged as a whole; the stores are of different
            judges; two have different values for one text; or the output cannot be written.
    """
    target = checked_store_path(output)
    paths = [_existing(source) for source in sources]
    if target in paths or len(set(paths)) < len(paths):
        raise ScoreStoreError(
            f"{target if target in paths else paths[0]}: give every store once, and another file "
            "for the result."
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
            f"{target}: the stores cannot be joined there ({error}). Nothing was written; free the "
            "disk or unlock the file, or give another path."
        ) from error
    return joined


def _existing(given: str | Path) -> Path:
    path = checked_store_path(given)
    if not path.is_file() or not path.stat().st_size:
        raise ScoreStoreError(f"{given}: there is no score store. Give a file of score_store.")
    return path


@contextmanager
def _store(path: Path) -> Iterator[sqlite3.Connection]:
    """A store that is whole.

    Raises:
        ScoreStoreError: It is none, or damaged.
    """
    try:
        with FileLock(lock_of(path), timeout=PATIENCE_S), damage_as_such():
            connection = opened(path)
    except (OSError, sqlite3.Error, Timeout) as error:
        is_whole = not (isinstance(error, sqlite3.Error) and is_damage(error))
        what = "cannot be opened" if is_whole else "is damaged"
        raise ScoreStoreError(
            f"{path}: the store {what} ({error}). Leave it out: what it holds is computed anew."
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
            f"These stores are of {len(known)} different judges (fingerprints): {each}. Join those "
            "of one judge, or ask for all in one file with --several-judges."
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
            # What a reward that counts was made of stands beside it already.
            return
        what = f"the rewards {known!r} and {value!r}" if table == "rewards" else "different details"
        raise ScoreStoreError(
            f"{joined.path}: one text has {what} here and in a store before it (text "
            f"{key.hex()[:_SHOWN]}…). Nothing was written to {target}. If other batches or "
            "machines explain the difference, let the first count with --rounding X, the largest "
            "difference that is rounding."
        )


def _require_same_model(difference: str | None, path: Path, target: Path) -> None:
    if difference is not None:
        raise ScoreStoreError(
            f"{path}: the servers that computed its rewards served another model, or in another "
            f"precision, than those of a store before it: {difference}. Nothing was written to "
            f"{target}. Leave the store out that is of the wrong one."
        )
