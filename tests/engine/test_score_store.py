import hashlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ultrarm_eval.engine import score_store
from ultrarm_eval.engine.score_store import ScoreStore
from ultrarm_eval.errors import ScoreStoreError
from ultrarm_eval.judges.ultrarm import UltraRMJudge
from ultrarm_eval.text_format.tokens import Tokens


def identity(ids):
    return Tokens.of(ids).identity


TEXTS = [identity((1, 2, 3)), identity((1, 2)), identity((4,))]
ONE, TWO, OTHER = identity((1,)), identity((2,)), identity((9,))
PROMPTS = [f"question {i}" for i in range(12)]
ANSWERS = [f"answer {i}" for i in range(12)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "scores.sqlite"


def opened(path, fingerprint="a"):
    return ScoreStore(path, fingerprint, {"template": "raw"})


def test_what_was_added_is_found_to_the_last_bit(path):
    rewards = [0.1, -1e-30, 3.0000001]
    opened(path).add(dict(zip(TEXTS, rewards, strict=True)))
    assert opened(path).find([*TEXTS, OTHER]) == dict(zip(TEXTS, rewards, strict=True))


def test_more_texts_than_sqlite_takes_at_once_are_found(path):
    rewards = {identity((i, i + 1)): float(i) for i in range(2500)}
    opened(path).add(rewards)
    assert opened(path).find(list(rewards)) == rewards


def test_another_judges_rewards_are_never_found(path):
    opened(path, "a").add(dict(zip(TEXTS, [1.0, 2.0, 3.0], strict=True)))
    opened(path, "b").add({TEXTS[0]: 9.0})
    assert opened(path, "b").find(TEXTS) == {TEXTS[0]: 9.0}
    assert opened(path, "c").find(TEXTS) == {}


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


BAD_VALUES = ["'abc'", "x'00ff'", "9e999", "-9e999", "-reward", "reward + 1e-9", "3", "CAST(x'ff' AS TEXT)"]  # fmt: skip


@pytest.mark.parametrize("value", BAD_VALUES)
def test_a_value_that_was_changed_is_computed_anew_and_counted(path, checkpoint, value, caplog):
    first = UltraRMJudge(str(checkpoint), score_store=str(path))
    expected = first.score(PROMPTS, ANSWERS)
    first._store.close()
    other = sqlite3.connect(path)
    other.execute(
        f"UPDATE rewards SET reward = {value} WHERE text = (SELECT min(text) FROM rewards)"
    )
    other.commit()
    other.close()
    again = UltraRMJudge(str(checkpoint), score_store=str(path))
    assert again.score(PROMPTS, ANSWERS) == pytest.approx(expected, abs=5e-5)
    counts = again.settings()["counts"]
    assert (counts["from_store"], counts["store_rows_damaged"]) == (11, 1)
    assert f"score_store={path}: 1 rows are damaged" in caplog.text
    third = UltraRMJudge(str(checkpoint), score_store=str(path))
    assert third.score(PROMPTS, ANSWERS) == pytest.approx(expected, abs=5e-5)
    assert third.settings()["counts"]["from_store"] == 12
    assert "store_rows_damaged" not in third.settings()["counts"]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE rewards SET judge = 3 - judge",
        "UPDATE rewards SET text = x'00' || substr(text, 2)",
        "UPDATE rewards SET text = CAST(text AS TEXT)",
        "UPDATE rewards SET reward = (SELECT max(reward) FROM rewards)",
        "UPDATE rewards SET checksum = (SELECT max(checksum) FROM rewards)",
        "UPDATE rewards SET checksum = 0",
        "UPDATE judges SET id = 3 - id WHERE id < 0",
        "UPDATE judges SET fingerprint = 'c' WHERE fingerprint = 'a'",
    ],
)
def test_a_row_that_belongs_elsewhere_is_not_served(path, change):
    rewards = {"a": {ONE: 1.0, TWO: 2.0}, "b": {TEXTS[0]: -1.0, OTHER: -2.0}}
    asked = [ONE, TWO, OTHER, TEXTS[0]]
    for judge, of_judge in rewards.items():
        store = opened(path, judge)
        store.add(of_judge)
        store.close()
    other = sqlite3.connect(path)
    other.execute(change)
    other.commit()
    other.close()
    for judge, of_judge in rewards.items():
        store = opened(path, judge)
        found = store.find(asked)
        assert found.items() <= of_judge.items()
        store.add(of_judge)
        assert opened(path, judge).find(asked) == of_judge


def test_a_damaged_critique_is_not_served(path):
    store = opened(path)
    store.add_details({ONE: "good"})
    store.add_details({TWO: "bad"})
    store.close()
    other = sqlite3.connect(path)
    other.execute("UPDATE critiques SET critique = 'great' WHERE critique = 'good'")
    other.commit()
    other.close()
    again = opened(path)
    assert again.find_details([ONE, TWO]) == {TWO: "bad"}
    assert again.damaged == 1


@pytest.mark.parametrize("reward", [float("nan"), float("inf")])
def test_a_reward_that_is_not_finite_is_not_stored(path, reward):
    store = opened(path)
    with pytest.raises(ScoreStoreError, match="a finite number"):
        store.add({ONE: 1.0, TWO: reward})
    assert store.find([ONE, TWO]) == {}


@pytest.mark.parametrize("column", ["text", "reward", "checksum"])
def test_a_row_with_a_flipped_bit_is_counted_once_whichever_column_it_is_in(path, column):
    store = opened(path)
    store.add({ONE: 1.0, TWO: 2.0})
    store.add_details({OTHER: "good"})
    store.close()
    with sqlite3.connect(path) as connection:
        (key, value) = connection.execute(
            f"SELECT text, {column} FROM rewards WHERE reward = 1"
        ).fetchone()
        other = 3.0 if column == "reward" else bytes([value[0] ^ 1]) + value[1:]
        connection.execute(f"UPDATE rewards SET {column} = ? WHERE text = ?", (other, key))
    connection.close()
    store = opened(path)
    assert store.damaged == 1
    assert store.find([ONE, TWO]) == {TWO: 2.0}
    assert store.find_details([OTHER]) == {OTHER: "good"}
    assert store.damaged == 1
    store.add({ONE: 1.0})
    store.close()
    again = opened(path)
    assert (again.damaged, again.find([ONE, TWO])) == (0, {ONE: 1.0, TWO: 2.0})


def test_a_damaged_row_that_cannot_be_taken_out_is_counted_once(path, monkeypatch, caplog):
    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    opened(path).add({ONE: 1.0, TWO: 2.0})
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE rewards SET reward = 3.0 WHERE reward = 1")
    connection.close()
    monkeypatch.setattr(ScoreStore, "_delete_damaged", full)
    store = opened(path)
    assert store.find([ONE, TWO]) == store.find([ONE, TWO]) == {TWO: 2.0}
    assert store.damaged == 1
    assert caplog.text.count("1 rows are damaged") == 1


def test_zeros_and_whole_numbers_are_sound(path):
    rewards = {ONE: -0.0, TWO: 3.0, OTHER: 5e-324}
    opened(path).add(rewards)
    store = opened(path)
    assert store.find(list(rewards)) == rewards
    assert store.damaged == 0


def flips(content, number):
    drawn = random.Random(number)
    for _ in range(number):
        place, bit = drawn.randrange(len(content)), drawn.randrange(8)
        yield place, content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]


@pytest.mark.parametrize(
    "number", [250, pytest.param(4000, marks=[pytest.mark.slow, pytest.mark.campaign])]
)
def test_one_flipped_bit_anywhere_gives_the_right_rewards_or_an_error(tmp_path, number):
    rewards = {identity((i, i + 1)): (i - 20) / 7 for i in range(40)}
    made = opened(tmp_path / "made")
    opened(tmp_path / "made", "b").add({text: -reward for text, reward in rewards.items()})
    made.add(rewards)
    for text in [*rewards][:8]:
        made.add_details({text: f"critique of {text!r}"})
    made.close()
    content = (tmp_path / "made").read_bytes()
    found_less = errors = 0
    for which, (place, damaged) in enumerate(flips(content, number)):
        folder = tmp_path / str(which)
        folder.mkdir()
        path = folder / "scores.sqlite"
        path.write_bytes(damaged)
        try:
            store = opened(path)
            found = store.find(list(rewards))
            critiques = store.find_details(list(rewards))
            assert found.items() <= rewards.items(), place
            assert all(said == f"critique of {text!r}" for text, said in critiques.items()), place
            found_less += len(found) < len(rewards)
            store.add({text: rewards[text] for text in rewards.keys() - found.keys()})
            assert store.find(list(rewards)) == rewards, place
            store.close()
        except ScoreStoreError:
            errors += 1
        shutil.rmtree(folder)
    assert found_less > number / 20
    assert errors < number / 10


def test_a_damaged_name_that_is_no_text_is_damage(path):
    store = opened(path)
    store.add({ONE: 1.0})
    store.close()
    content = path.read_bytes()
    path.write_bytes(content.replace(b"(judge, text)", b"(judge, t\xe5xt)"))
    assert opened(path).find([ONE]) == {}
    assert path.with_name(path.name + ".damaged-1").exists()


class Refusing:
    """A connection that fails at what it is told to fail at."""

    def __init__(self, connection, statement, error, times):
        self._connection, self._statement = connection, statement
        self._error, self._left = error, times

    def __getattr__(self, name):
        return getattr(self._connection, name)

    def execute(self, statement, *given):
        if statement.startswith(self._statement) and self._left:
            self._left -= 1
            raise self._error
        return self._connection.execute(statement, *given)


FULL = sqlite3.OperationalError("database or disk is full")
MALFORMED = sqlite3.DatabaseError("database disk image is malformed")


@pytest.mark.parametrize("statement", ["BEGIN", "COMMIT"])
def test_a_disk_that_is_full_for_a_while_loses_no_reward(
    path, checkpoint, monkeypatch, caplog, statement
):
    judge = UltraRMJudge(str(checkpoint), score_store=str(path), batch_size=2)
    store = judge._opened_store()
    monkeypatch.setattr(store, "_connection", Refusing(store._connection, statement, FULL, 3))
    with caplog.at_level("INFO"):
        rewards = judge.score(PROMPTS, ANSWERS)
    assert rewards == pytest.approx(UltraRMJudge(str(checkpoint)).score(PROMPTS, ANSWERS), abs=5e-5)
    assert caplog.text.count("database or disk is full") == 1
    assert "can be written again" in caplog.text
    again = UltraRMJudge(str(checkpoint), score_store=str(path))
    assert again.score(PROMPTS, ANSWERS) == rewards
    assert again.settings()["counts"]["from_store"] == 12


def test_a_disk_that_stays_full_ends_with_the_rewards_and_a_count(
    path, checkpoint, monkeypatch, caplog
):
    judge = UltraRMJudge(str(checkpoint), score_store=str(path), batch_size=2)
    store = judge._opened_store()
    monkeypatch.setattr(store, "_connection", Refusing(store._connection, "COMMIT", FULL, 99))
    assert len(judge.score(PROMPTS, ANSWERS)) == 12
    assert judge.settings()["counts"]["store_rows_not_written"] == 12
    assert "12 rewards of this run could not be stored" in caplog.text


@pytest.mark.parametrize("statement", ["SELECT", "BEGIN", "COMMIT"])
def test_damage_that_shows_while_a_store_is_open_ends_no_run(
    path, checkpoint, monkeypatch, caplog, statement
):
    judge = UltraRMJudge(str(checkpoint), score_store=str(path), batch_size=2)
    store = judge._opened_store()
    monkeypatch.setattr(store, "_connection", Refusing(store._connection, statement, MALFORMED, 1))
    assert len(judge.score(PROMPTS, ANSWERS)) == 12
    assert "is damaged (database disk image is malformed)" in caplog.text
    assert path.with_name(path.name + ".damaged-1").exists()
    again = UltraRMJudge(str(checkpoint), score_store=str(path))
    again.score(PROMPTS, ANSWERS)
    assert again.settings()["counts"]["from_store"] == 12


def test_a_locked_store_is_waited_for_and_then_done_without(path, monkeypatch):
    store = opened(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store._wait_at_most(0.01)
    with pytest.raises(ScoreStoreError, match="database is locked"):
        store.add({ONE: 1.0})
    other.execute("ROLLBACK")
    other.close()
    store.add({ONE: 1.0})
    assert opened(path).find([ONE]) == {ONE: 1.0}


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


def test_finite_rewards_of_a_batch_are_kept_when_one_is_not(checkpoint, path, monkeypatch):
    from ultrarm_eval.engine import torch_engine
    from ultrarm_eval.errors import ScoringError

    real = torch_engine._score_batch
    monkeypatch.setattr(
        torch_engine, "_score_batch", lambda *given: [float("nan"), *real(*given)[1:]]
    )
    judge = UltraRMJudge(str(checkpoint), score_store=str(path))
    with pytest.raises(ScoringError):
        judge.score(PROMPTS, ANSWERS)
    monkeypatch.undo()
    again = UltraRMJudge(str(checkpoint), score_store=str(path))
    again.score(PROMPTS, ANSWERS)
    assert again.settings()["counts"]["from_store"] == 11


def test_a_second_run_computes_nothing_and_loads_no_weights(checkpoint, path):
    first = UltraRMJudge(str(checkpoint), score_store=str(path))
    expected = first.score(PROMPTS, ANSWERS)
    second = UltraRMJudge(str(checkpoint), score_store=str(path))
    assert second.score(PROMPTS, ANSWERS) == expected
    assert second.network.runner is None
    assert second.settings()["counts"]["from_store"] == 12


def test_only_what_is_missing_is_computed(checkpoint, path):
    half = UltraRMJudge(str(checkpoint), score_store=str(path))
    half.score(PROMPTS[:5], ANSWERS[:5])
    whole = UltraRMJudge(str(checkpoint), score_store=str(path))
    plain = UltraRMJudge(str(checkpoint)).score(PROMPTS, ANSWERS)
    assert whole.score(PROMPTS, ANSWERS) == pytest.approx(plain, abs=5e-5)
    assert whole.settings()["counts"]["from_store"] == 5


@pytest.mark.parametrize("other", [{"template": "raw"}, {"max_length": 100}, {"dtype": "bfloat16"}])
def test_other_settings_read_nothing(checkpoint, path, other):
    UltraRMJudge(str(checkpoint), score_store=str(path)).score(PROMPTS, ANSWERS)
    judge = UltraRMJudge(str(checkpoint), score_store=str(path), **other)
    judge.score(PROMPTS, ANSWERS)
    assert judge.settings()["counts"]["from_store"] == 0


KILLED = """
import json, os, signal, sys
from ultrarm_eval.judges.ultrarm import UltraRMJudge
checkpoint, store, out, stop = sys.argv[1:]
judge = UltraRMJudge(checkpoint, score_store=store, batch_size=2)
prompts, answers = json.load(sys.stdin)
got = {}
for index, reward in judge.score_stream(prompts, answers):
    got[index] = reward
    if len(got) == int(stop):
        os.kill(os.getpid(), signal.SIGKILL)
open(out, "w").write(json.dumps([judge.settings()["counts"], sorted(got.items())]))
"""


def run(checkpoint, path, out, *, stop):
    return subprocess.Popen(
        [sys.executable, "-c", KILLED, str(checkpoint), str(path), str(out), str(stop)],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_a_killed_run_loses_the_batch_in_flight_at_most(checkpoint, path, tmp_path):
    texts, out = json.dumps([PROMPTS, ANSWERS]), tmp_path / "out.json"
    killed = run(checkpoint, path, out, stop=7)
    killed.communicate(texts)
    assert killed.returncode == -9
    assert not out.exists()
    again = run(checkpoint, path, out, stop=-1)
    _, errors = again.communicate(texts)
    assert again.returncode == 0, errors
    counts, rewards = json.loads(out.read_text())
    # Three batches of two were handed out, and the fourth was stored before it was.
    assert counts["from_store"] == 8
    plain = UltraRMJudge(str(checkpoint)).score(PROMPTS, ANSWERS)
    assert [reward for _, reward in rewards] == pytest.approx(plain, abs=5e-5)


@pytest.mark.slow
def test_several_processes_share_a_file(checkpoint, path, tmp_path):
    parts = [(PROMPTS[i::3] * 5, ANSWERS[i::3] * 5) for i in range(3)]
    running = [run(checkpoint, path, tmp_path / f"{i}.json", stop=-1) for i in range(len(parts))]
    for process, part in zip(running, parts, strict=True):
        process.stdin.write(json.dumps(part))
        process.stdin.close()
    for process in running:
        assert process.wait(timeout=300) == 0, process.stderr.read()
        process.stderr.close()
    judge = UltraRMJudge(str(checkpoint), score_store=str(path))
    judge.score(PROMPTS, ANSWERS)
    assert judge.settings()["counts"]["from_store"] == 12


ADDING = """
import sys
from pathlib import Path
from ultrarm_eval.engine.score_store import ScoreStore
from ultrarm_eval.text_format.tokens import Tokens
path, life, size = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
store = ScoreStore(path, "a", {"template": "raw"})
for batch in range(10**9):
    store.add({Tokens.of((life, batch, text)).identity: batch + text / 8 for text in range(size)})
    print(batch, flush=True)
"""


@pytest.mark.slow
def test_a_store_killed_at_any_moment_holds_what_was_added_before(path):
    size, moments = 40, random.Random(0)
    for life in range(10):
        child = subprocess.Popen(
            [sys.executable, "-c", ADDING, str(path), str(life), str(size)],
            stdout=subprocess.PIPE,
            text=True,
        )
        first = child.stdout.readline()
        time.sleep(moments.uniform(0, 0.3))
        child.kill()
        rest, _ = child.communicate()
        assert child.returncode == -9
        added = (first + rest).count("\n")
        assert added > 0
        found = opened(path).find(
            [identity((life, i, j)) for i in range(added + 2) for j in range(size)]
        )
        whole = {
            identity((life, i, j)): i + j / 8
            for i in range(len(found) // size)
            for j in range(size)
        }
        assert found == whole
        # The batch whose end was not told may be there, but no later one.
        assert len(found) // size in {added, added + 1}
    assert not list(path.parent.glob("*damaged*"))
