"""RewardBench's two result files, in the format of its leaderboard.

`eval-set/ORG/MODEL.json` has the accuracy of every subset, `eval-set-scores/ORG/MODEL.json` the
rewards of every row in columns (package rewardbench 0.1.4, `utils.save_to_hub` and
scripts/run_rm.py). Both are written with sorted keys and an indent of four.
"""

from __future__ import annotations

import json
import logging
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ultrarm_eval.benchmarks.rewardbench import SUBSETS
from ultrarm_eval.errors import DataError, first_line
from ultrarm_eval.exports.figures import spelled_out
from ultrarm_eval.exports.files import write_texts
from ultrarm_eval.exports.hub_names import model_name
from ultrarm_eval.messages import as_messages
from ultrarm_eval.runs.identity import distinguishing, mapping, model_settings
from ultrarm_eval.runs.json_values import shown_json
from ultrarm_eval.runs.judge_identity import same_judges
from ultrarm_eval.runs.numbers import finite
from ultrarm_eval.runs.run import Run, find_runs
from ultrarm_eval.runs.task_result import TaskResult
from ultrarm_eval.text_format.jinja_template import CHAT_TEMPLATE
from ultrarm_eval.text_format.plain_templates import template_for
from ultrarm_eval.text_format.system_turns import checked_system, without_system
from ultrarm_eval.text_format.template_lookup import TEMPLATE_NAMES, get_template
from ultrarm_eval.text_format.text_pair import PAIR_TEMPLATE

logger = logging.getLogger(__name__)

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
# The leaderboard's words.
_USUAL_TYPE = "Seq. Classifier"
_MODEL_TYPES = {"dpo": "DPO", "critique": "Generative RM", "likelihood": "Custom Classifier"}
#: Renders prompt and completion as the text that was scored.
Render = Callable[[Any, str], str]


def write_rewardbench(
    folder: Path, results: str, *, model: str | None, overwrite: bool
) -> list[Path]:
    """Writes both files from a run of `rewardbench_overall`; their paths.

    Args:
        folder: The folder for `eval-set` and `eval-set-scores`.
        results: The run: its results file, or its folder.
        model: The model's name on the leaderboard; its name in the run if None.
        overwrite: Whether an existing export with other content is replaced.

    Raises:
        UltrarmEvalError: The run lacks what is needed, or there is an export with other content.
    """
    result = _result_of(results)
    run = result.run
    _require_whole(result)
    name = model_name(run.model, model, run.path)
    about = {
        "model": name,
        "model_type": _MODEL_TYPES.get(str(run.config.get("judge")), _USUAL_TYPE),
        "chat_template": _official_name(run.config.get("template")),
    }
    columns = scores_file(run.samples(result.key), _renderer(run))
    contents = {
        "eval-set": {**accuracies_file(columns), **about},
        "eval-set-scores": {**columns, **about},
    }
    return write_texts(
        folder,
        {
            f"{kind}/{name}.json": json.dumps(content, indent=4, sort_keys=True)
            for kind, content in contents.items()
        },
        overwrite=overwrite,
    )


def scores_file(samples: Iterable[Mapping[str, Any]], render: Render) -> dict[str, list[Any]]:
    """The rewards of every row in columns.

    Args:
        samples: Samples of `rewardbench_overall`.
        render: Renders the text that was scored.

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
                f"There is no row of the subset {subset!r}, but the leaderboard's file needs all "
                f"{len(SUBSETS)} subsets. Run {OVERALL_TASK} without --limit."
            )
        found[subset] = statistics.fmean(results)
    return found


def _number(sample: Mapping[str, Any]) -> int:
    """lm-eval's index of a sample's document.

    Raises:
        DataError: There is none.
    """
    number = sample.get("doc_id", 0)
    if isinstance(number, bool) or not isinstance(number, int):
        raise DataError(
            f"A sample has the doc_id {shown_json(number)}, which is not a whole number."
        )
    return number


def _pair(sample: Mapping[str, Any]) -> Mapping[str, Any]:
    """The document of a sample.

    Raises:
        DataError: It is not a pair of RewardBench.
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
            f"Sample {shown_json(sample.get('doc_id'))}: its document is not a pair of RewardBench "
            f"(subset {shown_json(subset)})."
        )
    return document


def _rewards(sample: Mapping[str, Any]) -> tuple[float, float]:
    responses = sample.get("filtered_resps")
    given = [one[0] if isinstance(one, list) and one else None for one in _listed(responses)]
    found = [value for value in map(finite, given) if value is not None]
    if not len(found) == len(given) == 2:
        raise DataError(
            f"Sample {shown_json(sample.get('doc_id'))}: it does not contain two rewards that are "
            f"finite numbers ({shown_json(responses)})."
        )
    return found[0], found[1]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number_or_text(name: str) -> int | str:
    return int(name) if name.isdecimal() else name


def _official_name(template: Any) -> str:
    """RewardBench's name of a template: its own for UltraRM, or the tokenizer's."""
    return {"rewardbench": "openbmb", "chat": "tokenizer"}.get(str(template), str(template))


def _renderer(run: Run) -> Render:
    """Renders texts as the run's judge read them."""
    config = run.config
    name = config.get("template")
    if name is None:
        raise DataError(
            f"{run.path}: the run does not record its template; only runs of a judge do (--model "
            "ultrarm or reward-model)."
        )
    if name == PAIR_TEMPLATE:
        raise DataError(
            f"{run.path}: its texts were rendered with template={name}, which makes two texts, but "
            "the leaderboard's file needs one. Run with another template."
        )
    tokenizer = None if name in TEMPLATE_NAMES and name != CHAT_TEMPLATE else _tokenizer(config)
    template = get_template(str(name), tokenizer)
    system = checked_system(config.get("system"))

    def render(prompt: Any, completion: str) -> str:
        messages = without_system(as_messages(prompt), system)
        return template_for(template, messages).render(messages, completion)

    return render


def _tokenizer(config: Mapping[str, Any]) -> Any:
    """The tokenizer of the run's judge, for templates that need it."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(config["pretrained"], revision=config.get("revision"))
    except Exception as error:
        # Missing or damaged files and an unreachable hub all raise different errors.
        raise DataError(
            f"The texts were rendered with the tokenizer of {config.get('pretrained')}, which "
            f"cannot be loaded ({first_line(error)})."
        ) from error


def _result_of(given: str) -> TaskResult:
    """The result to export among the runs of a folder: a complete one before a partial one.

    Raises:
        DataError: There is none, or there are several models or settings.
    """
    runs = find_runs(given, OVERALL_TASK)
    results = [
        TaskResult(key, run, run.results["results"][key])
        for run in runs
        if (key := run.key_of(OVERALL_TASK)) is not None
    ]
    identities = [(run.model, model_settings(run)) for run in runs]
    judges = list(same_judges(identities))
    if len(judges) > 1:
        labels = distinguishing([identities[places[0]] for places in judges])
        raise DataError(
            f"{given}: {OVERALL_TASK} was run with several settings: {'; '.join(labels)}. Give "
            "the results file of one of them."
        )
    best = max(results, key=lambda one: one.worth)
    if len(results) > 1:
        others = ", ".join(
            one.run.path.name + (f" ({spelled_out(one.parts)})" if one.parts else "")
            for one in results
            if one is not best
        )
        logger.warning(
            "%s: of %d runs, %s is exported: the newest complete run with samples. Not exported: "
            "%s.",
            OVERALL_TASK,
            len(results),
            best.run.path.name,
            others,
        )
    return best


def _require_whole(result: TaskResult) -> None:
    """Refuses a partial run: the leaderboard's files are of all data."""
    if result.parts:
        options = {"limit": "--limit", "samples": "--samples"}
        parts = {options.get(name, name): value for name, value in result.parts.items()}
        raise DataError(
            f"{result.run.path}: the run covers only a subset of the data ({spelled_out(parts)}), "
            "but the leaderboard's files need all of it. Run all of it."
        )
