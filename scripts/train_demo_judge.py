"""Trains the demo judge and writes it, its training log and its figures.

Everything is seeded, and runs on the CPU in minutes. Run from the repository root, with the
package installed, after the held-out data was written by `make_demo_data.py`:

    python scripts/train_demo_judge.py
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from functools import cache
from pathlib import Path
from typing import Any

import sentencepiece
import torch
import transformers
from demo_grammar import Row, generate_rows
from demo_judge.accuracy import accuracy, baseline_accuracies, count_pairs
from demo_judge.model_card import MODEL_CARD
from demo_judge.preferences import rated_prompts
from demo_judge.tokenizer import train_tokenizer
from demo_judge.training import TrainingSettings, make_deterministic, new_judge, score, train
from transformers import AutoTokenizer

from ultrarm_eval.checkpoints.decoder_reward_model import LlamaRewardModel

# As many as the steps take: no prompt is seen twice, so there is nothing to learn by heart.
TRAIN_PROMPTS = TrainingSettings.steps * TrainingSettings.prompts_per_step
TRAIN_DATA_SEED = 0
WATCHED_TRAIN_PROMPTS = 100
RANDOM_JUDGE_SEED = 0


def _write_json(path: Path, content: dict[str, Any]) -> None:
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8", newline="\n")


def _save(judge: LlamaRewardModel, folder: Path) -> None:
    """Writes the weights, and a config that both transformers 4 and 5 read."""
    judge.save_pretrained(folder)
    # safetensors are written for their owner alone, and a wheel would keep it so.
    (folder / "model.safetensors").chmod(0o644)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    # Version 5 renamed these two keys; each version passes over the other's.
    config["dtype"] = config["torch_dtype"] = "float32"
    rope = config.get("rope_parameters") or {"rope_type": "default", "rope_theta": 10000.0}
    config["rope_parameters"], config["rope_theta"] = rope, rope["rope_theta"]
    _write_json(folder / "config.json", dict(sorted(config.items())))
    (folder / "README.md").write_text(MODEL_CARD, encoding="utf-8", newline="\n")


def _check_disjoint(train_rows: list[Row], heldout_rows: list[Row]) -> None:
    shared = {row["instruction"] for row in train_rows} & {
        row["instruction"] for row in heldout_rows
    }
    if shared:
        raise SystemExit(f"{len(shared)} held-out prompts are in the training data.")


def main() -> None:
    """Parses the command line, trains, measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--heldout", type=Path, default=Path("ultrarm_eval/demo/ultrafeedback_demo.jsonl")
    )
    parser.add_argument("--judge", type=Path, default=Path("ultrarm_eval/demo/judge"))
    parser.add_argument("--results", type=Path, default=Path("results/demo"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=TrainingSettings.steps)
    arguments = parser.parse_args()
    started = time.perf_counter()

    settings = TrainingSettings(seed=arguments.seed, steps=arguments.steps)
    make_deterministic(settings)
    train_rows = list(generate_rows("train", TRAIN_PROMPTS, TRAIN_DATA_SEED))
    heldout_lines = arguments.heldout.read_text(encoding="utf-8").splitlines()
    heldout_rows: list[Row] = [json.loads(line) for line in heldout_lines]
    _check_disjoint(train_rows, heldout_rows)
    train_prompts, heldout_prompts = rated_prompts(train_rows), rated_prompts(heldout_rows)

    train_tokenizer((text for prompt in train_prompts for text in prompt.texts), arguments.judge)
    judge = new_judge()
    # The tokenizer is found by the config beside it, so that has to be there first.
    _save(judge, arguments.judge)
    tokenizer = AutoTokenizer.from_pretrained(arguments.judge)

    @cache
    def tokenize(text: str) -> list[int]:
        ids: list[int] = tokenizer(text)["input_ids"]
        return ids

    watched = {"train": train_prompts[:WATCHED_TRAIN_PROMPTS], "heldout": heldout_prompts}
    arguments.results.mkdir(parents=True, exist_ok=True)
    log_path = arguments.results / "training_log.jsonl"
    with log_path.open("w", encoding="utf-8", newline="\n") as log:
        for entry in train(judge, train_prompts, watched, tokenize, settings):
            log.write(json.dumps(entry) + "\n")
            print(entry, f"{time.perf_counter() - started:.0f} s", flush=True)
    _save(judge, arguments.judge)

    saved_judge = LlamaRewardModel.from_pretrained(arguments.judge)
    rewards = score(saved_judge, heldout_prompts, tokenize)
    baselines = baseline_accuracies(heldout_prompts, RANDOM_JUDGE_SEED)
    files = [*sorted(arguments.judge.iterdir()), arguments.heldout]
    sizes: dict[str, int] = {file.name: file.stat().st_size for file in files}
    figures = {
        "heldout_accuracy": {
            "demo_judge": round(accuracy(heldout_prompts, rewards), 6),
            **{name: round(value, 6) for name, value in baselines.items()},
        },
        "heldout_prompts": len(heldout_prompts),
        "heldout_pairs": count_pairs(heldout_prompts),
        "train_prompts": len(train_prompts),
        "train_pairs": count_pairs(train_prompts),
        "train_data_seed": TRAIN_DATA_SEED,
        "random_judge_seed": RANDOM_JUDGE_SEED,
        "training": vars(settings),
        "parameters": sum(int(weight.numel()) for weight in saved_judge.parameters()),
        "bytes": {**sizes, "total": sum(sizes.values())},
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "sentencepiece": sentencepiece.__version__,
        },
    }
    _write_json(arguments.results / "figures.json", figures)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
