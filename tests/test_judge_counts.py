"""What a judge counts, in words: the same in reports and log lines."""

from __future__ import annotations

from ultrarm_eval.engine import counts
from ultrarm_eval.judge_counts import COMPUTED_TOKENS, LABELS, judge_counts_in_words


def test_a_line_has_what_was_counted_in_the_declared_order():
    given = {"computed_tokens": 582, "spelled_special": 3, "texts": 1200, "truncated": 0}
    assert judge_counts_in_words(given) == (
        "1,200 texts requested, 3 texts that contain special-token text, 582 tokens computed"
    )


def test_one_is_singular():
    assert judge_counts_in_words({"texts": 1, "unreadable": 1, "one_step": 1}) == (
        "1 text requested, 1 answer with a single step, "
        "1 critique without a readable score (abstentions)"
    )


def test_a_count_of_a_plugins_judge_has_its_name():
    assert judge_counts_in_words({"words_seen": 2, "note": "x"}) == "2 words seen"


def test_every_count_of_a_judge_has_a_label():
    of_texts = counts.TextCounts(max_length=8)
    of_texts.add_stored(1)
    of_texts.note_damaged(1)
    of_texts.add_not_stored(1)
    of_texts.add_unreadable(1)
    counted = of_texts.as_dict()
    assert COMPUTED_TOKENS in counted
    assert {*counted, *counts._WARNINGS} <= LABELS.keys()
