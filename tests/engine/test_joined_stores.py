"""Several score stores as one."""

import random
import sqlite3

import pytest

from ultrarm_eval.cli.main import main
from ultrarm_eval.engine.joined_stores import join_stores
from ultrarm_eval.engine.score_store import ScoreStore
from ultrarm_eval.errors import ScoreStoreError
from ultrarm_eval.text_format.tokens import Tokens


def text(number):
    return Tokens.of((number, 7)).identity


def store(path, rewards, fingerprint="a", details=()):
    opened = ScoreStore(path, fingerprint, {"template": "raw"})
    opened.add({text(n): reward for n, reward in rewards.items()})
    opened.add_details({text(n): said for n, said in dict(details).items()})
    opened.close()
    return path


def rewards_in(path, numbers, fingerprint="a"):
    found = ScoreStore(path, fingerprint, {}).find([text(n) for n in numbers])
    return {n: found[text(n)] for n in numbers if text(n) in found}


@pytest.fixture
def two(tmp_path):
    first = store(tmp_path / "1.sqlite", {1: 0.1, 2: -1e-30, 3: 3.5}, details={1: "good", 2: "bad"})
    second = store(tmp_path / "2.sqlite", {3: 3.5, 4: 0.0}, details={4: "fair"})
    return first, second


def test_rows_and_details_of_all_stores_are_in_one(two, tmp_path):
    before = [path.read_bytes() for path in two]
    joined = join_stores(two, tmp_path / "m.sqlite")
    assert [(one.rows, one.added, one.damaged) for one in joined] == [(5, 5, 0), (3, 2, 0)]
    assert rewards_in(tmp_path / "m.sqlite", range(9)) == {1: 0.1, 2: -1e-30, 3: 3.5, 4: 0.0}
    details = ScoreStore(tmp_path / "m.sqlite", "a", {}).find_details([text(n) for n in range(9)])
    assert details == {text(1): "good", text(2): "bad", text(4): "fair"}
    assert [path.read_bytes() for path in two] == before


def test_joining_again_changes_nothing_and_keeps_what_is_there(two, tmp_path):
    store(tmp_path / "m.sqlite", {8: 8.0})
    join_stores(two, tmp_path / "m.sqlite")
    again = join_stores(two, tmp_path / "m.sqlite")
    assert [one.added for one in again] == [0, 0]
    assert rewards_in(tmp_path / "m.sqlite", range(9)) == {
        1: 0.1,
        2: -1e-30,
        3: 3.5,
        4: 0.0,
        8: 8.0,
    }


def test_another_reward_for_one_text_is_refused_and_nothing_written(two, tmp_path):
    other = store(tmp_path / "3.sqlite", {5: 5.0, 1: 0.1000001})
    target = store(tmp_path / "m.sqlite", {8: 8.0})
    with pytest.raises(ScoreStoreError, match=r"3\.sqlite: one text has the rewards 0\.1 and 0\.1"):
        join_stores([*two, other], target)
    assert rewards_in(target, range(9)) == {8: 8.0}


def test_rounding_is_allowed_if_it_is_named(two, tmp_path):
    other = store(tmp_path / "3.sqlite", {5: 5.0, 1: 0.1000001})
    joined = join_stores([*two, other], tmp_path / "m.sqlite", rounding=1e-6)
    assert (joined[2].added, joined[2].rounded) == (1, 1)
    # The first store's reward counts.
    assert rewards_in(tmp_path / "m.sqlite", [1, 5]) == {1: 0.1, 5: 5.0}


def test_stores_of_different_judges_are_refused_unless_they_are_wanted(two, tmp_path):
    other = store(tmp_path / "3.sqlite", {1: 9.0}, "b")
    with pytest.raises(ScoreStoreError, match=r"2 different judges .*3\.sqlite"):
        join_stores([*two, other], tmp_path / "m.sqlite")
    with pytest.raises(ScoreStoreError, match="2 different judges"):
        join_stores([other], two[0])
    join_stores([*two, other], tmp_path / "m.sqlite", several_judges=True)
    assert rewards_in(tmp_path / "m.sqlite", [1, 4], "a") == {1: 0.1, 4: 0.0}
    assert rewards_in(tmp_path / "m.sqlite", [1, 4], "b") == {1: 9.0}


@pytest.mark.parametrize("change", ["reward = reward + 1", "checksum = x'00'", "reward = 'x'"])
def test_damaged_rows_are_left_out_and_counted(two, tmp_path, change):
    connection = sqlite3.connect(two[1])
    connection.execute(f"UPDATE rewards SET {change} WHERE reward = 0.0")
    connection.commit()
    connection.close()
    joined = join_stores(two, tmp_path / "m.sqlite")
    assert [one.damaged for one in joined] == [0, 1]
    assert rewards_in(tmp_path / "m.sqlite", range(9)) == {1: 0.1, 2: -1e-30, 3: 3.5}


def test_a_damaged_row_of_the_result_gives_way_to_a_whole_one(two, tmp_path):
    target = store(tmp_path / "m.sqlite", {1: 7.0})
    connection = sqlite3.connect(target)
    connection.execute("UPDATE rewards SET reward = 8.0")
    connection.commit()
    connection.close()
    join_stores(two, target)
    assert rewards_in(target, [1]) == {1: 0.1}


def test_a_store_that_is_damaged_as_a_whole_is_named(two, tmp_path):
    content = two[1].read_bytes()
    two[1].write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    with pytest.raises(ScoreStoreError, match=r"2\.sqlite: the store is damaged"):
        join_stores(two, tmp_path / "m.sqlite")
    assert rewards_in(tmp_path / "m.sqlite", range(9)) == {}


@pytest.mark.parametrize("given", ["none.sqlite", "other.txt", "empty.sqlite"])
def test_what_is_no_store_is_refused(two, tmp_path, given):
    (tmp_path / "other.txt").write_text("notes")
    (tmp_path / "empty.sqlite").touch()
    with pytest.raises(ScoreStoreError, match=given.replace(".", r"\.")):
        join_stores([two[0], tmp_path / given], tmp_path / "m.sqlite")
    assert not (tmp_path / "none.sqlite").exists()


def test_the_result_among_the_stores_is_refused(two):
    with pytest.raises(ScoreStoreError, match="Give every store once"):
        join_stores(two, two[0])


def test_any_partition_of_rewards_comes_together(tmp_path):
    chance = random.Random(3)
    rewards = {n: chance.uniform(-9, 9) for n in range(4_000)}
    parts = [{} for _ in range(4)]
    for number, reward in rewards.items():
        for part in chance.sample(parts, chance.randint(1, 2)):
            part[number] = reward
    paths = [store(tmp_path / f"{k}.sqlite", part) for k, part in enumerate(parts)]
    joined = join_stores(paths, tmp_path / "m.sqlite")
    assert sum(one.added for one in joined) == len(rewards)
    assert sum(one.rows for one in joined) == sum(map(len, parts))
    assert rewards_in(tmp_path / "m.sqlite", range(4_000)) == rewards


def test_the_command_says_what_was_joined(two, tmp_path, capsys):
    target = str(tmp_path / "m.sqlite")
    assert main(["merge-stores", *map(str, two), "-o", target]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("1.sqlite: 5 rows, 5 new")
    assert lines[1].endswith("2.sqlite: 3 rows, 2 new")
    assert lines[2] == f"{target}: 7 rows added"
    assert main(["merge-stores", *map(str, two), "-o", target, "--rounding", "nan"]) == 2
