"""Counts of the texts of a run, and one warning per type of remark."""

from __future__ import annotations

import logging
from collections import Counter

from ultrarm_eval.engine.portions import Portion
from ultrarm_eval.text_format.special_tokens import HIDDEN_FROM_TEMPLATE, READ_BY_TEMPLATE
from ultrarm_eval.text_format.step_encoder import ONE_STEP, SPELLED_STEP_END, STEPS_CUT
from ultrarm_eval.text_format.template_check import TURNS_LEFT_OUT
from ultrarm_eval.text_format.text_renderer import CUT_BY_TEMPLATE, TRIMMED_BY_TEMPLATE

logger = logging.getLogger(__name__)

# Warnings for remarks on texts, by their names in the counts; the other counts need no action.
_WARNINGS = {
    CUT_BY_TEMPLATE: (
        "the text that the judge scores does not contain the complete answer, because the "
        "template cuts or changes it; answers that differ only there get the same reward"
    ),
    TRIMMED_BY_TEMPLATE: (
        "the template strips whitespace at the ends of the answer; answers that differ only there "
        "get the same reward"
    ),
    HIDDEN_FROM_TEMPLATE: (
        "prompt or answer contain special-token text that the template would act on; with "
        "special_tokens=text it is treated as plain text"
    ),
    READ_BY_TEMPLATE: (
        "special-token text in prompt or answer is parsed as a control token, because the "
        "template looks for it there"
    ),
    TURNS_LEFT_OUT: "the template drops turns of the prompt, so rewards do not depend on them",
    STEPS_CUT: (
        "max_length cuts off steps: they have no reward, and the answer's reward is computed from "
        "the remaining steps"
    ),
    ONE_STEP: (
        "the complete answer is one step, because it contains no step separator; if answers have "
        "steps, name what separates them: separator=blank-line|line|step|TEXT"
    ),
    SPELLED_STEP_END: (
        "prompt or answer contain the text of the model's step token; it is treated as plain text "
        "and ends no step"
    ),
}


class TextCounts:
    """Counts of a judge's texts, from its first score on."""

    def __init__(self, max_length: int, advice: str = "") -> None:
        """Starts with zero counts.

        Args:
            max_length: The maximum number of tokens per text, for the warning.
            advice: Additional advice for the warning about truncated texts.
        """
        self._max_length, self._advice = max_length, advice
        self._counts = {"texts": 0, "distinct_texts": 0, "truncated": 0, "spelled_special": 0}
        self._counts["computed_tokens"] = 0
        #: Seconds of model computation, without loading the model.
        self.seconds = 0.0
        self._warned_of_truncation = False
        # Per requested text: answers that a template renders identically are one text for the
        # judge.
        self._remarks: Counter[str] = Counter()
        self._warned_of: set[str] = set()

    def add(self, portion: Portion) -> None:
        """Adds texts that were requested."""
        new = [text for text in portion.texts if text.tokens in portion.new]
        self._counts["texts"] += len(portion.texts)
        self._counts["distinct_texts"] += len(portion.new)
        self._counts["truncated"] += len({text.tokens for text in new if text.truncated})
        self._counts["spelled_special"] += len(
            {text.tokens for text in new if text.spells_special_tokens}
        )
        self._remarks.update(remark for text in portion.texts for remark in text.remarks)

    def report(self) -> None:
        """Warns once how many texts were truncated, by max_length or the template."""
        if self._counts["truncated"] and not self._warned_of_truncation:
            self._warned_of_truncation = True
            logger.warning(
                "%d of %d texts are longer than max_length=%d tokens and are truncated on the "
                "left (BOS is kept). Their rewards ignore the beginning of the prompt; results "
                "contain the counts.%s",
                self._counts["truncated"],
                self._counts["distinct_texts"],
                self._max_length,
                f" {self._advice}" if self._advice else "",
            )
        for remark, said in _WARNINGS.items():
            if self._remarks[remark] and remark not in self._warned_of:
                self._warned_of.add(remark)
                logger.warning(
                    "In %d of %d texts, %s. Results contain the counts (%s).",
                    self._remarks[remark],
                    self._counts["texts"],
                    said,
                    remark,
                )

    def add_computed(self, tokens: int, seconds: float) -> None:
        """Adds computed tokens (shared prefixes count once), and how long the computation took."""
        self._counts["computed_tokens"] += tokens
        self.seconds += seconds

    @property
    def has_asked_store(self) -> bool:
        """Whether a score store was searched for rewards."""
        return "from_store" in self._counts

    def add_stored(self, found: int) -> None:
        """Adds texts whose rewards were in the score store."""
        self._counts["from_store"] = self._counts.get("from_store", 0) + found

    def note_damaged(self, rows: int) -> None:
        """Sets how many rows of the score store were damaged so far and therefore recomputed."""
        if rows:
            self._counts["store_rows_damaged"] = rows

    def add_not_stored(self, rewards: int) -> None:
        """Adds rewards that could not be written to the score store."""
        name = "store_rows_not_written"
        self._counts[name] = self._counts.get(name, 0) + rewards

    def add_unreadable(self, found: int) -> None:
        """Adds completions whose critiques have no readable score."""
        self._counts["unreadable"] = self._counts.get("unreadable", 0) + found

    def as_dict(self) -> dict[str, int]:
        """The counts by name."""
        return {**self._counts, **self._remarks}
