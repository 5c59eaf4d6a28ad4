"""Counts of what is used of the data and what is excluded, and the reasons in words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from ultrarm_eval.data.rows import Location

_NAME = re.compile(
    # Some reasons end with a value of the data, which may have any characters.
    r"(?P<what>rows|prompts|pairs|completions)_left_out_(?P<reason>.*)",
    re.DOTALL,
)
# The nouns of counts; a document is a prompt with its answers.
_NOUNS = {
    "rows": "row",
    "documents": "prompt",
    "prompts": "prompt",
    "completions": "answer",
    "pairs": "pair",
}
#: Pairs excluded by the rules of the comparison, which are not faults in the data.
BY_RULE = frozenset({"pairs_left_out_equal_ratings", "pairs_left_out_below_min_gap"})
# Prefix of a value of `winner` that is neither of the two models.
_WINNER = "winner_"
_WORDS = {
    "rows_left_out_without_pairs": (
        "no usable pair: ratings are equal, missing or less than min_gap apart"
    ),
    "rows_left_out_completions_no_list": "'completions' is not a list",
    "rows_left_out_without_completions": "no completion is text",
    "pairs_left_out_not_text": "the chosen or the rejected answer is not text",
    "completions_left_out_not_text": "the response is not text",
    "completions_left_out_false_ten": "a false overall score of 10, which stands for 1",
    "prompts_left_out_without_reference": "no such reference answer",
    "ends_with_answer": "the conversation ends with the assistant's turn",
    "prompt_not_text": "the prompt is neither text nor messages",
    "contradictory_prompt": "the prompt contradicts the rest of the conversation",
    "system_not_text": "the system turn is neither text nor a system message",
    "history_not_text": "the earlier turns are neither messages nor user-assistant pairs",
    "with_tools": "the model had tools, which a judge of texts cannot see",
    "with_media": "the model had images or other media, which a judge of texts cannot see",
    "score_no_number": "a score is missing or not a number",
    "equal_scores": "both answers have the same score",
    "equal_ratings": "equal ratings",
    "below_min_gap": "ratings less than min_gap apart",
    "prompt_in_other_column": "the prompt is missing, and may be in a column that is not read",
    "identical_answers": "the two answers are identical",
    "chosen_scored_lower": "the chosen answer has the lower score",
    "different_conversations": "chosen and rejected continue different conversations",
}


@dataclass
class DataCounts:
    """Counts what is used, and what is excluded and why. Nothing is dropped without a count.

    Attributes:
        counts: The count of each thing.
        parts: The counts by part, for things that have parts, such as aspects.
        first: Where each was counted first.
        why: What was wrong there, for things with several possible causes.
        where: The row that is being read.
    """

    counts: Counter[str] = field(default_factory=Counter)
    parts: Counter[tuple[str, str]] = field(default_factory=Counter)
    first: dict[str, Location] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    where: Location | None = None

    def add(
        self, what: str, number: int = 1, *, part: str | None = None, why: str | None = None
    ) -> None:
        """Counts something, with its part and its cause if there can be several."""
        if not number:
            return
        self.counts[what] += number
        if part is not None:
            self.parts[what, part] += number
        if self.where is not None and what not in self.first:
            self.first[what] = self.where
        if why is not None:
            self.why.setdefault(what, why)

    def merge(self, other: DataCounts) -> None:
        """Adds the counts of another one."""
        self.counts.update(other.counts)
        self.parts.update(other.parts)
        self.first = {**other.first, **self.first}
        self.why = {**other.why, **self.why}

    def only_reason(self) -> str | None:
        """Why no row is used, if all rows are excluded for the same reason; None otherwise.

        A sentence with the first row's place.
        """
        left_out = [name for name in self.counts if "_left_out_" in name]
        if len(left_out) != 1 or self.counts[left_out[0]] != self.counts["rows"]:
            return None
        (name,) = left_out
        if name not in self.why or name not in self.first:
            return None
        number, place = self.counts["rows"], self.first[name].place
        if number == 1:
            return f"The only row ({place}) is excluded: {self.why[name]}."
        return (
            f"All {number:,} rows are excluded for the same reason, first at {place}: "
            f"{self.why[name]}."
        )

    def __getitem__(self, what: str) -> int:
        return self.counts[what]

    def listed(self) -> str:
        """What is used, what is excluded or changed, and why, in one line."""
        used = [counted(self.counts[name], noun) for name, noun in _NOUNS.items() if self[name]]
        excluded = [
            f"{counted(number, _NOUNS[match['what']])} ({reason_in_words(name)})"
            for name, number in self.counts.items()
            if (match := _NAME.fullmatch(name)) is not None
        ]
        excluded += [
            f"{counted(number, noun.removesuffix('s'))} {rest.replace('_', ' ')}"
            for name, number in self.counts.items()
            if name.startswith(("rows_of_other_", "prompts_without_written_pair"))
            for noun, _, rest in [name.partition("_")]
        ]
        parts = [", ".join(used)]
        if excluded:
            parts.append(f"excluded: {', '.join(excluded)}")
        if broken := self["texts_with_lone_surrogates"]:
            parts.append(
                f"changed: {counted(broken, 'text')} (lone surrogates, which are replaced by '?')"
            )
        return "; ".join(parts)

    def as_dict(self) -> dict[str, int]:
        """The counts by name."""
        return dict(self.counts)


def counted(number: int, what: str) -> str:
    """A number with its noun: "1 row", "1,200 rows"."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def is_left_out(name: str) -> bool:
    """Whether a count is of something that was excluded."""
    return _NAME.fullmatch(name) is not None


def reason_in_words(name: str) -> str:
    """Why something was excluded, by the name of its count or the reason at the name's end."""
    match = _NAME.fullmatch(name)
    reason = match["reason"] if match else name
    known = _WORDS.get(name) or _WORDS.get(reason)
    if known is None and reason.startswith(_WINNER):
        return f"the winner is {reason.removeprefix(_WINNER)!r}"
    return known or reason.replace("_", " ")


def left_out_remarks(counts: DataCounts, told: Collection[str] = ()) -> list[str]:
    """Remarks about excluded rows, pairs and completions.

    A pair that the rules of the comparison exclude is not worth a warning; a prompt without any
    pair is.

    Args:
        counts: What was counted.
        told: Names of counts that have another remark.
    """
    remarks = []
    for name, count in counts.as_dict().items():
        match = _NAME.fullmatch(name)
        if match is None or name in BY_RULE or name in told:
            continue
        first = f"; first: {counts.first[name]}" if name in counts.first else ""
        why = f": {counts.why[name].rstrip('.')}" if name in counts.why else ""
        amount = counted(count, match["what"][:-1])
        said = f"{amount} excluded ({name}): {reason_in_words(name)}"
        remarks.append(f"{said}{first}{why}.")
    return remarks
