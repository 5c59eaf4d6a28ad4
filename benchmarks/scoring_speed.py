"""Measures ways to score completions with one model: a tutorial's, RewardBench's, lm-eval's, ours.

All ways run in one process, round after round and each round in another order, over the same token
ids and a randomly initialised Llama reward model in float32 on the CPU. A way's figure is the
median of its rounds; a ratio is taken within each round. Rewards that differ end the run.

    python benchmarks/scoring_speed.py ultrafeedback --limit 16 --rounds 5 -o speed.json
    python benchmarks/scoring_speed.py best_of_n --limit 2
    python benchmarks/scoring_speed.py pairs --data PATH --limit 60
    python benchmarks/scoring_speed.py four --data PATH --limit 16 --ways sorted shared
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from matrix_peak import best_flops, best_onednn_flops, models_products
from scoring_loads import RANDOM_LOADS, Load, load_from_file, ultrafeedbacks_lengths
from scoring_ways import (
    EACH,
    HF,
    LOOP,
    REWARDBENCH,
    SHAPES,
    SHARED,
    SORTED,
    WAYS,
    layer_parameters,
    reward_model,
)

from ultrarm_eval.engine.plan import make_plan
from ultrarm_eval.engine.token_budget import CPU_TREE_TOKENS
from ultrarm_eval.text_format.tokens import Tokens

#: How many times as fast as each baseline our shared batching is to be, by load; for the shape
#: below, since a smaller model pays more for everything that is no matrix product.
GOALS: dict[str, dict[str, float]] = {
    "ultrafeedback": {LOOP: 6.5, REWARDBENCH: 14.0, HF: 4.5},
    "pairs": {LOOP: 2.5, REWARDBENCH: 5.5},
    "four": {SORTED: 2.5},
    "best_of_n": {EACH: 10.0},
    "long_prompts": {},
}
#: What is measured unless ways are named; with 32 answers a prompt a loop over pairs would score
#: every text 31 times.
_USUAL_WAYS = {"best_of_n": (EACH, SORTED, SHARED), "long_prompts": (EACH, SORTED, SHARED)}
SHAPE_OF_GOALS = "40m"
#: Tokens computed by our shared batching over distinct tokens, at most.
TOKENS_GOAL = 1.03
LARGEST_DIFFERENCE = 5e-5
# Others' padding and masks choose other kernels; beyond this they compute something else.
_OTHERS_LARGEST_DIFFERENCE = 1e-3
_PROMPTS = {"ultrafeedback": 16, "best_of_n": 2, "long_prompts": 8}
_BUDGET = 2048
_PEAK_ROWS, _PEAK_REPEATS = 2048, 10

Seconds = Mapping[str, Sequence[float]]


class DisagreementError(Exception):
    """Two ways found different rewards for a text, so their times cannot be compared."""


def in_order_of(round_number: int, names: Sequence[str]) -> list[str]:
    """The ways in a round's order: each begins once, and has had each place after a while."""
    shift = round_number % len(names)
    return [*names[shift:], *names[:shift]]


def ratios(seconds: Seconds, way: str, baseline: str) -> dict[str, float]:
    """How many times as fast a way is as a baseline: median, least and most over the rounds."""
    by_round = [a / b for a, b in zip(seconds[baseline], seconds[way], strict=True)]
    return {"median": statistics.median(by_round), "least": min(by_round), "most": max(by_round)}


def largest_difference(
    way: str, rewards: Mapping[int, float], expected: Mapping[int, float]
) -> float:
    """The largest absolute difference of a way's rewards.

    Raises:
        DisagreementError: It is larger than rounding explains, or rewards are missing.
    """
    if rewards.keys() != expected.keys():
        raise DisagreementError(f"{way}: {len(rewards)} rewards, and not {len(expected)}.")
    largest = max((abs(rewards[i] - expected[i]) for i in expected), default=0.0)
    allowed = LARGEST_DIFFERENCE if WAYS[way].is_ours else _OTHERS_LARGEST_DIFFERENCE
    # A reward that is no number would compare as small.
    if not largest <= allowed:
        raise DisagreementError(
            f"{way}: rewards differ by {largest:.2g}; {allowed:.0e} is allowed."
        )
    return largest


def measure(
    name: str,
    load: Load,
    *,
    ways: Sequence[str],
    shape: str,
    rounds: int,
    budget: int,
    seed: int,
) -> dict[str, Any]:
    """Times every way in every round, and compares the rewards."""
    model = reward_model(shape, seed)
    scores = {way: WAYS[way].prepare(model, budget) for way in ways}
    few = ultrafeedbacks_lengths(1, SHAPES[shape]["vocab_size"], seed)
    for score in scores.values():
        score(few)
    peaks = [_peaks(shape)]
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    differences: dict[str, float] = {}
    reference = next((way for way in ways if WAYS[way].makes_rewards), None)
    for round_number in range(rounds):
        found = {}
        for way in in_order_of(round_number, ways):
            start = time.perf_counter()
            found[way] = scores[way](load)
            seconds[way].append(time.perf_counter() - start)
        for way in ways:
            if reference is not None and WAYS[way].makes_rewards:
                difference = largest_difference(way, found[way], found[reference])
                differences[way] = max(differences.get(way, 0.0), difference)
    # Before and after, since other work on the machine slows either.
    peaks.append(_peaks(shape))
    texts = [Tokens.of(ids) for ids in load.texts]
    plan = make_plan(texts, batching=SHARED, max_tokens=budget, max_tree_tokens=CPU_TREE_TOKENS)
    operations = 2 * layer_parameters(model) * plan.distinct_tokens
    measured: dict[str, Any] = {
        **versions(),
        "threads": torch.get_num_threads(),
        "load": name,
        "shape": shape,
        "parameters": sum(int(p.numel()) for p in model.parameters()),
        "layer_parameters": layer_parameters(model),
        "rounds": rounds,
        "seed": seed,
        "budget": budget,
        "prompts": load.prompts,
        "texts": len(load.texts),
        "pairs": len(load.pairs),
        "text_tokens": plan.text_tokens,
        "distinct_tokens": plan.distinct_tokens,
        "computed_tokens": plan.computed_tokens,
        "computed_over_distinct": plan.computed_tokens / plan.distinct_tokens,
        # How many times as fast sharing alone could make a loop over distinct texts.
        "text_over_distinct": plan.text_tokens / plan.distinct_tokens,
        "matrix_peak_gflops": {
            library: max(peak[library] for peak in peaks) for library in peaks[0]
        },
        "differences_from": reference,
        "ways": {
            way: {
                "median_s": statistics.median(times),
                "least_s": min(times),
                "most_s": max(times),
                "seconds": times,
                "gflops": operations / statistics.median(times) / 1e9,
                "largest_difference": differences.get(way),
            }
            for way, times in seconds.items()
        },
        "ratios": {
            way: {baseline: ratios(seconds, way, baseline) for baseline in ways if baseline != way}
            for way in ways
            if WAYS[way].is_ours
        },
    }
    return {**measured, "goals": goals(measured)}


def versions() -> dict[str, Any]:
    """What the figures depend on besides the code."""
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        **{
            package: importlib.metadata.version(package)
            for package in ("torch", "transformers", "lm_eval")
        },
    }


def goals(measured: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The goals of a load whose ways were measured, what was reached, and whether they are met."""
    found = []
    by_baseline = measured["ratios"].get(SHARED, {})
    speeds = GOALS[measured["load"]] if measured["shape"] == SHAPE_OF_GOALS else {}
    for baseline, goal in speeds.items():
        if baseline in by_baseline:
            reached = by_baseline[baseline]["median"]
            what = f"ours, shared: times as fast as {WAYS[baseline].title}"
            found.append({"what": what, "goal": goal, "reached": reached, "met": reached >= goal})
    reached = measured["computed_over_distinct"]
    what = "ours, shared: computed tokens over distinct tokens, at most"
    found.append(
        {"what": what, "goal": TOKENS_GOAL, "reached": reached, "met": reached <= TOKENS_GOAL}
    )
    return found


def _peaks(shape: str) -> dict[str, float]:
    """GFLOP/s of the model's own products in float32, by the library that computes them."""
    sizes = SHAPES[shape]
    products = models_products(sizes["hidden_size"], sizes["intermediate_size"], _PEAK_ROWS)
    found = {"torch.mm": best_flops(products, torch.device("cpu"), torch.float32, _PEAK_REPEATS)}
    onednn = best_onednn_flops(products, _PEAK_REPEATS)
    if onednn is not None:
        found["oneDNN"] = onednn
    return {library: flops / 1e9 for library, flops in found.items()}


def as_tables(measured: Mapping[str, Any]) -> str:
    """The figures as Markdown tables."""
    baselines = [way for way in measured["ways"] if way in (LOOP, EACH, REWARDBENCH, HF, SORTED)]
    columns = ["way", "seconds (least to most)", *(f"x {WAYS[b].title}" for b in baselines)]
    lines = [_row([*columns, "largest difference", "GFLOP/s"]), "|---" * (len(columns) + 2) + "|"]
    for way, figures in measured["ways"].items():
        own = measured["ratios"].get(way, {})
        cells = [
            "{median:.2f} ({least:.2f} to {most:.2f})".format(**own[baseline]) if own else "-"
            for baseline in baselines
        ]
        difference = figures["largest_difference"]
        times = "{median_s:.2f} ({least_s:.2f} to {most_s:.2f})".format(**figures)
        shown = "-" if difference is None else f"{difference:.1g}"
        lines.append(_row([WAYS[way].title, times, *cells, shown, f"{figures['gflops']:.1f}"]))
    peaks = ", ".join(f"{n} {peak:.1f}" for n, peak in measured["matrix_peak_gflops"].items())
    lines += [
        "",
        f"GFLOP/s over {measured['distinct_tokens']} distinct tokens; matrix products alone reach: "
        f"{peaks}. The texts have {measured['text_over_distinct']:.2f} times as many.",
        "",
        "| goal | at least / at most | reached | |",
        "|---|---|---|---|",
    ]
    lines += [
        _row([g["what"], str(g["goal"]), f"{g['reached']:.3f}", "met" if g["met"] else "not met"])
        for g in measured["goals"]
    ]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and writes the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("load", nargs="?", choices=sorted(GOALS), default="ultrafeedback")
    parser.add_argument("--data", type=Path, help="JSON Lines; needed for pairs and four")
    parser.add_argument("--limit", type=int, help=f"prompts or pairs; without a file {_PROMPTS}")
    parser.add_argument("--ways", nargs="+", choices=list(WAYS))
    parser.add_argument("--shape", choices=list(SHAPES), default=SHAPE_OF_GOALS)
    parser.add_argument("--budget", type=int, default=_BUDGET, help="tokens of a batch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args(arguments)
    if options.load in RANDOM_LOADS:
        vocabulary = SHAPES[options.shape]["vocab_size"]
        prompts = options.limit or _PROMPTS[options.load]
        load = RANDOM_LOADS[options.load](prompts, vocabulary, options.seed)
    elif options.data is None:
        parser.error(f"{options.load}: --data PATH is needed.")
    else:
        load = load_from_file(options.load, options.data, options.limit, options.seed)
    measured = measure(
        options.load,
        load,
        ways=list(dict.fromkeys(options.ways or _USUAL_WAYS.get(options.load, WAYS))),
        shape=options.shape,
        rounds=options.rounds,
        budget=options.budget,
        seed=options.seed,
    )
    sys.stdout.write(as_tables(measured))
    if options.output:
        options.output.write_text(json.dumps(measured, indent=2) + "\n")


if __name__ == "__main__":
    main()
