"""The samples of a task: the schema's instance-level format, a line for each sample and score."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ultrarm_eval.errors import DataError
from ultrarm_eval.exports.every_eval_ever.record import evaluation_name, result_id
from ultrarm_eval.exports.figures import ExportedFigure
from ultrarm_eval.runs.identity import mapping
from ultrarm_eval.runs.numbers import finite
from ultrarm_eval.runs.sample_values import is_list_text

_METADATA = ("doc_hash", "prompt_hash", "target_hash", "filter")
_OF_DOCUMENT = ("id", "source", "subset", "category")


def sample_lines_of(
    figures: Sequence[ExportedFigure], record: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Yields the lines of a task's samples.

    A score that is not a mean of one number per document has no lines, nor has a document without a
    reward.

    Args:
        figures: The task's scores.
        record: The task's record, which the lines point to.

    Raises:
        DataError: The samples file is missing, damaged or incomplete.
    """
    result = figures[0].result
    of_filter = dict.fromkeys((figure.filter_name for figure in figures), 0)
    for sample in result.run.samples(result.key):
        used = str(sample.get("filter", "none"))
        if used not in of_filter:
            continue
        of_filter[used] += 1
        whole = _line(sample, record, is_judge=result.run.config.get("judge") is not None)
        for figure in figures:
            score = _score(sample, figure) if figure.filter_name == used else None
            if score is None:
                continue
            yield {
                **whole,
                "evaluation_name": evaluation_name(figure),
                "evaluation_result_id": result_id(figure),
                "evaluation": {"score": score, "is_correct": _is_correct(sample, score)},
            }
    for used, count in of_filter.items():
        if result.documents is not None and count < result.documents:
            raise DataError(
                f"{result.run.samples_path(result.key)}: there are {count} samples (filter "
                f"{used}) of {result.documents} documents; the file is truncated. Run lm_eval with "
                "--log_samples again, or export without the samples (--no-samples)."
            )


def _score(sample: Mapping[str, Any], figure: ExportedFigure) -> float | None:
    """A sample's contribution to a score; None without a reward, or if it is not one number.

    Raises:
        DataError: It is not a number that a task writes.
    """
    given = sample.get(figure.metric)
    if isinstance(given, bool):
        return float(given)
    if is_list_text(given):
        return None
    score = finite(given, spelled=False)
    if isinstance(given, str) or (isinstance(given, int) and score is None):
        raise DataError(
            f"{figure.result.run.samples_path(figure.result.key)}: sample "
            f"{_text(sample.get('doc_id'))[:40]} has no value of {figure.metric!r}; the file "
            "is damaged or was edited. Run lm_eval with --log_samples again, or export without "
            "the samples (--no-samples)."
        )
    return score


def _line(
    sample: Mapping[str, Any], record: Mapping[str, Any], *, is_judge: bool
) -> dict[str, Any]:
    """What a sample's lines have in common."""
    arguments = _arguments(sample)
    document = mapping(sample.get("doc"))
    compared = len(arguments) > 1 and all(isinstance(one.get("arg_1"), str) for one in arguments)
    choices = [_text(one["arg_1"]) for one in arguments] if compared else None
    raw = _text(arguments[0].get("arg_0", "")) if arguments else ""
    reference = _reference(sample, document, choices)
    if choices is None:
        outputs = [_text(one) for one in _flat(sample.get("resps"))]
        answers = [_text(one) for one in _flat(sample.get("filtered_resps"))]
        method = str(sample.get("filter", "none"))
    else:
        given = sample.get("filtered_resps")
        outputs = [_text(_first(one)) for one in (given if isinstance(given, list) else ())]
        answers = _highest(choices, outputs)
        method = "highest_reward" if is_judge else "highest_loglikelihood"
    hashed = json.dumps({"raw": raw, "reference": reference}, sort_keys=True, separators=(",", ":"))
    return {
        "schema_version": record["schema_version"],
        "evaluation_id": record["evaluation_id"],
        "model_id": record["model_info"]["id"],
        "sample_id": _text(sample.get("doc_id")),
        "sample_hash": hashlib.sha256(hashed.encode()).hexdigest(),
        "interaction_type": "single_turn",
        "input": {"raw": raw, "reference": reference, "choices": choices},
        "output": {"raw": outputs},
        "answer_attribution": [
            {
                "turn_idx": 0,
                "source": "output.raw",
                "extracted_value": answer,
                "extraction_method": method,
                "is_terminal": True,
            }
            for answer in answers
        ],
        "metadata": {
            **{name: _text(sample[name]) for name in _METADATA if name in sample},
            **{
                name: _text(document[name])
                for name in _OF_DOCUMENT
                if isinstance(document.get(name), str | int)
            },
        },
    }


def _arguments(sample: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The arguments of each request, in their order."""
    given = mapping(sample.get("arguments"))
    names = [f"gen_args_{index}" for index in range(len(given))]
    return [mapping(given.get(name)) for name in names if name in given]


def _reference(
    sample: Mapping[str, Any], document: Mapping[str, Any], choices: Sequence[str] | None
) -> list[str]:
    """The correct answer: for given answers its text, which the target indexes."""
    target = _text(sample.get("target", ""))
    # From the document, because not every completion has a request.
    texts = document.get("completions") if choices is not None else None
    texts = texts if isinstance(texts, list) else choices or ()
    # Python refuses to parse numbers with thousands of digits.
    if re.fullmatch("[0-9]{1,9}", target) and int(target) < len(texts):
        return [_text(texts[int(target)])]
    return [target]


def _highest(choices: Sequence[str], outputs: Sequence[str]) -> list[str]:
    """The answers with the highest reward; none where a reward is missing or not a number."""
    try:
        rewards = [float(output) for output in outputs]
    # The text of a number may be too large for a float only as an integer.
    except (ValueError, OverflowError):
        return []
    if len(rewards) != len(choices) or any(map(math.isnan, rewards)):
        return []
    return [text for text, one in zip(choices, rewards, strict=True) if one == max(rewards)]


def _is_correct(sample: Mapping[str, Any], score: float) -> bool:
    accuracy = finite(sample.get("acc"), spelled=False)
    return (score if accuracy is None else accuracy) == 1.0


def _first(response: Any) -> Any:
    while isinstance(response, list) and response:
        response = response[0]
    return response


def _flat(responses: Any) -> Iterator[Any]:
    for one in responses if isinstance(responses, list) else ():
        if isinstance(one, list):
            yield from _flat(one)
        else:
            yield one


def _text(value: Any) -> str:
    """A value as text, without lone surrogates, which JSON parsers may reject."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text.encode("utf-8", "replace").decode("utf-8")
