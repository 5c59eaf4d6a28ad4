"""Every attention kernel, over trees of several depths, against the float32 loop on the CPU."""

from __future__ import annotations

from typing import Any

import torch
from scoring_ways import SHARED, score_by_us

from gpu_check.accuracy import ExactLoop, Loop, in_order
from gpu_check.random_models import (
    SMALL_SHAPES,
    attentive_model,
    branching_texts,
    in_dtype,
    tokens_of,
)
from gpu_check.step_run import StepRun
from ultrarm_eval import LlamaRewardModel
from ultrarm_eval.engine.decoder_runner import DecoderRunner
from ultrarm_eval.engine.kernels.choice import FLEX, ROW_KERNELS, SDPA, TORCH_VARLEN, Place, why_not
from ultrarm_eval.engine.tree import prefix_forest

PADDED = "padded"
DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
#: How many heads share a key head.
ARRANGEMENTS = {"MHA": 1, "GQA": 4}
# What a card must have, in half precision; flash-attn is another package.
_OF_A_CARD = (TORCH_VARLEN, FLEX, SDPA)
# Several rows, all of the shortest length that flex compiles a kernel for.
_BUDGET = 1000
# Compiling takes long: it comes last, and not where too little time is left.
_LAST, _SECONDS_OF_LAST = FLEX, 20
_SEED = 7


def check(run: StepRun) -> None:
    """Scores trees by every kernel, in every dtype, with both arrangements of heads."""
    shape = SMALL_SHAPES[run.shape]
    size = {"trees": 3, "depth": 3, "longest": 120}
    if not run.is_on_card:
        size = {"trees": 2, "depth": 2, "longest": 30}
    texts, pairs = branching_texts(shape["vocab_size"], _SEED, **size)
    run.note(texts=len(texts), depths=_depths(texts))
    cases: list[tuple[str, LlamaRewardModel, Loop]] = []
    found: dict[str, Any] = {}
    for arrangement, heads in ARRANGEMENTS.items():
        key_heads = shape["num_attention_heads"] // heads
        exact = attentive_model(shape, torch.device("cpu"), _SEED, key_heads=key_heads)
        exact_loop = ExactLoop.of(exact, texts)
        for name, dtype in DTYPES.items():
            model = in_dtype(exact, run.device, dtype)
            key, loop = f"{arrangement} {name}", exact_loop.beside(model)
            cases.append((key, model, loop))
            found[key] = {**loop.told(), "kernels": {}}
            run.require(
                loop.tells_a_wrong_mask(),
                f"{key}: {loop.allowed:.2g} is allowed, too much to tell a wrong mask "
                f"({loop.sensitivity:.2g})",
            )
    kernels = [*(name for name in (*ROW_KERNELS, PADDED) if name != _LAST), _LAST]
    for kernel in kernels:
        for key, model, loop in cases:
            if kernel == _LAST and run.seconds_left < _SECONDS_OF_LAST:
                outcome: dict[str, Any] = {"passed": None, "why_not": "no time was left"}
            else:
                outcome = _outcome(run, model, kernel, texts, pairs, loop)
            found[key]["kernels"][kernel] = outcome
            run.note(cases=found)
            _judge(run, kernel, outcome, key, model.dtype)
    run.summarise(_summary(found))


def _outcome(
    run: StepRun,
    model: LlamaRewardModel,
    kernel: str,
    texts: list[tuple[int, ...]],
    pairs: list[tuple[int, int]],
    loop: Loop,
) -> dict[str, Any]:
    """How far a kernel is off, or why it is not there."""
    batching, asked = (kernel, SDPA) if kernel == PADDED else (SHARED, kernel)
    problem = why_not(asked, Place(model.config, run.device, model.dtype))
    if problem is not None:
        return {"passed": None, "why_not": problem}
    runner = DecoderRunner(model, attn_implementation=asked, padded=kernel == PADDED)
    try:
        rewards = score_by_us(runner, texts, _BUDGET, batching)
    except Exception as error:
        # What a kernel raises is its own; the others are looked at all the same.
        return {"passed": False, "error": f"{type(error).__name__}: {error}"}
    # In float32 others may round as TF32 does: they are taken where they are asked for by name.
    loose = model.dtype == torch.float32 and asked != SDPA
    return loop.compared(in_order(rewards, len(texts)), pairs, loose=loose)


def _judge(
    run: StepRun, kernel: str, outcome: dict[str, Any], key: str, dtype: torch.dtype
) -> None:
    if outcome["passed"] is False:
        said = outcome.get("error") or (
            f"{outcome['largest_difference']:.2g} off, {outcome['allowed']:.2g} is allowed"
        )
        run.require(False, f"{kernel}, {key}: {said}")
    is_half = dtype != torch.float32
    if outcome["passed"] is None and run.is_on_card and is_half and kernel in _OF_A_CARD:
        run.require(False, f"{kernel}, {key}, was not used: {outcome['why_not']}")


def _summary(found: dict[str, Any]) -> str:
    outcomes = [(k, o) for one in found.values() for k, o in one["kernels"].items()]
    ran = sorted({kernel for kernel, outcome in outcomes if "largest_difference" in outcome})
    compared = [outcome for _, outcome in outcomes if "largest_difference" in outcome]
    worst = max((o["largest_difference"] / o["allowed"] for o in compared), default=0.0)
    return (
        f"{', '.join(ran)}: {len(compared)} combinations, at most {worst:.2f} of what rounding "
        f"explains, {sum(o['flipped_pairs'] for o in compared)} pairs flipped"
    )


def _depths(texts: list[tuple[int, ...]]) -> list[int]:
    """The longest path of each tree, in segments."""
    deepest = []
    for tree in prefix_forest(tokens_of(texts)):
        depths: list[int] = []
        for segment in tree:
            depths.append(1 + (depths[segment.parent] if segment.parent >= 0 else 0))
        deepest.append(max(depths))
    return deepest
