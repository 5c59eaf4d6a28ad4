"""Texts from data on a terminal."""

import pytest

from ultrarm_eval.terminal import fitted, printable, shortened, width


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a b", "a␣b"),
        ("\n\t", "⏎⇥"),
        ("\x1b[31m\r\x00", "\\x1b[31m\\r\\x00"),
        ("\u202eabc\u2066", "\\u202eabc\\u2066"),
        ("\u200b\ufeff\u2028", "\\u200b\\ufeff\\u2028"),
        ("\xa0", "\\xa0"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("\u0301", "\u25cc\u0301"),
        ("e\u0301 你", "e\u0301␣你"),
        ("", ""),
    ],
)
def test_every_character_can_be_seen(text, shown):
    assert printable(text, show_spaces=True) == shown


def test_spaces_stay_where_nothing_hangs_on_them():
    assert printable("a b") == "a b"


@pytest.mark.parametrize(
    ("text", "cells", "expected"),
    [
        ("abc", 5, "abc  "),
        ("abcdef", 4, "abc…"),
        ("你好吗", 4, "你… "),
        ("你好", 4, "你好"),
        ("שלום", 6, "שלום\u200e  "),
    ],
)
def test_a_text_fills_its_column(text, cells, expected):
    assert fitted(text, cells) == expected
    assert width(expected.replace("\u200e", "")) == cells


def test_a_long_text_is_cut():
    assert shortened("x" * 10, 4) == "xxx…"
    assert shortened("xxxx", 4) == "xxxx"
