"""The settings of a best-of-n task, from its YAML and the run: judge, data, votes."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ultrarm_eval.data.files import open_file, saved_table
from ultrarm_eval.errors import ConfigurationError, DataError
from ultrarm_eval.lm_eval_plugin.metadata import JudgingOptions

_JUDGING, _PICKING = "reward", "best_of_n"
#: What the harness's filters write where they find no answer.
NO_ANSWER = "[invalid]"
_METRIC = "exact_match"


def judging_settings(
    listed: Sequence[Mapping[str, Any]], options: JudgingOptions, task: Any
) -> dict[str, dict[str, Any]]:
    """The settings of the filter `reward` in each filter list, by the list's name.

    A list without that filter is judged like the first list that has one.

    Args:
        listed: The YAML's `filter_list`.
        options: The run's options, which override the YAML's.
        task: The task's name, for messages.

    Raises:
        ConfigurationError: The judging filter is not first, or picks an answer; or a list has its
            own metrics.
    """
    named: dict[str, dict[str, Any] | None] = {}
    for each in listed:
        if each.get("metric_list"):
            raise ConfigurationError(
                f"{task}, filter {each['name']!r}: it has its own metric_list, and this task "
                "uses one metric_list for all filter lists. Move it to the task's metric_list."
            )
        functions = each["filter"]
        first = functions[0] if functions else {}
        is_named = first.get("function") == _JUDGING
        if any(f.get("function") in (_JUDGING, _PICKING) for f in functions[int(is_named) :]):
            raise ConfigurationError(
                f"{task}, filter {each['name']!r}: {_JUDGING!r} must come first, and "
                f"{_PICKING!r} must not be used, because this task picks the answer itself."
            )
        settings = {k: v for k, v in first.items() if k != "function"} if is_named else None
        named[str(each["name"])] = settings
    usual: dict[str, Any] = next((s for s in named.values() if s is not None), {})
    return {
        name: _chosen(usual if settings is None else settings, options)
        for name, settings in named.items()
    }


def _chosen(settings: Mapping[str, Any], options: JudgingOptions) -> dict[str, Any]:
    chosen = dict(settings)
    if options.judge is not None:
        chosen["judge"] = options.judge
        # Those of the YAML are for the YAML's judge.
        chosen.pop("judge_args", None)
    if options.judge_args:
        chosen["judge_args"] = dict(options.judge_args)
    return chosen


def behind(listed: Mapping[str, Any]) -> list[Any]:
    """The filters of a list after the one that judges."""
    return [f for f in listed["filter"] if f.get("function") != _JUDGING]


def local_splits(path: Path, config: Any) -> dict[str, Any]:
    """The splits that a task reads, from a file (which is used for all of them) or a saved folder.

    Raises:
        DataError: The data does not exist.
    """
    named = (
        config.test_split,
        config.validation_split,
        config.training_split,
        config.fewshot_split,
    )
    splits = {str(split) for split in named if split is not None}
    if path.is_dir():
        return {s: saved_table(path, s, "Save the splits it needs.") for s in splits}
    if not path.is_file():
        raise DataError(
            f"data={str(path)!r}: no such file or folder. Give a JSON, JSONL or Parquet file, or "
            "a folder saved by datasets."
        )
    import datasets

    return dict.fromkeys(splits, datasets.Dataset.from_list(list(open_file(path))))


class Votes:
    """Counts answers that the metric treats as equal as the same vote."""

    def __init__(
        self, metrics: Sequence[Mapping[str, Any]], filters: Sequence[Mapping[str, Any]]
    ) -> None:
        """Looks up how answers are compared and which text means no answer.

        Args:
            metrics: The YAML's `metric_list`; differences that `exact_match` ignores do not split
                votes.
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
        """The vote of an answer; None if no answer was found.

        The order is that of lm-eval's `exact_match`: patterns, case, punctuation, numbers.
        """
        if not answer.strip() or answer.strip() in self._unreadable:
            return None
        for pattern in self._ignored:
            answer = pattern.sub("", answer)
        if self._ignores_case:
            answer = answer.lower()
        return answer.translate(self._dropped).strip()
