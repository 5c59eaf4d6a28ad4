"""`--use_cache`: what is damaged in the harness's cache is computed anew."""

import pickle
import random
import sqlite3

import pytest
from lm_eval.api.model import CachingLM

from tests.harness_lines import request_for
from ultrarm_eval.errors import ResponseCacheError
from ultrarm_eval.lm_eval_plugin.harness_values import Reward
from ultrarm_eval.lm_eval_plugin.response_cache import _checksum, refuse_rewards

TEXTS = [f"answer {number}" for number in range(12)]
REWARDS = [(number - 5) / 7 for number in range(12)]


def reward_of(_, completion):
    return REWARDS[TEXTS.index(completion)]


@pytest.fixture
def asked(model_of):
    """Asks a judge through a cache; gives its rewards, the texts it computed, and its counts."""

    def ask(path, reward=reward_of):
        model = model_of(reward)
        cached = CachingLM(model, str(path))
        requests = [request_for(("question", " " + text)) for text in TEXTS]
        answers = cached.loglikelihood(requests)
        counts = model.get_model_info()["judge_counts"]
        computed = list(model.judge.calls)
        cached.dbdict.close()
        return answers, computed, counts

    return ask


def changed(path, statement, *values):
    other = sqlite3.connect(path)
    other.execute(statement, values)
    other.commit()
    other.close()


def row(path, key):
    other = sqlite3.connect(path)
    (value,) = other.execute("SELECT value FROM unnamed WHERE key = ?", (key,)).fetchone()
    other.close()
    return value


def keys(path):
    other = sqlite3.connect(path)
    found = [key for (key,) in other.execute("SELECT key FROM unnamed ORDER BY rowid")]
    other.close()
    return [key for key in found if not key.startswith("ultrarm_eval")]


def test_what_is_cached_is_not_computed_again(asked, tmp_path):
    first, computed, _ = asked(tmp_path / "cache")
    assert [answer.reward for answer in first] == REWARDS
    assert computed == TEXTS
    again, computed, counts = asked(tmp_path / "cache")
    assert (again, computed) == (first, [])
    assert all(isinstance(answer, Reward) for answer in again)
    assert "cache_rows_damaged" not in counts


def sign_flipped(value, _):
    place = len(value) - 8
    while value[place : place + 8] != b"G" + value[place + 1 : place + 8]:
        place -= 1
    return value[: place + 1] + bytes([value[place + 1] ^ 0x80]) + value[place + 2 :]


NO_TEXT = b"\xff\xfe"
DAMAGES = {
    "a flipped sign": sign_flipped,
    "another request's": lambda _, other: other,
    "cut": lambda value, _: value[:20],
    "empty": lambda *_: b"",
    "text": lambda *_: "abc",
    "a number": lambda *_: 1.5,
    # The harness's own cache would wait for ever for it.
    "a text that is none": lambda *_: NO_TEXT,
    "as an earlier version wrote it": lambda *_: pickle.dumps(Reward(9.0)),
    "a likelihood": lambda *_: pickle.dumps((-3.0, True)),
}


@pytest.mark.few(3)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_response_is_computed_anew_and_counted(asked, tmp_path, caplog, damage):
    path = tmp_path / "cache"
    expected, _, _ = asked(path)
    hurt, other = keys(path)[3:5]
    value = DAMAGES[damage](row(path, hurt), row(path, other))
    kind = "TEXT" if value is NO_TEXT else "BLOB"
    written = f"CAST(? AS {kind})" if isinstance(value, bytes) else "?"
    changed(path, f"UPDATE unnamed SET value = {written} WHERE key = ?", value, hurt)
    answers, computed, counts = asked(path)
    assert (answers, computed, counts["cache_rows_damaged"]) == (expected, [TEXTS[3]], 1)
    assert f"{path}: 1 responses are damaged" in caplog.text
    assert asked(path)[:2] == (expected, [])


def test_a_damaged_file_is_named(asked, tmp_path):
    path = tmp_path / "cache"
    asked(path)
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    with pytest.raises(ResponseCacheError, match=r"cache: this response cache is damaged"):
        asked(path)


def test_a_damaged_fingerprint_is_named(asked, tmp_path):
    path = tmp_path / "cache"
    asked(path)
    changed(path, "UPDATE unnamed SET value = x'00' WHERE key LIKE 'ultrarm%'")
    with pytest.raises(ResponseCacheError, match="damaged .the judge's fingerprint in it"):
        asked(path)


def test_a_language_model_cannot_read_rewards_even_where_their_mark_is_gone(asked, tmp_path):
    from sqlitedict import SqliteDict

    path = tmp_path / "cache"
    asked(path)
    changed(path, "DELETE FROM unnamed WHERE key LIKE 'ultrarm%'")
    with SqliteDict(str(path)) as cache:
        refuse_rewards(cache)
        with pytest.raises(pickle.UnpicklingError):
            cache[keys(path)[0]]


@pytest.mark.slow
@pytest.mark.parametrize(
    "number", [100, pytest.param(2000, marks=[pytest.mark.slow, pytest.mark.campaign])]
)
def test_one_flipped_bit_in_a_value_or_key_gives_the_right_rewards(asked, tmp_path, number):
    path = tmp_path / "cache"
    expected, _, _ = asked(path)
    content = path.read_bytes()
    drawn = random.Random(0)
    # Beyond the header and the list of tables: those the harness opens before it asks us.
    for which in range(number):
        place, bit = drawn.randrange(4096, len(content)), drawn.randrange(8)
        hurt = tmp_path / f"hurt-{which}"
        hurt.write_bytes(
            content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]
        )
        try:
            answers, _, _ = asked(hurt)
        except ResponseCacheError:
            continue
        assert answers == expected, place
        hurt.unlink()


def test_what_a_version_with_other_modules_wrote_is_read(asked, tmp_path):
    path = tmp_path / "cache"
    expected, _, _ = asked(path)
    now = b"ultrarm_eval.lm_eval_plugin.harness_values"
    for key in keys(path):
        value = row(path, key)
        # The length of a module's name stands before it.
        old = b"ultrarm_eval.harness.reward"
        written = value[16:].replace(bytes([len(now)]) + now, bytes([len(old)]) + old)
        assert old in written
        # A frame's length is not looked at where it is left out.
        written = pickle.PROTO + bytes([4]) + written[11:]
        checksum = _checksum("fixed reward_of", key, written)
        changed(path, "UPDATE unnamed SET value = ? WHERE key = ?", checksum + written, key)
    assert asked(path)[:2] == (expected, [])
