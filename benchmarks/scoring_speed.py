"""Measures ways to score completions with one model: the tutorial's loop, RewardBench's, and ours.

All ways run in one process, round after round, over the same token ids of UltraFeedback's lengths
(prompts of 185 and answers of 305 tokens on average, four a prompt) and a randomly initialised
Llama reward model; a way's figure is the median of its rounds.

    python benchmarks/scoring_speed.py --prompts 16 --rounds 5 -o results/speed.json
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from transformers import LlamaConfig

from ultrarm_eval import LlamaRewardModel
from ultrarm_eval.scoring.plan import make_plan
from ultrarm_eval.scoring.scorer import BatchLimits, score_token_ids

MODEL = {
    "vocab_size": 32_000,
    "hidden_size": 512,
    "intermediate_size": 1376,
    "num_hidden_layers": 8,
    "num_attention_heads": 8,
    "max_position_embeddings": 4096,
}
_COMPLETIONS = 4
# Means 185 and 305 tokens (openbmb/UltraFeedback), lognormal, within the limits of a judge.
_PROMPT, _ANSWER = (185, 1.0, 8, 1000), (305, 0.8, 4, 1000)
_REWARDBENCH_BATCH = 8
_BUDGET = 2048

Texts = list[tuple[int, ...]]
Pairs = list[tuple[int, int]]


def draw_texts(prompts: int, seed: int) -> tuple[Texts, Pairs]:
    """Token ids of prompts with four answers each, and all pairs of answers of a prompt."""
    draw = np.random.default_rng(seed)

    def ids(mean: float, spread: float, least: int, most: int) -> list[int]:
        length = draw.lognormal(np.log(mean) - spread**2 / 2, spread)
        return draw.integers(3, MODEL["vocab_size"], int(np.clip(length, least, most))).tolist()

    texts: Texts = []
    pairs: Pairs = []
    for _ in range(prompts):
        prompt = ids(*_PROMPT)
        first = len(texts)
        texts += [(1, *prompt, *ids(*_ANSWER)) for _ in range(_COMPLETIONS)]
        pairs += combinations(range(first, first + _COMPLETIONS), 2)
    return texts, pairs


def the_tutorials_loop(model: Any, texts: Texts, pairs: Pairs) -> dict[int, float]:
    """Both texts of every pair, one at a time."""
    rewards = {}
    with torch.inference_mode():
        for pair in pairs:
            for text in pair:
                rewards[text] = float(model(torch.tensor([texts[text]])))
    return rewards


def rewardbenchs_batches(model: Any, texts: Texts, pairs: Pairs) -> dict[int, float]:
    """Both texts of every pair, in the data's order, eight pairs a batch, padded."""
    rewards: dict[int, float] = {}
    for start in range(0, len(pairs), _REWARDBENCH_BATCH):
        for side in (0, 1):
            some = [pair[side] for pair in pairs[start : start + _REWARDBENCH_BATCH]]
            width = max(len(texts[i]) for i in some)
            ids = torch.tensor([[*texts[i], *[0] * (width - len(texts[i]))] for i in some])
            mask = torch.tensor([[1] * len(texts[i]) + [0] * (width - len(texts[i])) for i in some])
            with torch.inference_mode():
                found = model(ids, attention_mask=mask)[:, 0].tolist()
            rewards.update(zip(some, found, strict=True))
    return rewards


def ours(batching: str) -> Callable[[Any, Texts, Pairs], dict[int, float]]:
    """Every distinct text once, by one of our batchings."""

    def score(model: Any, texts: Texts, _: Pairs) -> dict[int, float]:
        rewards: dict[int, float] = {}
        for indices, values in score_token_ids(model, texts, BatchLimits(_BUDGET), batching):
            rewards.update(zip(indices, values, strict=True))
        return rewards

    return score


WAYS = {
    "tutorial's loop over pairs": the_tutorials_loop,
    "RewardBench's batches": rewardbenchs_batches,
    "ours, padded": ours("padded"),
    "ours, packed": ours("packed"),
    "ours, shared": ours("shared"),
}


def measure(prompts: int, rounds: int, seed: int) -> dict[str, Any]:
    """Times every way in every round."""
    torch.manual_seed(seed)
    model = LlamaRewardModel(LlamaConfig(**MODEL)).eval()
    texts, pairs = draw_texts(prompts, seed)
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    differences = dict.fromkeys(WAYS, 0.0)
    for _ in range(rounds):
        found = {}
        for name, way in WAYS.items():
            start = time.perf_counter()
            found[name] = way(model, texts, pairs)
            seconds[name].append(time.perf_counter() - start)
        for name, rewards in found.items():
            loop = found["tutorial's loop over pairs"]
            most = max(abs(rewards[i] - loop[i]) for i in loop)
            differences[name] = max(differences[name], most)
    arrays = [np.array(ids, dtype=np.int32) for ids in texts]
    plan = make_plan(arrays, batching="shared", max_tokens=_BUDGET)
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "threads": torch.get_num_threads(),
        "parameters": sum(p.numel() for p in model.parameters()),
        "prompts": prompts,
        "rounds": rounds,
        "seed": seed,
        "texts": len(texts),
        "pairs": len(pairs),
        "text_tokens": plan.text_tokens,
        "distinct_tokens": plan.distinct_tokens,
        "computed_tokens": plan.computed_tokens,
        "ways": {
            name: {
                "median_s": statistics.median(times),
                "least_s": min(times),
                "most_s": max(times),
                "largest_difference": differences[name],
            }
            for name, times in seconds.items()
        },
        "ratios": {name: ratios(seconds, name) for name in WAYS if name.startswith("ours")},
    }


def ratios(seconds: dict[str, list[float]], name: str) -> dict[str, list[float]]:
    """How many times as fast a way is as each baseline: median, least and most over the rounds."""
    found = {}
    for baseline in ("tutorial's loop over pairs", "RewardBench's batches", "ours, padded"):
        by_round = [a / b for a, b in zip(seconds[baseline], seconds[name], strict=True)]
        found[baseline] = [statistics.median(by_round), min(by_round), max(by_round)]
    return found


def as_table(measured: dict[str, Any]) -> str:
    """The figures as a Markdown table."""
    lines = [
        "| way | seconds (least to most) | x the loop | x RewardBench's | largest difference |",
        "|---|---|---|---|---|",
    ]
    for name, way in measured["ways"].items():
        ratio = measured["ratios"].get(name)
        shown = [
            "{:.2f} ({:.2f} to {:.2f})".format(*ratio[baseline]) if ratio else "-"
            for baseline in ("tutorial's loop over pairs", "RewardBench's batches")
        ]
        lines.append(
            f"| {name} | {way['median_s']:.2f} ({way['least_s']:.2f} to {way['most_s']:.2f}) "
            f"| {shown[0]} | {shown[1]} | {way['largest_difference']:.1g} |"
        )
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and writes the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--prompts", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args(arguments)
    measured = measure(options.prompts, options.rounds, options.seed)
    sys.stdout.write(as_table(measured))
    if options.output:
        options.output.write_text(json.dumps(measured, indent=2) + "\n")


if __name__ == "__main__":
    main()
