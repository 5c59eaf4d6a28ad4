"""Small runs as the harness itself writes them: of pairs, a benchmark, judged answers, and a task of others."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.benchmarks.rows import REWARDBENCH_SUBSETS, Texts, rewardbench_row
from tests.conftest import raw_row, write_jsonl

#: The task of each kind.
TASKS = {
    "pairs": "ultrafeedback_pairs",
    "suite": "rewardbench_overall",
    "judged": "ultrafeedback_judge",
    "best": "ultrafeedback_best_of_n",
    "plain": "plain",
}
_PLAIN = {
    "task": "plain",
    "dataset_path": "json",
    "test_split": "train",
    "output_type": "generate_until",
    "doc_to_text": "{{question}}",
    "doc_to_target": "{{answer}}",
    "generation_kwargs": {"do_sample": True, "temperature": 0.7},
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    "metadata": {"version": 1.0},
}


class _Judge:
    """A judge without weights."""

    name = "toy"
    may_abstain = False

    def __init__(self, reward: Callable[[str], float], strength: int) -> None:
        self._reward, self._strength = reward, strength

    def score(self, prompts: Any, completions: Any) -> list[float]:
        return [self._reward(text) for text in completions]

    def settings(self) -> dict[str, Any]:
        return {"template": "raw", "strength": self._strength, "counts": {"texts": 7}}

    def fingerprint(self) -> str:
        return f"toy {self._strength}"


def write_runs(folder: Path, monkeypatch: Any) -> dict[str, list[Path]]:
    """Writes two runs of each kind, of two judges or models; the results files.

    Args:
        folder: Where.
        monkeypatch: Puts the judges in the place of those with weights.
    """
    from lm_eval import evaluator
    from lm_eval.api.model import LM
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    from ultrarm_eval.lm_eval_plugin.reward_lm import RewardModelLM

    class Writer(LM):  # type: ignore[misc]
        def __init__(self, strength: int) -> None:
            super().__init__()
            self._strength = strength

        def generate_until(self, requests: Any, **_: Any) -> list[str]:
            texts = [f"{r.args[0][: self._strength]} {i}" for i, r in enumerate(requests)]
            return [text if i % 3 else "right" for i, text in enumerate(texts)]

        def loglikelihood(self, requests: Any, **_: Any) -> list[tuple[float, bool]]:
            raise NotImplementedError

        loglikelihood_rolling = loglikelihood

    def model_of(judge: _Judge) -> Any:
        return RewardModelLM.of_judge(judge, judge.name, "org/toy")

    monkeypatch.setattr("lm_eval.evaluator.add_env_info", lambda results: None)
    folder.mkdir(parents=True, exist_ok=True)
    data = _data(folder / "data")
    written: dict[str, list[Path]] = {}
    for kind, task in TASKS.items():
        for strength in (1, 2):
            judge = _Judge(_REWARDS[strength], strength)
            monkeypatch.setattr(
                "ultrarm_eval.lm_eval_plugin.reward_filters.shared_judge",
                lambda *_, judge=judge: judge,
            )
            writes = kind in ("judged", "best", "plain")
            tracker = EvaluationTracker(output_path=str(folder / f"{kind}-{strength}"))
            name = f"org/model-{strength}"
            results = evaluator.simple_evaluate(
                model=Writer(strength) if writes else model_of(judge),
                model_args={"pretrained": name},
                tasks=[task],
                task_manager=TaskManager(
                    include_defaults=False,
                    include_path=str(folder / "data"),
                    metadata=data[kind],
                ),
                evaluation_tracker=tracker,
                bootstrap_iters=10,
                device="cpu",
                log_samples=True,
            )
            samples = results.pop("samples")
            tracker.save_results_aggregated(results=results, samples=samples)
            for of_task, lines in samples.items():
                tracker.save_results_samples(task_name=of_task, samples=lines)
            (path,) = (folder / f"{kind}-{strength}").rglob("results_*.json")
            written.setdefault(kind, []).append(path)
    return written


_REWARDS: Mapping[int, Callable[[str], float]] = {
    1: lambda text: float(len(text) % 7),
    2: lambda text: float(len(text) % 5) - text.count("a"),
}


def _data(folder: Path) -> dict[str, dict[str, Any]]:
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        raw_row(f"question {i}", answers=((f"good answer {i}" * (i + 1), 5), ("bad", 1), ("so", 3)))
        for i in range(5)
    ]
    rated = str(write_jsonl(folder / "rated.jsonl", rows))
    text = Texts(0, "rb")
    items = [rewardbench_row(text, name, i) for i, name in enumerate(REWARDBENCH_SUBSETS)]
    official = str(write_jsonl(folder / "rewardbench.jsonl", items))
    asked = [{"question": f"q{i}", "answer": "right" if i % 2 else "other"} for i in range(5)]
    plain = {
        **_PLAIN,
        "dataset_kwargs": {"data_files": str(write_jsonl(folder / "q.jsonl", asked))},
    }
    (folder / "plain.yaml").write_text(yaml.safe_dump(plain), encoding="utf-8")
    return {
        "pairs": {"data": rated},
        "suite": {"data": official},
        "judged": {"data": rated, "judge": "demo", "reference": "best"},
        "best": {"data": rated, "judge": "demo", "reference": "best", "n": 2},
        "plain": {},
    }


def lines_of(results: Path) -> list[dict[str, Any]]:
    """The samples beside a results file."""
    (path,) = results.parent.glob("samples_*.jsonl")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
