"""A judge's counts of its texts in words, as in the log lines of commands."""

from __future__ import annotations

from collections.abc import Mapping

_WORDS = {
    "texts": "texts",
    "distinct_texts": "distinct",
    "from_store": "from the score store",
    "store_rows_damaged": "damaged rows in the score store",
    "computed_tokens": "tokens computed",
    "truncated": "truncated to max_length",
    "cut_by_template": "with an answer that the template changes",
    "trimmed_by_template": "with an answer that the template strips",
    "turns_left_out": "without the turns that the template skips",
    "system_dropped": "without their system turn",
    "system_folded": "with the system turn folded into the user's",
    "spelled_special": "with special-token text",
    "special_hidden_from_template": "with special-token text that the template does not see",
    "special_read_by_template": "with a special token that the template looks for",
    "spelled_added": "with added-token text",
    "steps_cut": "with truncated steps",
    "one_step": "with a single step",
    "spelled_step_end": "with the text of a step's end",
    "unreadable": "critiques without a readable score",
}


def judge_counts_in_words(counts: Mapping[str, object]) -> str:
    """A judge's counts in one line, without those that are zero.

    Args:
        counts: The counts, by the names that they have in results.
    """
    return ", ".join(
        f"{number:,} {_WORDS.get(name, name.replace('_', ' '))}"
        for name, number in counts.items()
        if isinstance(number, int | float) and number
    )
