"""What happened to the texts of a run: counted, and said once."""

from __future__ import annotations

import logging
from collections import Counter

from ultrarm_eval.engine.portions import Portion
from ultrarm_eval.text_format.encoder import CUT_BY_TEMPLATE, TRIMMED_BY_TEMPLATE
from ultrarm_eval.text_format.special_tokens import HIDDEN_FROM_TEMPLATE, READ_BY_TEMPLATE
from ultrarm_eval.text_format.step_encoder import ONE_STEP, SPELLED_STEP_END, STEPS_CUT
from ultrarm_eval.text_format.template_check import TURNS_LEFT_OUT

logger = logging.getLogger(__name__)

# What is said of remarks on texts, by their names in the counts; of the others there is nothing to
# be done.
_WARNINGS = {
    CUT_BY_TEMPLATE: (
        "the answer is not wholly in the text that the judge reads: the template cuts or changes "
        "it, and answers that differ in such a part alone have the same reward"
    ),
    TRIMMED_BY_TEMPLATE: (
        "the template cuts blanks at the ends of the answer; answers that differ there alone have "
        "the same reward"
    ),
    HIDDEN_FROM_TEMPLATE: (
        "prompt or answer spell special tokens that the template would act on; with "
        "special_tokens=text they are text, and the template writes them as it writes other words"
    ),
    READ_BY_TEMPLATE: (
        "a special token that prompt or answer spell is read as one, because the template looks "
        "for it there"
    ),
    TURNS_LEFT_OUT: "the template leaves out turns of the prompt",
    STEPS_CUT: (
        "steps are cut off by max_length: they have no reward, and the reward is made of those "
        "that are left"
    ),
    ONE_STEP: (
        "the whole answer is one step, for there is nothing in it that ends a step; where answers "
        "have steps, name what stands between them: separator=blank-line|line|step|TEXT"
    ),
    SPELLED_STEP_END: (
        "prompt or answer spell what ends a step for the model; it ends none, and is read as text"
    ),
}


class TextCounts:
    """Counts of a judge's texts, from its first score on."""

    def __init__(self, max_length: int, advice: str = "") -> None:
        """Starts at nothing.

        Args:
            max_length: The most tokens of a text, for the warning.
            advice: What is said besides where texts are cut.
        """
        self._max_length, self._advice = max_length, advice
        self._counts = {"texts": 0, "distinct_texts": 0, "truncated": 0, "spelled_special": 0}
        self._counts["computed_tokens"] = 0
        #: Seconds that the model took for them, without loading it.
        self.seconds = 0.0
        self._warned_of_truncation = False
        # By texts asked for: answers of which a template leaves the same are one text to the judge.
        self._remarks: Counter[str] = Counter()
        self._warned_of: set[str] = set()

    def add(self, portion: Portion) -> None:
        """Adds texts that were asked for."""
        new = [text for text in portion.texts if text.tokens in portion.new]
        self._counts["texts"] += len(portion.texts)
        self._counts["distinct_texts"] += len(portion.new)
        self._counts["truncated"] += len({text.tokens for text in new if text.truncated})
        self._counts["spelled_special"] += len(
            {text.tokens for text in new if text.spells_special_tokens}
        )
        self._remarks.update(remark for text in portion.texts for remark in text.remarks)

    def report(self) -> None:
        """Says how many texts were cut, by max_length or the template, once there are any."""
        if self._counts["truncated"] and not self._warned_of_truncation:
            self._warned_of_truncation = True
            logger.warning(
                "%d of %d texts are longer than max_length=%d tokens and are cut on the left "
                "(BOS kept); the counts stand in the results.%s",
                self._counts["truncated"],
                self._counts["distinct_texts"],
                self._max_length,
                f" {self._advice}" if self._advice else "",
            )
        for remark, said in _WARNINGS.items():
            if self._remarks[remark] and remark not in self._warned_of:
                self._warned_of.add(remark)
                logger.warning(
                    "In %d of %d texts %s; the counts stand in the results (%s).",
                    self._remarks[remark],
                    self._counts["texts"],
                    said,
                    remark,
                )

    def add_computed(self, tokens: int, seconds: float) -> None:
        """Adds tokens that the model computed, what texts share once, and how long that took."""
        self._counts["computed_tokens"] += tokens
        self.seconds += seconds

    @property
    def has_asked_store(self) -> bool:
        """Whether rewards were looked for in a score store."""
        return "from_store" in self._counts

    def add_stored(self, found: int) -> None:
        """Adds texts whose rewards were in the score store."""
        self._counts["from_store"] = self._counts.get("from_store", 0) + found

    def note_damaged(self, rows: int) -> None:
        """Notes how many rows of the score store were damaged so far, and so computed anew."""
        if rows:
            self._counts["store_rows_damaged"] = rows

    def add_not_stored(self, rewards: int) -> None:
        """Adds rewards that the score store could not take."""
        name = "store_rows_not_written"
        self._counts[name] = self._counts.get(name, 0) + rewards

    def add_unreadable(self, found: int) -> None:
        """Adds completions about which nothing readable was written."""
        self._counts["unreadable"] = self._counts.get("unreadable", 0) + found

    def as_dict(self) -> dict[str, int]:
        """The counts by name."""
        return {**self._counts, **self._remarks}
