"""RewardBench's two result files, as its leaderboard reads them.

`eval-set/ORG/MODEL.json` has the accuracy of every subset, `eval-set-scores/ORG/MODEL.json` the
rewards of every row in columns (package rewardbench 0.1.4, `utils.save_to_hub` and
scripts/run_rm.py). Both are written with sorted keys and an indent of four.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ultrarm_eval.errors import DataError
from ultrarm_eval.results.exports.files import write_texts
from ultrarm_eval.suites.rewardbench import SUBSETS

OVERALL_TASK = "rewardbench_overall"
_COLUMNS = (
    "text_chosen",
    "text_rejected",
    "results",
    "subset",
    "id",
    "scores_chosen",
    "scores_rejected",
)
#: Writes prompt and completion as the one text that was scored.
Render = Callable[[Any, str], str]


def scores_file(samples: Iterable[Mapping[str, Any]], render: Render) -> dict[str, list[Any]]:
    """The rewards of every row in columns.

    Args:
        samples: Samples of `rewardbench_overall`.
        render: Writes the text that was scored.

    Returns:
        The columns, rows in the data's order.

    Raises:
        DataError: A sample is not one of RewardBench, or lacks its rewards.
    """
    columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    for sample in sorted(samples, key=lambda s: int(s.get("doc_id", 0))):
        document = sample.get("doc") or {}
        if document.get("subset") not in SUBSETS or len(document.get("completions", ())) != 2:
            raise DataError(
                f"Sample {sample.get('doc_id')}: its document is no pair of RewardBench (subset "
                f"{document.get('subset')!r})."
            )
        chosen, rejected = _rewards(sample)
        texts = [render(document["prompt"], text) for text in document["completions"]]
        row = (
            *texts,
            int(chosen > rejected),
            document["subset"],
            _number_or_text(document["id"]),
            chosen,
            rejected,
        )
        for name, value in zip(_COLUMNS, row, strict=True):
            columns[name].append(value)
    return columns


def accuracies_file(columns: Mapping[str, Sequence[Any]]) -> dict[str, float]:
    """The accuracy of every subset.

    Raises:
        DataError: A subset has no row.
    """
    found: dict[str, float] = {}
    for subset in SUBSETS:
        results = [
            result
            for result, of in zip(columns["results"], columns["subset"], strict=True)
            if of == subset
        ]
        if not results:
            raise DataError(
                f"There is no row of the subset {subset!r}; the leaderboard's file has all "
                f"{len(SUBSETS)}. Run {OVERALL_TASK} without --limit."
            )
        found[subset] = sum(results) / len(results)
    return found


def write_files(
    folder: Path,
    model: str,
    columns: Mapping[str, Sequence[Any]],
    *,
    model_type: str,
    chat_template: str,
    overwrite: bool = True,
) -> list[Path]:
    """Writes both files; their paths.

    Args:
        folder: Where `eval-set` and `eval-set-scores` go.
        model: `ORG/NAME`, or a name alone.
        columns: What `scores_file` made.
        model_type: The leaderboard's word for the kind of model.
        chat_template: The template's name.
        overwrite: Whether an export with another content is replaced.

    Raises:
        ConfigurationError: An export with another content is there.
        DataError: A subset has no row, or the name would leave the folder.
    """
    about = {"model": model, "model_type": model_type, "chat_template": chat_template}
    contents = {
        "eval-set": {**accuracies_file(columns), **about},
        "eval-set-scores": {**columns, **about},
    }
    return write_texts(
        folder,
        {
            f"{kind}/{model}.json": json.dumps(content, indent=4, sort_keys=True)
            for kind, content in contents.items()
        },
        overwrite=overwrite,
    )


def _rewards(sample: Mapping[str, Any]) -> tuple[float, float]:
    try:
        chosen, rejected = (float(one[0]) for one in sample["filtered_resps"])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DataError(
            f"Sample {sample.get('doc_id')}: it does not hold two rewards ({error!r})."
        ) from error
    return chosen, rejected


def _number_or_text(name: str) -> int | str:
    return int(name) if name.isdecimal() else name
