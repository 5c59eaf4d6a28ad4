"""Measures what is off by default: half precision, torch.compile, eight-bit weights.

One random Llama reward model is written to a folder and loaded as each setting would load it; all
settings score the same token ids of UltraFeedback's lengths, shared and packed, in turn, after a
warm-up that also compiles. Drift is the largest difference to the plain float32 rewards, beside
their spread; a pair is flipped where its rewards are ordered otherwise. Rewards of random weights
lie closer together than a trained model's, so that more pairs flip: `ultrarm-eval verify` tells
for a model and data of your own.

    python benchmarks/optional_speed.py --prompts 8 --rounds 5 -o optional_speed.json
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from scoring_loads import Load, ultrafeedbacks_lengths
from scoring_speed import in_order_of, versions
from scoring_ways import SHAPES, reward_model, score_by_us

from ultrarm_eval import LlamaRewardModel
from ultrarm_eval.checkpoints.checkpoint import open_checkpoint
from ultrarm_eval.checkpoints.device import resolve_device
from ultrarm_eval.checkpoints.model_loading import load_decoder
from ultrarm_eval.engine.decoder_runner import DecoderRunner, compile_layers
from ultrarm_eval.engine.token_budget import token_budget

PLAIN = "float32"
#: By name: dtype, whether compiled, quantisation.
SETTINGS: dict[str, tuple[torch.dtype, bool, str | None]] = {
    PLAIN: (torch.float32, False, None),
    "float32, torch_compile": (torch.float32, True, None),
    "bfloat16": (torch.bfloat16, False, None),
    "bfloat16, torch_compile": (torch.bfloat16, True, None),
    "float16, int8": (torch.float16, False, "int8"),
    "bfloat16, fp8": (torch.bfloat16, False, "fp8"),
}
# The head's weights are small in a fresh model: larger ones spread the rewards.
_HEAD_SCALE = 10.0
_WARM_UP_PROMPTS = 2


def usable_settings(device: torch.device) -> list[str]:
    """The settings that can work here; what is missing is named in the README."""
    usable = []
    for name, (_, _, quantization) in SETTINGS.items():
        if quantization == "int8" and importlib.util.find_spec("bitsandbytes") is None:
            continue
        if quantization == "fp8" and device.type != "cuda":
            continue
        usable.append(name)
    return usable


def runner_of(folder: Path, name: str, device: torch.device) -> DecoderRunner:
    """The model as a setting loads it."""
    dtype, compiled, quantization = SETTINGS[name]
    model = load_decoder(
        open_checkpoint(str(folder)),
        LlamaRewardModel,
        dtype,
        device,
        parallelize=False,
        quantization=quantization,
    )
    if compiled:
        compile_layers(model)
    return DecoderRunner(model, compiled=compiled)


def measure(
    shape: str, names: Sequence[str], device: torch.device, prompts: int, rounds: int, seed: int
) -> dict[str, Any]:
    """Times the settings in turn, over a model of a shape."""
    model = reward_model(shape, seed)
    with torch.no_grad():
        model.regression_head.weight.mul_(_HEAD_SCALE)
    compared = compare_settings(model, names, device, prompts, rounds, seed)
    return {**versions(), "threads": torch.get_num_threads(), "shape": shape, **compared}


def compare_settings(
    model: LlamaRewardModel,
    names: Sequence[str],
    device: torch.device,
    prompts: int,
    rounds: int,
    seed: int,
) -> dict[str, Any]:
    """Times the settings in turn, each loading the model from a folder.

    Args:
        model: In float32, on any device.
        names: Settings, `PLAIN` among them, which the others are compared with.
        device: Where they compute.
        prompts: How many prompts are scored, with four answers each.
        rounds: How often.
        seed: Of the token ids.
    """
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        budget = token_budget(model.config, torch.float32, device).batch
        runners, memory = {}, {}
        for name in names:
            before = _allocated(device)
            runners[name] = runner_of(Path(folder), name, device)
            memory[name] = _allocated(device) - before
        load = ultrafeedbacks_lengths(prompts, model.config.vocab_size, seed)
        few = ultrafeedbacks_lengths(_WARM_UP_PROMPTS, model.config.vocab_size, seed + 1)
        for runner in runners.values():
            score_by_us(runner, few.texts, budget, "shared")
        seconds: dict[str, list[float]] = {name: [] for name in names}
        rewards: dict[str, dict[int, float]] = {}
        for round_number in range(rounds):
            for name in in_order_of(round_number, names):
                start = time.perf_counter()
                rewards[name] = score_by_us(runners[name], load.texts, budget, "shared")
                seconds[name].append(time.perf_counter() - start)
    return {
        "device": str(device),
        "prompts": prompts,
        "rounds": rounds,
        "seed": seed,
        "budget": budget,
        "pairs": len(load.pairs),
        "spread_of_rewards": statistics.pstdev(rewards[PLAIN].values()),
        "processor": torch.backends.cpu.get_cpu_capability(),
        "settings": {
            name: {
                **compared(seconds, rewards, name, load),
                # Of weights alone, and counted on a card only.
                "weights_gb": memory[name] / 1e9 if device.type == "cuda" else None,
            }
            for name in names
        },
    }


def _allocated(device: torch.device) -> int:
    return torch.cuda.memory_allocated(device) if device.type == "cuda" else 0


def compared(
    seconds: Mapping[str, Sequence[float]],
    rewards: Mapping[str, Mapping[int, float]],
    name: str,
    load: Load,
) -> dict[str, Any]:
    """A setting against the plain one: times, drift and flipped pairs."""
    plain, other = rewards[PLAIN], rewards[name]
    by_round = [a / b for a, b in zip(seconds[PLAIN], seconds[name], strict=True)]
    drifts = [abs(other[i] - plain[i]) for i in plain]
    spread = statistics.pstdev(plain.values())
    flipped = sum(
        (plain[first] > plain[second]) != (other[first] > other[second])
        for first, second in load.pairs
    )
    return {
        "median_s": statistics.median(seconds[name]),
        "least_s": min(seconds[name]),
        "most_s": max(seconds[name]),
        "times_as_fast": [statistics.median(by_round), min(by_round), max(by_round)],
        "drift": max(drifts),
        "drift_mean": statistics.fmean(drifts),
        # Equal rewards have no spread to compare with.
        "drift_over_spread": max(drifts) / spread if spread else None,
        "flipped_pairs": flipped,
    }


def as_table(measured: Mapping[str, Any]) -> str:
    """The figures as a Markdown table."""
    lines = [
        "| setting | seconds (least to most) | times as fast | largest drift, mean "
        "| largest over spread | flipped pairs |",
        "|---|---|---|---|---|---|",
    ]
    for name, found in measured["settings"].items():
        median, least, most = found["times_as_fast"]
        over = found["drift_over_spread"]
        lines.append(
            f"| {name} | {found['median_s']:.2f} ({found['least_s']:.2f} to {found['most_s']:.2f}) "
            f"| {median:.2f} ({least:.2f} to {most:.2f}) "
            f"| {found['drift']:.2g}, {found['drift_mean']:.2g} "
            f"| {'-' if over is None else format(over, '.2g')} "
            f"| {found['flipped_pairs']} of {measured['pairs']} |"
        )
    lines += ["", f"Standard deviation of the rewards: {measured['spread_of_rewards']:.2g}."]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and writes the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shape", choices=list(SHAPES), default="40m")
    parser.add_argument("--settings", nargs="+", choices=list(SETTINGS))
    parser.add_argument("--device")
    parser.add_argument("--prompts", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args(arguments)
    device = resolve_device(options.device)
    names = options.settings or usable_settings(device)
    measured = measure(
        options.shape,
        [PLAIN, *(name for name in names if name != PLAIN)],
        device,
        options.prompts,
        options.rounds,
        options.seed,
    )
    sys.stdout.write(as_table(measured))
    if options.output:
        options.output.write_text(json.dumps(measured, indent=2) + "\n")


if __name__ == "__main__":
    main()
