"""Runs written exactly as the harness writes them, from documents and rewards of a test's choice.

`tests/report/test_against_reference.py` holds them against files that the harness wrote.
"""

from __future__ import annotations

import hashlib
import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from ultrarm_eval.benchmarks.figures import tie_share
from ultrarm_eval.documents.document import Document
from ultrarm_eval.metrics.best_of_k import samples_metrics
from ultrarm_eval.metrics.win_rate import answer_metrics
from ultrarm_eval.metrics.within_prompt import accuracy_of, completions_to_score, prompt_metrics
from ultrarm_eval.plugins import registry
from ultrarm_eval.rules import TIE_CREDITS, ComparisonRules

STAMP = "2026-03-04T05-06-07.890123"
TASK = "pairs"
#: What a sample of a preference task has of each document.
MEASURED = (
    "acc",
    "acc_pairs",
    "tie_rate",
    "margin",
    "nll",
    "best_of_n",
    "kendall_tau",
    "acc_longest",
    "acc_length_controlled",
)

Sample = dict[str, Any]


def rated(
    row: int,
    completions: Sequence[str],
    ratings: Sequence[str | None],
    *,
    prompt: str | Sequence[str] | None = None,
    source: str | None = None,
    aspects: Mapping[str, Sequence[str | None]] | None = None,
) -> dict[str, Any]:
    """A document of a preference task; without a prompt it gets one of its own."""
    return {
        "format": "ultrarm_eval.document/2",
        "row": row,
        "source": source,
        "prompt": _turns(row, prompt),
        "completions": list(completions),
        "lengths": [len(text) for text in completions],
        "models": [f"model-{i}" for i in range(len(completions))],
        "preference": "fine_grained",
        "ratings": list(ratings),
        "aspects": {name: list(values) for name, values in (aspects or {}).items()},
    }


def choice(
    row: int,
    right: Sequence[str],
    wrong: Sequence[str],
    *,
    subset: str = "chat",
    prompt: str | Sequence[str] | None = None,
    labels: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """An item of a benchmark."""
    completions = [*right, *wrong]
    return {
        "format": "ultrarm_eval.choice/1",
        "row": row,
        "id": str(row),
        "subset": subset,
        "prompt": _turns(row, prompt),
        "completions": completions,
        "lengths": [len(text) for text in completions],
        "correct": len(right),
        "labels": dict(labels or {}),
    }


def prompted(
    row: int, reference: str, *, prompt: str | Sequence[str] | None = None
) -> dict[str, Any]:
    """A prompt with a reference, for a model to answer."""
    return {
        "format": "ultrarm_eval.prompt/1",
        "row": row,
        "source": "sharegpt",
        "prompt": _turns(row, prompt),
        "reference": reference,
        "reference_model": "model-r",
    }


def _turns(row: int, prompt: str | Sequence[str] | None) -> list[dict[str, str]]:
    own = f"question {row}" if prompt is None else prompt
    texts = [own] if isinstance(own, str) else own
    roles = ("user", "assistant")
    return [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]


def rated_sample(
    number: int, doc: dict[str, Any], rewards: Sequence[float], metadata: Mapping[str, Any]
) -> Sample:
    """The sample of a preference task; the reward NaN is that of a judge that abstains."""
    gap = Fraction(repr(metadata.get("min_gap", 0.0)))
    rules = ComparisonRules(ties=metadata.get("ties", "half"), min_gap=gap)
    document = Document.from_json(doc)
    asked = completions_to_score(document, rules)
    scored = {i: rewards[i] for i in asked if not math.isnan(rewards[i])}
    kept = document.without_ratings_of(set(range(len(rewards))) - scored.keys())
    known = [r for r in kept.main_ratings if r is not None]
    if known and max(known) > min(known) and max(known) - min(known) >= gap:
        metrics = prompt_metrics(kept, scored, rules)
    else:
        metrics = dict.fromkeys([*MEASURED, *map(accuracy_of, doc["aspects"])])
    return _compared(number, doc, [rewards[i] for i in asked], metrics)


def choice_sample(
    number: int, doc: dict[str, Any], rewards: Sequence[float], metadata: Mapping[str, Any]
) -> Sample:
    """The sample of a benchmark's task."""
    suite, document = registry().benchmark(metadata["suite"]), Document.from_json(doc)
    tie = TIE_CREDITS.get(metadata["ties"], 0.0)
    names = ("acc", "tie_rate", "acc_longest")
    if any(map(math.isnan, rewards)):
        return _compared(number, doc, rewards, dict.fromkeys(names))
    values = (
        suite.credit(document, rewards, tie),
        tie_share(rewards, doc["correct"]),
        suite.credit(document, [float(n) for n in doc["lengths"]], tie),
    )
    return _compared(number, doc, rewards, dict(zip(names, values, strict=True)))


def judged_sample(
    number: int,
    doc: dict[str, Any],
    answers: Sequence[str],
    rewards: Sequence[float | None],
    reference_reward: float | None,
) -> Sample:
    """The sample of a task in which a model writes, once or several times."""
    metrics: dict[str, Any]
    if len(answers) == 1:
        found = answer_metrics(answers[0], rewards[0], doc["reference"], reference_reward)
        names = ("reward", "win_rate", "win_rate_length_controlled")
        metrics = {name: found.get(name) for name in names}
    else:
        metrics = dict(samples_metrics(rewards, reference_reward))
        if not metrics:
            metrics = dict.fromkeys(["reward@1", "reward@2", "win_rate@1", "win_rate@2"])
    return {
        **_sample(number, doc, doc["reference"], metrics),
        "resps": [list(answers)],
        "filtered_resps": [answers[0]],
        **metrics,
        "judged": [{"reward": reward} for reward in rewards],
        "judged_reference": {"reward": reference_reward},
    }


def _compared(
    number: int, doc: dict[str, Any], rewards: Sequence[float], metrics: Mapping[str, Any]
) -> Sample:
    responses = [[str(float(reward)), "False"] for reward in rewards]
    judged = [{"reward": None if math.isnan(r) else r} for r in rewards]
    return {
        **_sample(number, doc, "0", metrics),
        "resps": [[response] for response in responses],
        "filtered_resps": responses,
        **metrics,
        **({"judged": judged} if any(map(math.isnan, rewards)) else {}),
    }


def _sample(number: int, doc: dict[str, Any], target: str, metrics: Mapping[str, Any]) -> Sample:
    written = json.dumps(doc, indent=2, ensure_ascii=False)
    return {
        "doc_id": number,
        "doc": doc,
        "target": target,
        "filter": "none",
        "metrics": list(metrics),
        "doc_hash": hashlib.sha256(written.encode()).hexdigest(),
    }


def samples_of(
    make: Callable[[int, dict[str, Any], Sequence[float], Mapping[str, Any]], Sample],
    judged: Sequence[tuple[dict[str, Any], Sequence[float]]],
    metadata: Mapping[str, Any] | None = None,
) -> list[Sample]:
    """Samples of documents with the rewards of all their completions."""
    return [make(i, doc, rewards, metadata or {}) for i, (doc, rewards) in enumerate(judged)]


def write_run(
    folder: Path,
    samples: Sequence[Sample] | None,
    metadata: Mapping[str, Any] | None = None,
    *,
    task: str = TASK,
    stamp: str = STAMP,
    name: str = "results",
    config: Mapping[str, Any] | None = None,
    figures: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Path:
    """Writes a run of one task, and returns its results file.

    Args:
        folder: Where.
        samples: Its samples; None for a run without --log_samples.
        metadata: What the task says about itself.
        task: Its name.
        stamp: The time in the files' names.
        name: The beginning of the results file's name.
        config: What the run says of its judge.
        figures: The task's figures beside the means of the samples' metrics.
        **fields: Other fields of the results file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    results = {
        "results": {
            task: {"name": task, "alias": task, **_figures(samples or []), **(figures or {})}
        },
        "group_subtasks": {},
        "configs": {task: {"task": task, "metadata": {"version": 1.0, **(metadata or {})}}},
        "n-samples": {task: {"original": len(samples or []), "effective": len(samples or [])}},
        "config": {"model": "ultrarm", "judge": "ultrarm", "pretrained": "judge", **(config or {})},
        **fields,
    }
    path = folder / f"{name}_{stamp}.json"
    path.write_text(json.dumps(results, indent=2, ensure_ascii=False), encoding="utf-8")
    if samples is not None:
        lines = [json.dumps(sample, ensure_ascii=False) + "\n" for sample in samples]
        written = folder / f"samples_{task}_{stamp}.jsonl"
        written.write_text("".join(lines), encoding="utf-8")
    return path


def _figures(samples: Sequence[Sample]) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for name in samples[0]["metrics"] if samples else ["acc"]:
        values = [s[name] for s in samples if isinstance(s.get(name), int | float)]
        if values or not samples:
            figures[f"{name},none"] = statistics.fmean(values) if values else 0.5
            figures[f"{name}_stderr,none"] = "N/A"
    return figures
