"""13B's shape with random bfloat16 weights: ours against RewardBench's batching and the peak.

The weights are drawn on the device (normal, standard deviation 0.02), so neither a checkpoint nor
memory of the CPU is needed; what a forward pass costs does not depend on their values. Texts are
random token ids of UltraFeedback's lengths, four completions a prompt. RewardBench's batching (all
pairs, batch 8, padded) and ours run in turn over the same prompts, after a warm-up, and the device
is waited for before a clock is read. The peak is the fastest of several large products measured in
the same run; a way's fraction of it is what the layers' parameters alone take, 2 x parameters x
distinct tokens, attention not counted, over its seconds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matrix_peak import best_flops, wait_for
from scoring_loads import Load, ultrafeedbacks_lengths
from scoring_speed import in_order_of, ratios
from scoring_ways import REWARDBENCH, SHARED, WAYS, Score, layer_parameters

from gpu_check.accuracy import one_at_a_time
from gpu_check.random_models import LARGE_SHAPES, random_model, tokens_of
from gpu_check.step_run import StepRun
from ultrarm_eval import LlamaRewardModel
from ultrarm_eval.engine.plan import make_plan
from ultrarm_eval.engine.token_budget import token_budget

SHAPE_OF_GOALS = "13b"
#: How many times as fast as RewardBench's batching, and the part of the matrix peak, at least.
SPEED_GOAL, PEAK_GOAL = 4.0, 0.6
WAYS_MEASURED = (REWARDBENCH, "padded", SHARED)
_PROMPTS, _PROMPTS_OF_DRY_RUN = 32, 1
_MOST_ROUNDS, _ROUNDS_OF_DRY_RUN = 7, 1
_TEXTS_OF_LOOP = 16
_WARM_UP_PROMPTS = 4
_PEAK_REPEATS = 20
# A part of the rewards' spread: bfloat16 in 40 layers rounds by some hundredths of it.
_DRIFT_ALLOWED = 0.25
# Large enough that a card is full, and one that has the shape of the model's own products.
_CARDS_PRODUCTS = ((8192, 8192, 8192), (16_384, 8192, 8192), (16_384, 5120, 13_824))
_CPU_PRODUCTS = ((128, 128, 128),)
_SEED = 0


def check(run: StepRun) -> None:
    """Measures rounds for as long as there is time, and holds them against the goals."""
    dtype = torch.bfloat16 if run.is_on_card else torch.float32
    prompts = _PROMPTS if run.is_on_card else _PROMPTS_OF_DRY_RUN
    rounds = _MOST_ROUNDS if run.is_on_card else _ROUNDS_OF_DRY_RUN
    measured: dict[str, Any] = {}
    comparison = Comparison(run.shape, run.device, dtype, prompts)
    run.note(**comparison.setting)
    slowest = 0.0
    for number in range(rounds):
        # A round that would be cut off is not begun.
        if number and run.seconds_left < 1.2 * slowest + 5:
            break
        start = time.monotonic()
        comparison.measure_round(number)
        slowest = max(slowest, time.monotonic() - start)
        measured = comparison.figures()
        run.note(**measured, goals=goals(run.shape, measured))
    for way, figures in measured["ways"].items():
        drift = figures["drift"] / measured["spread_of_rewards"]
        run.require(
            drift <= _DRIFT_ALLOWED, f"{way}: {drift:.2f} of the rewards' spread off the loop"
        )
    for goal in goals(run.shape, measured):
        run.require(goal["met"], f"{goal['what']}: {goal['reached']:.2f}, goal {goal['goal']}")
    ours = measured["ways"][SHARED]
    run.summarise(
        f"{measured['ratios'][SHARED]['median']:.2f} x RewardBench's, "
        f"{ours['fraction_of_peak']:.2f} of {measured['matrix_peak_tflops']:.3g} TFLOP/s, "
        f"{ours['distinct_tokens_per_s']:.0f} distinct tokens/s, {measured['rounds']} rounds"
    )


@dataclass
class _Rounds:
    """What a way took and found."""

    score: Score
    seconds: list[float]
    memory: int = 0
    drift: float = 0.0


class Comparison:
    """The ways over one load, round by round.

    Attributes:
        setting: What is the same in every round.
    """

    def __init__(self, shape: str, device: torch.device, dtype: torch.dtype, prompts: int) -> None:
        """Draws the weights, runs the loop over the first texts, and warms every way up.

        Args:
            shape: A name of `LARGE_SHAPES`.
            device: The device.
            dtype: The body's dtype.
            prompts: Prompts with four answers each.
        """
        self._device, self._dtype = device, dtype
        self._model: LlamaRewardModel = random_model(LARGE_SHAPES[shape], device, dtype, _SEED)
        self._on_card = device.type == "cuda"
        vocabulary = LARGE_SHAPES[shape]["vocab_size"]
        budget = token_budget(self._model.config, dtype, device).batch
        self._load = ultrafeedbacks_lengths(prompts, vocabulary, _SEED)
        first = self._load.texts[:_TEXTS_OF_LOOP]
        self._expected = dict(enumerate(one_at_a_time(self._model, first)))
        few = ultrafeedbacks_lengths(min(prompts, _WARM_UP_PROMPTS), vocabulary, _SEED + 1)
        self._ways = {
            way: _Rounds(WAYS[way].prepare(self._model, budget), []) for way in WAYS_MEASURED
        }
        for way in self._ways.values():
            way.score(few)
        self._peaks = [self._peak()]
        plan = make_plan(tokens_of(self._load.texts), batching=SHARED, max_tokens=budget)
        self._distinct = plan.distinct_tokens
        self.setting: dict[str, Any] = {
            "dtype": str(dtype).removeprefix("torch."),
            "parameters": sum(int(p.numel()) for p in self._model.parameters()),
            "layer_parameters": layer_parameters(self._model),
            "seed": _SEED,
            "budget": budget,
            "prompts": prompts,
            "texts": len(self._load.texts),
            "pairs": len(self._load.pairs),
            "text_tokens": plan.text_tokens,
            "distinct_tokens": plan.distinct_tokens,
            "computed_tokens": plan.computed_tokens,
            "texts_of_loop": len(self._expected),
            "spread_of_rewards": statistics.pstdev(self._expected.values()),
        }

    def measure_round(self, number: int) -> None:
        """Runs every way once, in the order of the round.

        Raises:
            RuntimeError: A reward is no number.
        """
        for name in in_order_of(number, WAYS_MEASURED):
            way = self._ways[name]
            with self._peak_memory(way):
                seconds, rewards = timed(way.score, self._load, self._device)
            if not np.isfinite(list(rewards.values())).all():
                raise RuntimeError(f"{name}: rewards are no numbers.")
            way.seconds.append(seconds)
            drift = max(abs(rewards[i] - self._expected[i]) for i in self._expected)
            way.drift = max(way.drift, drift)
        # Before and after: a card that is warm is slower.
        self._peaks.append(self._peak())

    def figures(self) -> dict[str, Any]:
        """What the rounds so far say."""
        seconds = {name: way.seconds for name, way in self._ways.items()}
        operations = 2 * layer_parameters(self._model) * self._distinct
        peak = max(self._peaks)
        return {
            "rounds": len(seconds[SHARED]),
            "spread_of_rewards": self.setting["spread_of_rewards"],
            "matrix_peak_tflops": peak / 1e12,
            "ways": {
                name: {
                    "median_s": statistics.median(way.seconds),
                    "seconds": way.seconds,
                    "distinct_tokens_per_s": self._distinct / statistics.median(way.seconds),
                    "fraction_of_peak": operations / statistics.median(way.seconds) / peak,
                    "peak_memory_gb": way.memory / 1e9 if self._on_card else None,
                    "drift": way.drift,
                }
                for name, way in self._ways.items()
            },
            "ratios": {
                name: ratios(seconds, name, REWARDBENCH) for name in seconds if name != REWARDBENCH
            },
        }

    def _peak(self) -> float:
        products = _CARDS_PRODUCTS if self._on_card else _CPU_PRODUCTS
        return best_flops(products, self._device, self._dtype, _PEAK_REPEATS)

    @contextmanager
    def _peak_memory(self, way: _Rounds) -> Iterator[None]:
        if not self._on_card:
            yield
            return
        torch.cuda.reset_peak_memory_stats(self._device)
        yield
        way.memory = max(way.memory, torch.cuda.max_memory_allocated(self._device))


def timed(score: Score, load: Load, device: torch.device) -> tuple[float, dict[int, float]]:
    """Seconds and rewards of one way."""
    wait_for(device)
    start = time.perf_counter()
    rewards = score(load)
    wait_for(device)
    return time.perf_counter() - start, rewards


def goals(shape: str, measured: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The goals, what was reached, and whether they are met; none for other shapes than theirs."""
    if shape != SHAPE_OF_GOALS:
        return []
    reached = {
        "times as fast as RewardBench's batches": (
            SPEED_GOAL,
            measured["ratios"][SHARED]["median"],
        ),
        "fraction of the matrix peak": (
            PEAK_GOAL,
            measured["ways"][SHARED]["fraction_of_peak"],
        ),
    }
    return [
        {"what": what, "goal": goal, "reached": value, "met": value >= goal}
        for what, (goal, value) in reached.items()
    ]
