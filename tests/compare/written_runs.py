"""Runs as the harness writes them, with rewards that a test knows."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from ultrarm_eval.data.records import PromptRecord, RatedCompletion
from ultrarm_eval.documents.document import Document
from ultrarm_eval.metrics.within_prompt import compare
from ultrarm_eval.pairs import preference_pairs

STAMP = "2026-03-04T05-06-07.890123"
TASK = "pairs"
Sample = dict[str, Any]


def rated(
    row: int,
    rewards: Sequence[float],
    ratings: Sequence[float] = (5, 1),
    *,
    prompt: str | None = None,
    source: str | None = "flan",
    aspects: Mapping[str, float | None] | None = None,
) -> Sample:
    """A sample of a document with rated completions; a reward that is NaN is an abstention."""
    completions = tuple(
        RatedCompletion(
            f"answer {i} to {row}",
            {name: Fraction(rating) for name in ("helpfulness", *(aspects or {}))},
        )
        for i, rating in enumerate(ratings)
    )
    turn = {"role": "user", "content": f"question {row}" if prompt is None else prompt}
    record = PromptRecord((turn,) if turn["content"] else (), completions, source)
    document = Document.of_record(record, "helpfulness", tuple(aspects or ()), row=row)
    known = [
        None if math.isnan(reward) else rating
        for rating, reward in zip(document.main_ratings, rewards, strict=True)
    ]
    pairs = preference_pairs(known)
    accuracy = compare(pairs, dict(enumerate(rewards))).accuracy if pairs else None
    of_aspects = {f"acc_{name}": value for name, value in (aspects or {}).items()}
    return {**sample(row, document.to_json(), rewards), "acc": accuracy, **of_aspects}


def choice(row: int, rewards: Sequence[float], subset: str = "math", **changes: Any) -> Sample:
    """A sample of a benchmark's item, of which the first completion is right."""
    completions = tuple(f"answer {i} to {row}" for i in range(len(rewards)))
    turn = {"role": "user", "content": f"question {row}"}
    document = Document((turn,), completions, row=row, correct=1, id=f"id {row}", subset=subset)
    first, *others = rewards
    best = max(others)
    accuracy = 0.5 if first == best else float(first > best)
    return {**sample(row, document.to_json(), rewards), "acc": accuracy, **changes}


def judged(row: int, answer: str, reward: float, reference: float) -> Sample:
    """A sample of a task in which a model's answer is judged beside a reference."""
    document = {
        "format": "ultrarm_eval.prompt/1",
        "row": row,
        "source": "flan",
        "prompt": [{"role": "user", "content": f"question {row}"}],
        "reference": f"reference {row}",
        "reference_model": None,
    }
    return {
        **sample(row, document, []),
        "resps": [[answer]],
        "judged": [{"reward": reward}],
        "judged_reference": {"reward": reference},
        "reward": reward,
    }


def foreign(row: int, metric: str, value: float) -> Sample:
    """A sample of a task that is none of ours."""
    return {**sample(row, {"question": f"question {row}"}, []), metric: value}


def sample(row: int, document: Mapping[str, Any], rewards: Sequence[float]) -> Sample:
    """What every line of samples holds."""
    spelled = json.dumps(document, indent=2, ensure_ascii=False)
    return {
        "doc_id": row,
        "doc": document,
        "filtered_resps": [[str(float(reward)), "False"] for reward in rewards],
        "resps": [[[str(float(reward)), "False"]] for reward in rewards],
        "filter": "none",
        "doc_hash": hashlib.sha256(spelled.encode("utf-8", "surrogatepass")).hexdigest(),
    }


def in_order(samples: Sequence[Sample], order: Sequence[int]) -> list[Sample]:
    """The samples of the same documents, from a file in which they stand in another order."""
    return [
        {
            **sample(row, {**samples[place]["doc"], "row": row}, []),
            **{name: samples[place][name] for name in ("resps", "filtered_resps", "acc")},
        }
        for row, place in enumerate(order)
    ]


def write_run(
    folder: Path,
    samples: Mapping[str, Sequence[Sample]] | Sequence[Sample],
    *,
    model: str = "org/judge",
    metric: str = "acc",
    metadata: Mapping[str, Any] | None = None,
    figures: Mapping[str, Any] | None = None,
    better: Mapping[str, bool] | None = None,
    stamp: str = STAMP,
    **changes: Any,
) -> Path:
    """Writes a run of a judge; its folder.

    Args:
        folder: Where.
        samples: The samples by task, or those of the task `TASK`.
        model: The judge's checkpoint.
        metric: The metric of the figures.
        metadata: The tasks' metadata.
        figures: The figures of each task; the mean of the samples if None.
        better: Of each metric whether a higher value is better.
        stamp: When.
        **changes: What else the results hold.
    """
    by_task = samples if isinstance(samples, Mapping) else {TASK: samples}
    folder.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {
        "results": {
            task: _figures(of_task, metric) if figures is None else dict(figures)
            for task, of_task in by_task.items()
        },
        "configs": {task: {"metadata": dict(metadata or {})} for task in by_task},
        "higher_is_better": {task: {"acc": True, **(better or {})} for task in by_task},
        "n-samples": {task: {"effective": len(of_task)} for task, of_task in by_task.items()},
        "group_subtasks": {},
        "config": {"model": "ultrarm", "judge": "ultrarm", "pretrained": model},
    }
    results.update(changes)
    (folder / f"results_{stamp}.json").write_text(json.dumps(results), encoding="utf-8")
    for task, of_task in by_task.items():
        lines = "".join(json.dumps(one) + "\n" for one in of_task)
        (folder / f"samples_{task}_{stamp}.jsonl").write_text(lines, encoding="utf-8")
    return folder


def _figures(samples: Sequence[Sample], metric: str) -> dict[str, Any]:
    values = [one[metric] for one in samples if one.get(metric) is not None]
    mean = sum(values) / len(values) if values else 0.0
    return {f"{metric},none": mean, f"{metric}_stderr,none": 0.01}
