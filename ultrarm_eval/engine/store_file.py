"""The file of a score store: recognizing it, connecting to it, and moving a damaged one aside."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ultrarm_eval.errors import ScoreStoreError

logger = logging.getLogger(__name__)

#: Long enough for another process to write a batch on a slow disk.
PATIENCE_S = 120.0
# SQLite's own field for the type of a file: "URMS".
_APPLICATION_ID = 0x55524D53
# 1 had no checksums.
_VERSION, _WITHOUT_CHECKSUMS = 2, 1
_SCHEMA = {
    "judges": "CREATE TABLE judges "
    "(id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE, settings TEXT NOT NULL)",
    "rewards": "CREATE TABLE rewards (judge INTEGER NOT NULL, text BLOB NOT NULL, "
    "reward REAL NOT NULL, checksum BLOB NOT NULL, PRIMARY KEY (judge, text)) WITHOUT ROWID",
    "critiques": "CREATE TABLE critiques (judge INTEGER NOT NULL, text BLOB NOT NULL, "
    "critique TEXT NOT NULL, checksum BLOB NOT NULL, PRIMARY KEY (judge, text)) WITHOUT ROWID",
}
# SQLite's file format: the header's first bytes, the offset of the application id, and those of the
# type and the number of entries of the first page, which lists the tables.
_MAGIC = b"SQLite format 3\0"
_ID_PLACE, _PAGE_PLACE, _LEAF = 68, 100, 0x0D
_HEAD_BYTES = 4096
# A damaged header is still recognized by this many correct bytes among the first ones.
_MAGIC_LEFT = 12
# Files that SQLite keeps next to a database. If it is gone, they are all that is left of it.
_JOURNALS = ("-wal", "-journal")
_BESIDE = (*_JOURNALS, "-shm")


def checked_store_path(given: object) -> Path:
    """Checks the path of a score store.

    Raises:
        ScoreStoreError: It is not a path, is a folder or a device, or its folder does not exist;
            or the file is not a score store.
    """
    path = Path(str(given)).expanduser()
    try:
        impossible = path.is_dir() or not path.parent.is_dir()
        # A link stays when its target is moved aside.
        path = path.resolve()
        # A link to itself is an error before Python 3.13, and stays a link from then on.
        impossible = impossible or path.is_symlink()
    except (OSError, RuntimeError, ValueError):
        impossible = True
    if not str(given).strip() or impossible:
        raise ScoreStoreError(
            f"score_store={str(given)!r}: give the path of a file in an existing folder."
        )
    try:
        refuse_what_is_no_store(path)
    except OSError as error:
        raise ScoreStoreError(
            f"score_store={path}: the file cannot be read ({error.strerror}). Give another path."
        ) from error
    return path


def opened(path: Path) -> sqlite3.Connection:
    """A connection to an undamaged store; the file is created if it does not exist.

    Args:
        path: The file; its lock is held.

    Raises:
        ScoreStoreError: The file is not a score store, or has an unknown version.
        sqlite3.DatabaseError: It is a damaged score store.
        sqlite3.OperationalError: It cannot be opened.
        OSError: It cannot be read or made.
    """
    refuse_what_is_no_store(path)
    if not path.exists() or not path.stat().st_size:
        if any(_leftovers(path)):
            # With its lock next to them, they belong to a score store that was moved or deleted.
            set_aside(path, "the main file is missing")
        _make(path)
    connection = _connected(path)
    try:
        _refuse_foreign(connection, path)
        _refuse_damaged(connection)
        with transaction(connection):
            # Another process may be doing the same.
            _bring_up_to_date(connection, path)
        # Writers do not block readers, and a killed process leaves only complete batches.
        connection.execute("PRAGMA journal_mode = WAL")
    except BaseException:
        connection.close()
        raise
    return connection


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error says that the file is damaged, not that it is locked or the disk full."""
    return type(error) is sqlite3.DatabaseError


def set_aside(path: Path, why: object) -> None:
    """Moves a damaged store aside, with the files that SQLite keeps next to it, and warns.

    Raises:
        OSError: It cannot be moved.
    """
    aside = _unused(path)
    # The store last: without it the other files could not be recognized.
    for suffix in (*_BESIDE, ""):
        beside = Path(f"{path}{suffix}")
        if beside.exists():
            beside.rename(f"{aside}{suffix}")
    logger.warning(
        "score_store=%s is damaged (%s). It was moved to %s, and a new store is started: its "
        "rewards are recomputed.",
        path,
        " ".join(str(why).split()),
        aside,
    )


@contextmanager
def damage_as_such() -> Iterator[None]:
    """Treats SQLite's message about a name that cannot be decoded as damage."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise sqlite3.DatabaseError("a name in it is not UTF-8") from error


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction: all of it or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        # On a full disk, this fails.
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.rollback()
        raise


def refuse_what_is_no_store(path: Path) -> None:
    """Rejects files that are not clearly a score store, as SQLite may write to a file.

    A file that does not exist yet, or is empty, can become one.

    Raises:
        ScoreStoreError: It is something else.
        OSError: It cannot be read.
    """
    _refuse_used_lock(path)
    if path.exists() and not path.is_file():
        raise ScoreStoreError(
            f"score_store={path}: this is not a file (but a folder, a device or a pipe). Give the "
            "path of a file."
        )
    head = b""
    if path.exists():
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    if not head:
        _refuse_leftovers(path)
    elif not _is_store(head) and not _is_empty_database(head):
        what = "a database of another program" if head.startswith(_MAGIC) else "not a score store"
        raise ScoreStoreError(
            f"score_store={path}: this is {what}, and was not changed. Give another path: a new "
            "file, or one that was written by score_store."
        )


def _is_store(head: bytes) -> bool:
    """Whether a file with these first bytes is a score store, possibly a damaged one."""
    if head[_ID_PLACE : _ID_PLACE + 4] != _APPLICATION_ID.to_bytes(4, "big"):
        return False
    left = sum(ours == theirs for ours, theirs in zip(_MAGIC, head, strict=False))
    return left >= _MAGIC_LEFT or b"CREATE TABLE judges (id INTEGER PRIMARY KEY" in head


def _is_empty_database(head: bytes) -> bool:
    """Whether it is a database whose first page lists no table: its journal may contain them."""
    entries = head[_PAGE_PLACE + 3 : _PAGE_PLACE + 5]
    no_id = not any(head[_ID_PLACE : _ID_PLACE + 4])
    is_leaf = head[_PAGE_PLACE : _PAGE_PLACE + 1] == bytes([_LEAF])
    return head.startswith(_MAGIC) and no_id and is_leaf and entries == b"\0\0"


def _refuse_leftovers(path: Path) -> None:
    """Refuses to create a file next to the journal of another program's database."""
    if lock_of(path).exists():
        return
    for journal in _leftovers(path):
        raise ScoreStoreError(
            f"score_store={path}: next to it is {journal.name}, the journal of a missing "
            "database, which SQLite would delete. Restore the database, move the journal, or give "
            "another path."
        )


def _leftovers(path: Path) -> Iterator[Path]:
    beside = (Path(f"{path}{suffix}") for suffix in _JOURNALS)
    return (journal for journal in beside if journal.is_file() and journal.stat().st_size)


def lock_of(path: Path) -> Path:
    """The file that a process locks while it opens a store."""
    return Path(f"{path}.lock")


def _refuse_used_lock(path: Path) -> None:
    """Refuses to use a lock file that contains data: it could be emptied."""
    lock = lock_of(path)
    if lock.exists() and (not lock.is_file() or lock.stat().st_size):
        raise ScoreStoreError(
            f"score_store={path}: its lock file would be {lock}, which contains something else. "
            "Give another path."
        )


def _make(path: Path) -> None:
    """Creates a new store atomically, so that it is always recognisable as a score store."""
    new = path.with_name(f"{path.name}.new-{os.getpid()}")
    new.unlink(missing_ok=True)
    connection = _connected(new)
    try:
        with transaction(connection):
            _write_schema(connection)
        connection.close()
        new.replace(path)
    finally:
        connection.close()
        new.unlink(missing_ok=True)


def _connected(path: Path) -> sqlite3.Connection:
    # Transactions are begun manually: sqlite3's own do not include the first PRAGMA and CREATE.
    connection = sqlite3.connect(
        path, timeout=PATIENCE_S, isolation_level=None, check_same_thread=False
    )
    # A damaged text need not be UTF-8.
    connection.text_factory = lambda text: text.decode("utf-8", errors="surrogateescape")
    return connection


def _write_schema(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {_VERSION}")
    for statement in _SCHEMA.values():
        connection.execute(statement)


def _bring_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    if not _tables(connection):
        _write_schema(connection)
    elif _value(connection, "PRAGMA user_version") == _WITHOUT_CHECKSUMS:
        unchecked = 0
        for table in ("rewards", "critiques"):
            unchecked += int(_value(connection, f"SELECT count(*) FROM {table}"))  # noqa: S608
            connection.execute(f"ALTER TABLE {table} RENAME TO {table}_without_checksum")
            connection.execute(_SCHEMA[table])
        connection.execute(f"PRAGMA user_version = {_VERSION}")
        logger.warning(
            "score_store=%s was written by an earlier version without checksums: its %d rewards "
            "and critiques cannot be verified and are recomputed. They stay in the file, in the "
            "tables rewards_without_checksum and critiques_without_checksum.",
            path,
            unchecked,
        )
    tables = _tables(connection)
    for name, statement in _SCHEMA.items():
        if tables.get(name) != statement:
            raise sqlite3.DatabaseError(f"the table {name} was changed")


def _tables(connection: sqlite3.Connection) -> dict[str, str]:
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
    return {str(name): str(sql) for name, sql in rows}


def _refuse_foreign(connection: sqlite3.Connection, path: Path) -> None:
    kind = _value(connection, "PRAGMA application_id")
    version = _value(connection, "PRAGMA user_version")
    tables = _value(connection, "SELECT count(*) FROM sqlite_master")
    if kind != _APPLICATION_ID and (kind or version or tables):
        raise ScoreStoreError(
            f"score_store={path}: this is a database of another program. Give another path."
        )
    if kind == _APPLICATION_ID and version not in (_VERSION, _WITHOUT_CHECKSUMS):
        raise ScoreStoreError(
            f"score_store={path}: its version is {version}, but this version of ultrarm-eval "
            f"needs {_VERSION}. Give another path."
        )


def _refuse_damaged(connection: sqlite3.Connection) -> None:
    state = _value(connection, "PRAGMA quick_check(1)")
    if state != "ok":
        raise sqlite3.DatabaseError(state)


def _value(connection: sqlite3.Connection, query: str) -> Any:
    value: Any
    (value,) = connection.execute(query).fetchone()
    return value


def _unused(path: Path) -> Path:
    number = 1
    while any(
        Path(f"{aside}{suffix}").exists()
        for aside in (path.with_name(f"{path.name}.damaged-{number}"),)
        for suffix in ("", *_BESIDE)
    ):
        number += 1
    return path.with_name(f"{path.name}.damaged-{number}")
