"""The table of rewards after tokens, line by line."""

import re
import unicodedata

from ultrarm_eval.cli.token_table import token_table
from ultrarm_eval.engine.token_rewards import TokenRewards


def table_of(rewards, *, tokens=None, start=1):
    names = tokens or [f"t{i}" for i in range(len(rewards))]
    found = TokenRewards(tuple(names), (*range(len(rewards)),), tuple(rewards), start, False)
    return token_table(found).splitlines()


def cells(text):
    """Written out again: wide characters take two cells, marks none."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)


def test_a_known_table():
    lines = table_of((1.0, 2.0, 1.5, 1.5), tokens=["<s>", " a", "\n", "😀"], start=2)
    assert lines == [
        "#  token  reward   change",
        "1  <s>    1.0000                     │",
        "2  ␣a     2.0000  +1.0000            │█████████▸",
        "── completion ──────────────────────────────────",
        "3  ⏎      1.5000  -0.5000  ██████████│",
        "4  😀     1.5000  +0.0000            │",
        "█ is a change of 0.05; ◂ and ▸ mark bars that are cut off.",
        "reward 1.500000",
    ]


def test_up_is_right_of_the_axis_and_down_is_left_in_half_blocks():
    lines = table_of((0.0, 1.0, 0.75, 0.8, 0.8))
    up, down, little = lines[3:6]
    assert up.endswith("+1.0000            │██████████")
    assert down.endswith("-0.2500         ▐██│")
    assert little.endswith("+0.0500            │▌")


def test_the_completions_own_scale_holds_unless_it_is_flat():
    # A change before it that is twice as large is cut; without any change it sets the scale.
    assert table_of((0.0, 2.0, 1.0), start=2)[2].endswith("│█████████▸")
    assert table_of((0.0, -2.0, -1.0), start=2)[2].endswith("  ◂█████████│")
    flat = table_of((0.0, 4.0, 4.0), start=2)
    assert "█ is a change of 0.1;" in flat[-2]


def test_a_change_too_small_to_see_has_no_sign_of_its_own():
    assert table_of((1.0, 1.0 - 1e-6, 2.0))[3].endswith("+0.0000            │")


def test_columns_stand_below_each_other():
    tokens = ["<s>", "你好", "e\u0301", "\u0301", "שלום", "", "a" * 50, "\x1b", "😀"]
    lines = table_of([-100.5, *range(8)], tokens=tokens)
    places = set()
    for line in (line for line in lines if "│" in line):
        before = line.partition("│")[0].replace("\u200e", "")
        reward = re.search(r"-?\d+\.\d{4}  ", before)
        places.add(cells(before[: reward.end()]))
    assert len(places) == 1
    assert "a" * 23 + "…" in "\n".join(lines)
    assert "⋯ is part of a character that a later token completes." in lines[-2]


def test_tokens_without_a_reward():
    lines = table_of((None, None, -1.5), start=2)
    assert [line.rstrip() for line in lines] == [
        "#  token   reward  change",
        "1  t0           -                    │",
        "2  t1           -                    │",
        "── completion ──────────────────────────────────",
        "3  t2     -1.5000                    │",
        "reward -1.500000",
    ]


def test_a_completion_without_a_token_is_marked_at_the_end():
    lines = table_of((0.5, 0.25), start=2)
    assert lines[3].startswith("── completion (empty) ──")
    assert table_of((0.5, 0.25), start=0)[1].startswith("── completion ──")
