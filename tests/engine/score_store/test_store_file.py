"""Which files are stores, and what is done about others and about damaged ones."""

import hashlib
import os
import sqlite3
from pathlib import Path

import pytest

from tests.engine.score_store.stored import (
    ONE,
    TWO,
    identity,
    opened,
)
from ultrarm_eval.engine import score_store
from ultrarm_eval.errors import ScoreStoreError
from ultrarm_eval.judges.ultrarm import UltraRMJudge


@pytest.mark.parametrize("made_by", ["CREATE TABLE mine (x)", "PRAGMA application_id = 77"])
def test_a_database_of_another_program_is_refused_and_left_alone(path, made_by):
    other = sqlite3.connect(path)
    other.execute(made_by)
    other.commit()
    other.close()
    before = path.read_bytes()
    with pytest.raises(ScoreStoreError, match="database of another program"):
        opened(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", ["cut", "overwritten", "header", "first byte"])
def test_a_damaged_file_is_set_aside_and_a_new_one_begun(path, damage, caplog):
    store = opened(path)
    store.add({identity((i,)): 0.0 for i in range(3000)})
    store.close()
    content = path.read_bytes()
    damaged = {
        "cut": content[: len(content) // 2],
        "overwritten": content[:4096] + b"\xff" * (len(content) - 4096),
        "header": b"\0" * 16 + content[16:],
        "first byte": b"s" + content[1:],
    }[damage]
    path.write_bytes(damaged)
    new = opened(path)
    assert new.find([ONE]) == {}
    new.add({ONE: 2.0})
    assert opened(path).find([ONE]) == {ONE: 2.0}
    assert path.with_name("scores.sqlite.damaged-1").read_bytes() == damaged
    assert "is damaged" in caplog.text


def a_database(path, *, journal="DELETE"):
    other = sqlite3.connect(path)
    other.execute(f"PRAGMA journal_mode = {journal}")
    other.execute("CREATE TABLE mine (x)")
    other.execute("INSERT INTO mine VALUES (1)")
    other.commit()
    other.close()


OTHER_FILES = {
    "JSON lines": b'{"chosen": "a", "rejected": "b"}\n' * 50,
    "CSV": b"chosen,rejected\na,b\n",
    "Parquet": b"PAR1" + bytes(200) + b"PAR1",
    "one byte": b"x",
    "zeros": bytes(8192),
    "our own source": (Path(score_store.__file__).with_name("store_file.py")).read_bytes(),
    "a journal": bytes.fromhex("377f0682") + bytes(4000),
    "SQLite's first bytes": b"SQLite format 3\0",
    "SQLite's first bytes and garbage": b"SQLite format 3\0" + b"\xff" * 5000,
}


@pytest.mark.few(5)
@pytest.mark.parametrize("kind", [*OTHER_FILES, "database", "database in WAL mode"])
def test_a_file_that_is_no_store_is_refused_and_left_alone(path, checkpoint, kind):
    if kind in OTHER_FILES:
        path.write_bytes(OTHER_FILES[kind])
    else:
        a_database(path, journal="WAL" if "WAL" in kind else "DELETE")
    before = path.read_bytes()
    for use in (opened, lambda path: UltraRMJudge(str(checkpoint), score_store=str(path))):
        with pytest.raises(
            ScoreStoreError,
            match="not a score store, and was not changed|database of another program",
        ) as e:
            use(path)
        assert str(path) in str(e.value)
    assert path.read_bytes() == before
    assert {p.name for p in path.parent.iterdir()} <= {path.name, f"{path.name}.lock"}


def test_an_empty_file_and_an_empty_database_become_stores(path):
    for name in ("empty", "database"):
        given = path.with_name(name)
        if name == "empty":
            given.touch()
        else:
            other = sqlite3.connect(given)
            other.execute("VACUUM")
            other.close()
        opened(given).add({ONE: 1.0})
        assert opened(given).find([ONE]) == {ONE: 1.0}


@pytest.mark.parametrize("suffix", ["-wal", "-journal"])
def test_the_journal_of_a_database_that_is_gone_is_not_deleted(path, suffix):
    journal = path.with_name(path.name + suffix)
    journal.write_bytes(b"somebody's data")
    for _ in range(2):
        with pytest.raises(ScoreStoreError, match="the journal of a missing database"):
            opened(path)
    assert journal.read_bytes() == b"somebody's data"
    assert not path.exists()


def test_a_file_where_the_lock_would_be_is_not_emptied(path):
    lock = path.with_name(path.name + ".lock")
    lock.write_text("packages")
    with pytest.raises(ScoreStoreError, match="its lock file would be"):
        opened(path)
    assert lock.read_text() == "packages"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_refused_and_not_waited_for(path, checkpoint):
    os.mkfifo(path)
    with pytest.raises(ScoreStoreError, match="this is not a file"):
        UltraRMJudge(str(checkpoint), score_store=str(path))


def test_a_link_stays_when_what_it_leads_to_is_set_aside(tmp_path):
    (tmp_path / "there").mkdir()
    real, link = tmp_path / "there" / "scores.sqlite", tmp_path / "link"
    link.symlink_to(real)
    path = score_store.checked_store_path(link)
    opened(path).add({ONE: 1.0})
    content = real.read_bytes()
    real.write_bytes(b"?" + content[1:])
    opened(score_store.checked_store_path(link)).add({ONE: 2.0})
    assert link.is_symlink()
    assert real.with_name("scores.sqlite.damaged-1").read_bytes()[1:] == content[1:]
    data = tmp_path / "data.csv"
    data.write_text("a,b")
    link.unlink()
    link.symlink_to(data)
    with pytest.raises(ScoreStoreError, match=r"data\.csv"):
        score_store.checked_store_path(link)
    link.unlink()
    link.symlink_to(link)
    with pytest.raises(ScoreStoreError, match="a file in an existing folder"):
        score_store.checked_store_path(link)


def test_a_store_of_another_version_is_refused(path):
    opened(path).close()
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 7")
    other.close()
    with pytest.raises(
        ScoreStoreError, match="its version is 7, but this version of ultrarm-eval needs 2"
    ):
        opened(path)


# As it was made before rows had checksums.
FIRST_VERSION = """
PRAGMA application_id = 1431457107;
PRAGMA user_version = 1;
CREATE TABLE judges (id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE, settings TEXT NOT NULL);
CREATE TABLE rewards (judge INTEGER NOT NULL, text BLOB NOT NULL, reward REAL NOT NULL, PRIMARY KEY (judge, text)) WITHOUT ROWID;
CREATE TABLE critiques (judge INTEGER NOT NULL, text BLOB NOT NULL, critique TEXT NOT NULL, PRIMARY KEY (judge, text)) WITHOUT ROWID;
INSERT INTO judges VALUES (1, 'a', '{}');
"""


def test_rewards_without_checksums_are_not_served_and_not_thrown_away(path, caplog):
    old = sqlite3.connect(path)
    old.executescript(FIRST_VERSION)
    old.execute("INSERT INTO rewards VALUES (1, ?, 1.5)", (hashlib.sha256(ONE).digest(),))
    old.commit()
    old.close()
    store = opened(path)
    assert store.find([ONE]) == {}
    assert "its 1 rewards and critiques cannot be verified and are recomputed" in caplog.text
    store.add({ONE: 2.5})
    caplog.clear()
    assert opened(path).find([ONE]) == {ONE: 2.5}
    assert not caplog.text
    again = sqlite3.connect(path)
    assert again.execute("SELECT reward FROM rewards_without_checksum").fetchall() == [(1.5,)]
    again.close()


def test_a_damaged_name_that_is_no_text_is_damage(path):
    store = opened(path)
    store.add({ONE: 1.0})
    store.close()
    content = path.read_bytes()
    path.write_bytes(content.replace(b"(judge, text)", b"(judge, t\xe5xt)"))
    assert opened(path).find([ONE]) == {}
    assert path.with_name(path.name + ".damaged-1").exists()


def test_a_file_that_another_process_set_aside_is_left(path):
    store = opened(path)
    path.rename(path.with_name("aside"))
    opened(path).add({ONE: 1.0})
    store.add({TWO: 2.0})
    assert opened(path).find([ONE, TWO]) == {ONE: 1.0, TWO: 2.0}


@pytest.mark.parametrize("given", ["", " ", "FOLDER", "FOLDER/none/scores.sqlite"])
def test_a_path_where_no_file_can_be_is_refused_when_the_judge_is_made(checkpoint, tmp_path, given):
    with pytest.raises(ScoreStoreError, match="a file in an existing folder"):
        UltraRMJudge(str(checkpoint), score_store=given.replace("FOLDER", str(tmp_path)))
