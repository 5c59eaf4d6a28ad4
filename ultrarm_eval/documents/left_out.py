"""What the reading of data leaves out, in words: for warnings and for whoever looks at a row."""

from __future__ import annotations

import re
from collections.abc import Collection

from ultrarm_eval.data.records import DataCounts

_NAME = re.compile(r"(?P<what>rows|prompts|pairs|completions)_left_out_(?P<reason>\w+)")
#: Pairs of a prompt that do not count while others of it may: rules of the comparison, no faults.
BY_RULE = frozenset({"pairs_left_out_equal_ratings", "pairs_left_out_below_min_gap"})
_WORDS = {
    "rows_left_out_without_pairs": (
        "no pair counts, because ratings are equal, missing or less than min_gap apart"
    ),
    "rows_left_out_completions_no_list": "'completions' is no list",
    "rows_left_out_without_completions": "no completion is a text",
    "pairs_left_out_not_text": "the chosen or the rejected answer is no text",
    "completions_left_out_not_text": "the response is no text",
    "completions_left_out_false_ten": "the overall score of 10 means 1 (a false ten)",
    "prompts_left_out_without_reference": "there is no such reference answer",
    "ends_with_answer": "the conversation ends with the assistant's turn",
    "prompt_not_text": "the prompt is no text and no messages",
    "contradictory_prompt": "the prompt contradicts the rest of the conversation",
    "system_not_text": "the system turn is no text and no system message",
    "history_not_text": "the earlier turns are no messages and no pairs of user and assistant",
    "with_tools": "the model was shown tools, which a judge of texts does not read",
    "with_media": "the model was shown images or the like, which a judge of texts does not read",
    "score_no_number": "a score is missing or no number",
    "equal_scores": "both answers have the same score",
    "equal_ratings": "equal ratings",
    "below_min_gap": "ratings less than min_gap apart",
    "identical_answers": "both answers are the same text",
    "chosen_scored_lower": "the chosen answer has the lower score",
    "different_conversations": "chosen and rejected continue different conversations",
}


def is_left_out(name: str) -> bool:
    """Whether a count is of something that was left out."""
    return _NAME.fullmatch(name) is not None


def reason_in_words(name: str) -> str:
    """Why something was left out, by the name of its count or by the reason at its end."""
    match = _NAME.fullmatch(name)
    reason = match["reason"] if match else name
    return _WORDS.get(name) or _WORDS.get(reason) or reason.replace("_", " ")


def left_out_remarks(counts: DataCounts, told: Collection[str] = ()) -> list[str]:
    """What has to be said about rows, pairs and completions that were left out.

    A pair that does not count beside others of its prompt, by the rules of the comparison, is
    nothing to warn of; a prompt without any pair is.

    Args:
        counts: What was counted.
        told: Names of counts that something else is said about.
    """
    remarks = []
    for name, count in counts.as_dict().items():
        match = _NAME.fullmatch(name)
        if match is None or name in BY_RULE or name in told:
            continue
        what = match["what"][:-1] if count == 1 else match["what"]
        first = f"; the first: {counts.first[name]}" if name in counts.first else ""
        why = f": {counts.why[name].rstrip('.')}" if name in counts.why else ""
        said = f"{count:,} {what} left out ({name}): {reason_in_words(name)}"
        remarks.append(f"{said}{first}{why}.")
    return remarks
