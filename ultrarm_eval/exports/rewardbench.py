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

from ultrarm_eval.benchmarks.rewardbench import SUBSETS
from ultrarm_eval.errors import DataError
from ultrarm_eval.exports.files import write_texts
from ultrarm_eval.runs.identity import mapping
from ultrarm_eval.runs.numbers import finite

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
_SHOWN = 60
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
    for sample in sorted(samples, key=_number):
        document = _pair(sample)
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


def _number(sample: Mapping[str, Any]) -> int:
    """The harness's number of a sample's document.

    Raises:
        DataError: There is none.
    """
    number = sample.get("doc_id", 0)
    if isinstance(number, bool) or not isinstance(number, int):
        raise DataError(f"A sample has the doc_id {_shown(number)}, which is no whole number.")
    return number


def _pair(sample: Mapping[str, Any]) -> Mapping[str, Any]:
    """The document of a sample.

    Raises:
        DataError: It is no pair of RewardBench.
    """
    document = mapping(sample.get("doc"))
    subset, completions = document.get("subset"), document.get("completions")
    prompt, name = document.get("prompt"), document.get("id")
    is_pair = (
        isinstance(completions, list)
        and len(completions) == 2
        and all(isinstance(text, str) for text in completions)
    )
    has_prompt = isinstance(prompt, list) and all(
        isinstance(mapping(turn).get("role"), str) and isinstance(mapping(turn).get("content"), str)
        for turn in prompt
    )
    if subset not in SUBSETS or not is_pair or not has_prompt or not isinstance(name, str):
        raise DataError(
            f"Sample {_shown(sample.get('doc_id'))}: its document is no pair of RewardBench "
            f"(subset {_shown(subset)})."
        )
    return document


def _rewards(sample: Mapping[str, Any]) -> tuple[float, float]:
    responses = sample.get("filtered_resps")
    given = [one[0] if isinstance(one, list) and one else None for one in _listed(responses)]
    found = [value for value in map(finite, given) if value is not None]
    if not len(found) == len(given) == 2:
        raise DataError(
            f"Sample {_shown(sample.get('doc_id'))}: it does not hold two rewards that are finite "
            f"numbers ({_shown(responses)})."
        )
    return found[0], found[1]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _number_or_text(name: str) -> int | str:
    return int(name) if name.isdecimal() else name
