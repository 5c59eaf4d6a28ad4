"""What an answer's vote is counted for."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from typing import Any

#: What the harness's filters write where they find no answer.
NO_ANSWER = "[invalid]"
_METRIC = "exact_match"


class Votes:
    """Makes one vote of the answers that the metric takes for the same."""

    def __init__(
        self, metrics: Sequence[Mapping[str, Any]], filters: Sequence[Mapping[str, Any]]
    ) -> None:
        """Looks up how answers are compared and what stands for none.

        Args:
            metrics: The YAML's `metric_list`; what `exact_match` ignores does not split votes.
            filters: The YAML's `filter_list`.
        """
        named = [metric for metric in metrics if metric.get("metric") == _METRIC]
        settings = named[0] if named else {}
        self._ignored = [re.compile(str(one)) for one in settings.get("regexes_to_ignore") or ()]
        self._ignores_case = bool(settings.get("ignore_case"))
        dropped = (string.punctuation if settings.get("ignore_punctuation") else "") + (
            string.digits if settings.get("ignore_numbers") else ""
        )
        self._dropped = str.maketrans("", "", dropped)
        fallbacks = [f.get("fallback") for each in filters for f in each["filter"]]
        self._unreadable = {NO_ANSWER, *(str(f) for f in fallbacks if f is not None)}

    def of(self, answer: str) -> str | None:
        """The vote of an answer; None where there is none to read.

        The order is that of lm-eval's `exact_match`: patterns, case, punctuation, numbers.
        """
        if not answer.strip() or answer.strip() in self._unreadable:
            return None
        for pattern in self._ignored:
            answer = pattern.sub("", answer)
        if self._ignores_case:
            answer = answer.lower()
        return answer.translate(self._dropped).strip()
