"""What a judge counts of its texts, in words: for reports and for log lines."""

from __future__ import annotations

import re
from collections.abc import Mapping

COMPUTED_TOKENS = "computed_tokens"
#: The counts by the names that they have in results (`config.judge_counts`), in order.
LABELS: Mapping[str, str] = {
    "texts": "texts requested",
    "distinct_texts": "distinct texts",
    "from_store": "texts from the score store",
    "store_rows_damaged": "damaged rows of the score store",
    "store_rows_not_written": "rewards not written to the score store",
    "truncated": "texts truncated to max_length",
    "cut_by_template": "answers shortened or changed by the template",
    "trimmed_by_template": "answers stripped of leading or trailing whitespace by the template",
    "turns_left_out": "texts with turns dropped by the template",
    "system_dropped": "texts with the system turn dropped (system=drop)",
    "system_folded": "texts with the system turn merged into the user turn (system=fold)",
    "spelled_special": "texts that contain special-token text",
    "special_hidden_from_template": "texts with special-token text that the template would act on",
    "special_read_by_template": "texts with a special token that the template searches for",
    "spelled_added": "texts that contain the text of another added token",
    "steps_cut": "texts with truncated steps",
    "one_step": "answers with a single step",
    "spelled_step_end": "texts that contain the step separator",
    "unreadable": "critiques without a readable score (abstentions)",
    COMPUTED_TOKENS: "tokens computed",
}
_NOUN = re.compile(r"\b(text|answer|row|reward|critique|token)s\b")


def judge_counts_in_words(counts: Mapping[str, object]) -> str:
    """A judge's counts in one line, without those that are zero.

    Args:
        counts: The counts, by the names that they have in results.
    """
    return ", ".join(
        f"{number:,} {_singular(label) if number == 1 else label}"
        for name, label in _all_labels(counts).items()
        if isinstance(number := counts.get(name), int | float) and number
    )


def _singular(label: str) -> str:
    return _NOUN.sub(r"\1", label, count=1)


def _all_labels(counts: Mapping[str, object]) -> dict[str, str]:
    # A plugin's judge may count more.
    return {**LABELS, **{name: name.replace("_", " ") for name in counts if name not in LABELS}}
