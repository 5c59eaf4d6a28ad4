"""A disk that is full, a file that is locked, damage that shows while a store is open."""

import sqlite3

import pytest

from tests.engine.score_store.stored import ANSWERS, ONE, PROMPTS, opened
from ultrarm_eval.errors import ScoreStoreError
from ultrarm_eval.judges.ultrarm import UltraRMJudge


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


@pytest.mark.few(1)
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


@pytest.mark.few(1)
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
