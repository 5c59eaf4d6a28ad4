"""Rows that were changed: their rewards are not served, and computed anew."""

import random
import shutil
import sqlite3

import pytest

from tests.engine.score_store.stored import (
    ANSWERS,
    ONE,
    OTHER,
    PROMPTS,
    TEXTS,
    TWO,
    identity,
    opened,
)
from ultrarm_eval.engine.score_store import ScoreStore
from ultrarm_eval.errors import ScoreStoreError
from ultrarm_eval.judges.ultrarm import UltraRMJudge

BAD_VALUES = ["'abc'", "x'00ff'", "9e999", "-9e999", "-reward", "reward + 1e-9", "3", "CAST(x'ff' AS TEXT)"]  # fmt: skip


@pytest.mark.few(2)
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


@pytest.mark.slow
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
