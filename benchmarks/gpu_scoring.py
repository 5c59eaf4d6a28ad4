"""Measures scoring on a card: a Llama of 13B's shape with random bfloat16 weights.

The weights are drawn on the device (normal, standard deviation 0.02), so neither a checkpoint nor
memory of the CPU is needed; what a forward pass costs does not depend on their values. Texts are
random token ids of UltraFeedback's lengths, four completions a prompt. RewardBench's batching (all
pairs, batch 8, padded) and ours run in turn over the same prompts, after a warm-up, and the device
is waited for before a clock is read. The peak is the fastest of several large bfloat16 products
measured in the same run; a way's fraction of it is what the layers' parameters alone take,
2 x parameters x distinct tokens, attention not counted, over its seconds.

    python benchmarks/gpu_scoring.py --prompts 64 --rounds 3 -o gpu.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matrix_peak import best_flops, wait_for
from scoring_loads import Load, ultrafeedbacks_lengths
from scoring_speed import in_order_of, ratios, versions
from scoring_ways import LOOP, REWARDBENCH, SHAPES, SHARED, WAYS, Score, layer_parameters
from transformers import LlamaConfig

from ultrarm_eval import LlamaRewardModel
from ultrarm_eval.checkpoints.device import resolve_device
from ultrarm_eval.engine.plan import make_plan
from ultrarm_eval.engine.token_budget import token_budget
from ultrarm_eval.text_format.tokens import Tokens

GPU_SHAPES = {
    "13b": {
        "vocab_size": 32_000,
        "hidden_size": 5120,
        "intermediate_size": 13_824,
        "num_hidden_layers": 40,
        "num_attention_heads": 40,
        "max_position_embeddings": 2048,
    },
    "tiny": SHAPES["tiny"],
}
DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32}
SHAPE_OF_GOALS = "13b"
#: How many times as fast as RewardBench's batching, and the part of the matrix peak, at least.
SPEED_GOAL, PEAK_GOAL = 4.0, 0.6
WAYS_MEASURED = (REWARDBENCH, "padded", SHARED)
_STANDARD_DEVIATION = 0.02
_TEXTS_OF_LOOP = 16
_WARM_UP_PROMPTS = 4
_PEAK_REPEATS = 20
# Large enough that a card is full, and one that has the shape of the model's own products.
_GPU_PRODUCTS = ((8192, 8192, 8192), (16_384, 8192, 8192), (16_384, 5120, 13_824))
_CPU_PRODUCTS = ((128, 128, 128),)


def random_model(
    shape: str, device: torch.device, dtype: torch.dtype, seed: int
) -> LlamaRewardModel:
    """A reward model that is made on the device, its body in a dtype, norm and head in float32."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            model: LlamaRewardModel = LlamaRewardModel(LlamaConfig(**GPU_SHAPES[shape])).eval()
    finally:
        torch.set_default_dtype(before)
    model.model.norm.float()
    model.regression_head.float()
    draw = torch.Generator(device).manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            # The norms' weights stay 1.
            if parameter.ndim > 1:
                parameter.normal_(0.0, _STANDARD_DEVIATION, generator=draw)
    return model


def rewards_one_at_a_time(model: LlamaRewardModel, load: Load, texts: int) -> dict[int, float]:
    """Rewards of the first texts by the tutorial's loop."""
    first = range(min(texts, len(load.texts)))
    alone = Load(load.texts, load.context_lengths, [(i, i) for i in first], load.prompts)
    return WAYS[LOOP].prepare(model, 0)(alone)


def timed(score: Score, load: Load, device: torch.device) -> tuple[float, dict[int, float]]:
    """Seconds and rewards of one way."""
    wait_for(device)
    start = time.perf_counter()
    rewards = score(load)
    wait_for(device)
    return time.perf_counter() - start, rewards


def measure(
    *,
    shape: str,
    device: torch.device,
    dtype: str,
    prompts: int,
    rounds: int,
    budget: int | None,
    seed: int,
) -> dict[str, Any]:
    """Times the ways in turn, and compares their rewards with the loop's."""
    on_gpu = device.type == "cuda"
    products = _GPU_PRODUCTS if on_gpu else _CPU_PRODUCTS
    model = random_model(shape, device, DTYPES[dtype], seed)
    budget = budget or token_budget(model.config, DTYPES[dtype], device)
    vocabulary = GPU_SHAPES[shape]["vocab_size"]
    load = ultrafeedbacks_lengths(prompts, vocabulary, seed)
    expected = rewards_one_at_a_time(model, load, _TEXTS_OF_LOOP)
    scores = {way: WAYS[way].prepare(model, budget) for way in WAYS_MEASURED}
    few = ultrafeedbacks_lengths(min(prompts, _WARM_UP_PROMPTS), vocabulary, seed + 1)
    for score in scores.values():
        score(few)
    peaks = [best_flops(products, device, DTYPES[dtype], _PEAK_REPEATS)]
    seconds: dict[str, list[float]] = {way: [] for way in scores}
    memory = dict.fromkeys(scores, 0)
    drift = dict.fromkeys(scores, 0.0)
    for round_number in range(rounds):
        for way in in_order_of(round_number, WAYS_MEASURED):
            if on_gpu:
                torch.cuda.reset_peak_memory_stats(device)
            took, rewards = timed(scores[way], load, device)
            seconds[way].append(took)
            if not np.isfinite(list(rewards.values())).all():
                raise RuntimeError(f"{way}: rewards are no numbers.")
            drift[way] = max(drift[way], *(abs(rewards[i] - expected[i]) for i in expected))
            if on_gpu:
                memory[way] = max(memory[way], torch.cuda.max_memory_allocated(device))
    # Before and after: a card that is warm is slower.
    peaks.append(best_flops(products, device, DTYPES[dtype], _PEAK_REPEATS))
    texts = [Tokens.of(ids) for ids in load.texts]
    plan = make_plan(texts, batching=SHARED, max_tokens=budget)
    operations = 2 * layer_parameters(model) * plan.distinct_tokens
    measured: dict[str, Any] = {
        **versions(),
        "device": torch.cuda.get_device_name(device) if on_gpu else "cpu",
        "cuda": torch.version.cuda if on_gpu else None,
        "shape": shape,
        "dtype": dtype,
        "parameters": sum(int(p.numel()) for p in model.parameters()),
        "layer_parameters": layer_parameters(model),
        "rounds": rounds,
        "seed": seed,
        "budget": budget,
        "prompts": prompts,
        "texts": len(load.texts),
        "pairs": len(load.pairs),
        "text_tokens": plan.text_tokens,
        "distinct_tokens": plan.distinct_tokens,
        "computed_tokens": plan.computed_tokens,
        "matrix_peak_tflops": max(peaks) / 1e12,
        "texts_of_loop": len(expected),
        "spread_of_rewards": statistics.pstdev(expected.values()),
        "ways": {
            way: {
                "median_s": statistics.median(times),
                "seconds": times,
                "distinct_tokens_per_s": plan.distinct_tokens / statistics.median(times),
                "fraction_of_peak": operations / statistics.median(times) / max(peaks),
                "peak_memory_gb": memory[way] / 1e9 if on_gpu else None,
                "drift": drift[way],
            }
            for way, times in seconds.items()
        },
        "ratios": {way: ratios(seconds, way, REWARDBENCH) for way in seconds if way != REWARDBENCH},
    }
    return {**measured, "goals": goals(measured)}


def goals(measured: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The goals, what was reached, and whether they are met; none for other shapes than theirs."""
    if measured["shape"] != SHAPE_OF_GOALS:
        return []
    reached = {
        "ours, shared: times as fast as RewardBench's batches": (
            SPEED_GOAL,
            measured["ratios"][SHARED]["median"],
        ),
        "ours, shared: fraction of the matrix peak": (
            PEAK_GOAL,
            measured["ways"][SHARED]["fraction_of_peak"],
        ),
    }
    return [
        {"what": what, "goal": goal, "reached": value, "met": value >= goal}
        for what, (goal, value) in reached.items()
    ]


def as_tables(measured: Mapping[str, Any]) -> str:
    """The figures as Markdown tables."""
    lines = [
        f"{measured['device']}, {measured['shape']}, {measured['dtype']}; matrix products alone "
        f"reach {measured['matrix_peak_tflops']:.3g} TFLOP/s; {measured['prompts']} prompts, "
        f"{measured['distinct_tokens']} distinct tokens.",
        "",
        "| way | seconds | distinct tokens/s | of the peak | x RewardBench's | memory | drift |",
        "|---|---|---|---|---|---|---|",
    ]
    for way, figures in measured["ways"].items():
        ratio = measured["ratios"].get(way)
        shown = "{median:.2f} ({least:.2f} to {most:.2f})".format(**ratio) if ratio else "-"
        memory = figures["peak_memory_gb"]
        lines.append(
            f"| {WAYS[way].title} | {figures['median_s']:.2f} "
            f"| {figures['distinct_tokens_per_s']:.0f} | {figures['fraction_of_peak']:.1%} "
            f"| {shown} | {'-' if memory is None else f'{memory:.1f} GB'} "
            f"| {figures['drift']:.2g} |"
        )
    lines += [
        "",
        f"Drift: the largest difference from {measured['texts_of_loop']} texts scored one at a "
        f"time, whose rewards have a standard deviation of {measured['spread_of_rewards']:.2g}.",
    ]
    if measured["goals"]:
        lines += ["", "| goal | at least | reached | |", "|---|---|---|---|"]
    lines += [
        f"| {g['what']} | {g['goal']} | {g['reached']:.3f} | {'met' if g['met'] else 'not met'} |"
        for g in measured["goals"]
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and writes the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", help="the first GPU if there is one, else the CPU")
    parser.add_argument("--shape", choices=list(GPU_SHAPES), default=SHAPE_OF_GOALS)
    parser.add_argument("--dtype", choices=list(DTYPES), default="bfloat16")
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--budget", type=int, help="tokens of a batch; the package's own choice")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args(arguments)
    device = resolve_device(options.device)
    if device.type == "cpu" and options.shape == SHAPE_OF_GOALS:
        parser.error("No GPU here: --shape tiny runs on a CPU.")
    measured = measure(
        shape=options.shape,
        device=device,
        dtype=options.dtype,
        prompts=options.prompts,
        rounds=options.rounds,
        budget=options.budget,
        seed=options.seed,
    )
    sys.stdout.write(as_tables(measured))
    if options.output:
        options.output.write_text(json.dumps(measured, indent=2) + "\n")


if __name__ == "__main__":
    main()
