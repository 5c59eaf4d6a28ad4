"""Real runs of every kind of task, written as the harness's command writes them."""

from __future__ import annotations

import copy
import json
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks import rows
from tests.conftest import TINY_LLAMA, raw_row, write_jsonl
from ultrarm_eval import demo

#: Tasks in which a judge compares: two of preference data, groups, and every benchmark's figures.
COMPARED = (
    "ultrafeedback_pairs",
    "preference_pairs",
    "llmbar",
    "rewardbench_overall",
    "rewardbench2_overall",
    "rm_bench",
    "judgebench",
    "ppe_human",
    "preference_test_sets",
    "ultrarm_paper",
)
#: Tasks in which a model writes, and a judge scores or picks.
WRITTEN = ("ultrafeedback_judge", "ultrafeedback_best_of_n", "gsm8k_best_of_n")
#: One task of each kind, for the quick suite: pairs with categories, a group, and figures that are
#: made of parts; answers of the harness's metrics and of our own.
FEW_COMPARED = ("preference_pairs", "llmbar", "rm_bench")
FEW_WRITTEN = ("ultrafeedback_judge", "gsm8k_best_of_n")


@dataclass(frozen=True)
class WrittenRun:
    """A run.

    Attributes:
        folder: What `--output_path` names.
        results: What `simple_evaluate` gave, without the samples.
        samples: The samples that it gave.
    """

    folder: Path
    results: dict[str, Any]
    samples: dict[str, list[dict[str, Any]]]

    @property
    def file(self) -> Path:
        """The results file."""
        (found,) = self.folder.rglob("results_*.json")
        return found

    def samples_file(self, task: str) -> Path:
        """The file of a task's samples."""
        (found,) = self.folder.rglob(f"samples_{task}_2*.jsonl")
        return found


def few(found: list[dict[str, Any]], *columns: str, most: int = 2) -> list[dict[str, Any]]:
    """The first rows of each value of some columns: enough for every figure and its error."""
    seen: Counter[tuple[Any, ...]] = Counter()
    chosen = []
    for row in found:
        value = tuple(row[column] for column in columns)
        seen[value] += 1
        # The formula of Ties needs both rows of a question.
        if seen[value] <= most or "Ties" in value:
            chosen.append(row)
    return chosen


def write_data(folder: Path) -> dict[str, str]:
    """Writes data for every task; the path by the name of a task or group."""
    answers = (("the sky is blue", 5), ("green", 3), ("the human has a long answer", 1))
    rated = [raw_row(f"question {i}", answers[i % 2 :]) for i in range(6)]
    judged = [raw_row(f"question {i}", answers) for i in range(5)]
    for row in judged:
        row["completions"][1]["model"] = "gpt-4"
    pairs = [
        {
            "prompt": f"question {i}",
            "chosen": "the sky",
            "rejected": "grass " * (i % 3),
            # What loggers and tables take for separators.
            "kind": ["code/python, 2", "chat", "one of a kind"][min(i % 4, 1) if i < 9 else 2],
        }
        for i in range(10)
    ]
    sums = [{"question": f"1+{i}?", "answer": f"so #### {1 + i}"} for i in range(4)]
    rows.write_llmbar(folder / "llmbar", 1)
    found = {
        "ultrafeedback_pairs": write_jsonl(folder / "rated.jsonl", rated),
        "ultrafeedback_judge": write_jsonl(folder / "judged.jsonl", judged),
        "ultrafeedback_best_of_n": folder / "judged.jsonl",
        "gsm8k_best_of_n": write_jsonl(folder / "sums.jsonl", sums),
        "preference_pairs": write_jsonl(folder / "pairs.jsonl", pairs),
        "llmbar": folder / "llmbar",
        "rewardbench_overall": rows.write_jsonl(
            folder / "rb.jsonl", few(rows.rewardbench(1), "subset")
        ),
        "rewardbench2_overall": rows.write_jsonl(
            folder / "rb2.jsonl", few(rows.rewardbench2(1), "subset")
        ),
        "rm_bench": rows.write_json(folder / "rm_bench.json", few(rows.rm_bench(1), "domain")),
        "ppe_human": rows.write_jsonl(folder / "ppe.jsonl", rows.ppe_human(1)),
    }
    answers_of = [one for split in rows.JUDGEBENCH_MODELS for one in rows.judgebench(1, split)]
    found["judgebench"] = rows.write_jsonl(
        folder / "judgebench.jsonl", few(answers_of, "response_model", "source")
    )
    for name in (*rows.COUNTED_PREFERENCE_SETS, *rows.OTHER_PREFERENCE_SETS):
        path = folder / "sets" / f"{name}.jsonl"
        rows.write_jsonl(path, rows.preference_test_set(1, name)[:4])
        found[f"preference_test_sets_{name}"] = path
    for name, make in rows.PAPER_SETS.items():
        path = rows.write_jsonl(folder / "paper" / f"{name}.jsonl", make(1)[:6])
        found[f"ultrarm_paper_{name}"] = path
    return {name: str(path) for name, path in found.items()}


def write_language_model(folder: Path, sentencepiece_model: Path) -> None:
    """Writes a tiny language model that `--model hf` loads."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    LlamaForCausalLM(LlamaConfig(**TINY_LLAMA)).save_pretrained(folder)
    shutil.copy(sentencepiece_model, folder / "tokenizer.model")
    tokenizer = {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "legacy": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory, sentencepiece_model: Path) -> Path:
    """A folder with the models `org/judge` and `org/lm`, and `data.json`: where data lie."""
    folder = tmp_path_factory.mktemp("pipelines")
    (folder / "org").mkdir()
    shutil.copytree(Path(demo.__file__).parent / "judge", folder / "org" / "judge")
    write_language_model(folder / "org" / "lm", sentencepiece_model)
    (folder / "data").mkdir()
    (folder / "data.json").write_text(json.dumps(write_data(folder / "data")))
    return folder


def _evaluated(workplace: Path, model: str, name: str, tasks: Any, **options: Any) -> WrittenRun:
    """Runs tasks, and saves results and samples by the calls that the harness's command makes."""
    from lm_eval import simple_evaluate
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    data = json.loads((workplace / "data.json").read_text())
    metadata = {"data": data, "category": "kind", "judge": "org/judge", "n": 2}
    tracker = EvaluationTracker(output_path=str(workplace / name))
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(workplace)
        # The harness asks pip for a list of packages after each run, which takes most of the time.
        patched.setattr("lm_eval.evaluator.add_env_info", lambda results: None)
        results: dict[str, Any] = simple_evaluate(
            model=model,
            model_args={"pretrained": f"org/{'lm' if model == 'hf' else 'judge'}"},
            tasks=list(tasks),
            task_manager=TaskManager(include_defaults=False, metadata=metadata),
            device="cpu",
            bootstrap_iters=100,
            evaluation_tracker=tracker,
            log_samples=True,
            **options,
        )
    samples = results.pop("samples")
    # Saving changes both.
    saved, written = copy.deepcopy(results), copy.deepcopy(samples)
    tracker.save_results_aggregated(results=saved, samples=written)
    for task in saved["configs"]:
        tracker.save_results_samples(task_name=task, samples=written[task])
    return WrittenRun(workplace / name, results, samples)


def _compared(workplace: Path, name: str, tasks: Sequence[str]) -> WrittenRun:
    """A judge on tasks that compare."""
    return _evaluated(workplace, "ultrarm", name, tasks)


def _written(workplace: Path, name: str, tasks: Sequence[str]) -> WrittenRun:
    """A language model on tasks that write."""
    limits = {"max_gen_toks": 8}
    return _evaluated(workplace, "hf", name, tasks, num_fewshot=0, gen_kwargs=limits)


@pytest.fixture(scope="session")
def compared(workplace: Path) -> WrittenRun:
    """A judge on every task that compares."""
    return _compared(workplace, "compared", COMPARED)


@pytest.fixture(scope="session")
def written(workplace: Path) -> WrittenRun:
    """A language model on every task that writes."""
    return _written(workplace, "written", WRITTEN)


@pytest.fixture(scope="session")
def few_compared(workplace: Path) -> WrittenRun:
    """A judge on few tasks that compare."""
    return _compared(workplace, "few_compared", FEW_COMPARED)


@pytest.fixture(scope="session")
def few_written(workplace: Path) -> WrittenRun:
    """A language model on few tasks that write."""
    return _written(workplace, "few_written", FEW_WRITTEN)


@pytest.fixture(scope="session")
def likelihoods(workplace: Path) -> WrittenRun:
    """A language model that compares by likelihood."""
    return _evaluated(workplace, "hf", "likelihoods", ("preference_pairs",))


os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
