"""What a best-of-n task's YAML and the run say: who judges, what filters follow, which data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ultrarm_eval.data.files import open_file, open_folder
from ultrarm_eval.errors import ConfigurationError, DataError
from ultrarm_eval.lm_eval_plugin.metadata import JudgingOptions

_JUDGING, _PICKING = "reward", "best_of_n"


def judging_settings(
    listed: Sequence[Mapping[str, Any]], options: JudgingOptions, task: Any
) -> dict[str, dict[str, Any]]:
    """The settings of the filter `reward` in each list of filters, by the list's name.

    A list that has none is judged as the first that has one.

    Args:
        listed: The YAML's `filter_list`.
        options: What the run says instead.
        task: The task's name, for messages.

    Raises:
        ConfigurationError: The judging filter does not stand first, or picks.
    """
    named: dict[str, dict[str, Any] | None] = {}
    for each in listed:
        functions = each["filter"]
        first = functions[0] if functions else {}
        is_named = first.get("function") == _JUDGING
        if any(f.get("function") in (_JUDGING, _PICKING) for f in functions[int(is_named) :]):
            raise ConfigurationError(
                f"{task}, filter {each['name']!r}: {_JUDGING!r} stands first, and {_PICKING!r} not "
                "at all: this task picks by itself."
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
    """The filters of a list behind the one that judges."""
    return [f for f in listed["filter"] if f.get("function") != _JUDGING]


def local_splits(path: Path, config: Any) -> dict[str, Any]:
    """The splits that a task reads, from a file (which is all of them) or a saved folder.

    Raises:
        DataError: There is no such data.
    """
    named = (
        config.test_split,
        config.validation_split,
        config.training_split,
        config.fewshot_split,
    )
    splits = {str(split) for split in named if split is not None}
    if path.is_dir():
        return {s: open_folder(path, s, choose="Save the splits it needs.") for s in splits}
    if not path.is_file():
        raise DataError(
            f"data={str(path)!r}: there is no such file or folder. Give a JSON, JSONL or Parquet "
            "file, or a folder saved by datasets."
        )
    import datasets

    rows = open_file(path)
    table = rows if isinstance(rows, datasets.Dataset) else datasets.Dataset.from_list(list(rows))
    return dict.fromkeys(splits, table)
