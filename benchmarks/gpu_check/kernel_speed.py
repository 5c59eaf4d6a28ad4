"""The kernel that is chosen where none is named, and its speed beside the others'."""

from __future__ import annotations

import time
from typing import Any

import torch
from scoring_loads import ultrafeedbacks_lengths
from scoring_speed import in_order_of, ratios
from scoring_ways import SHARED, score_by_us

from gpu_check.random_models import layers_of, random_model
from gpu_check.step_run import StepRun
from ultrarm_eval.engine.decoder_runner import DecoderRunner
from ultrarm_eval.engine.kernels.choice import FLEX, ROW_KERNELS, SDPA, Place, why_not
from ultrarm_eval.engine.token_budget import token_budget
from ultrarm_eval.setting import AUTO

# Of 13B's width: attention's share of the time is that of the whole model.
_LAYERS = 4
_PROMPTS, _PROMPTS_OF_DRY_RUN = 24, 2
_ROUNDS, _ROUNDS_OF_DRY_RUN = 5, 1
# Another kernel may be this much faster before the choice is called wrong: rounds differ by less.
_MAY_BE_SLOWER = 0.05
_SECONDS_OF_FLEX = 25
_SEED = 3


def check(run: StepRun) -> None:
    """Times every kernel that works here over one load, in turn."""
    device = run.device
    dtype = torch.bfloat16 if run.is_on_card else torch.float32
    shape = layers_of(run.shape, _LAYERS)
    prompts = _PROMPTS if run.is_on_card else _PROMPTS_OF_DRY_RUN
    load = ultrafeedbacks_lengths(prompts, shape["vocab_size"], _SEED)
    model = random_model(shape, device, dtype, _SEED)
    budget = token_budget(model.config, dtype, device).batch
    place = Place(model.config, device, dtype)
    chosen = DecoderRunner(model)
    score_by_us(chosen, load.texts, budget, SHARED)
    run.note(
        chosen=chosen.kernel_name,
        dtype=str(dtype).removeprefix("torch."),
        budget=budget,
        prompts=prompts,
    )
    runners, problems = {AUTO: chosen}, {}
    for name in (SDPA, *(name for name in ROW_KERNELS if name != SDPA)):
        # Uncompiled, as on a CPU, flex is the plain formula; compiling it takes long.
        lacking = "it is for cards" if name == FLEX and not run.is_on_card else None
        if name == FLEX and run.seconds_left < _SECONDS_OF_FLEX:
            lacking = "no time was left"
        problem = lacking or why_not(name, place)
        if problem is not None:
            problems[name] = problem
            continue
        runners[name] = DecoderRunner(model, attn_implementation=name)
        # The whole load: flex compiles a kernel for each length of a row.
        score_by_us(runners[name], load.texts, budget, SHARED)
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    run.note(why_not=problems)
    for number in range(_ROUNDS if run.is_on_card else _ROUNDS_OF_DRY_RUN):
        for name in in_order_of(number, list(runners)):
            start = time.perf_counter()
            score_by_us(runners[name], load.texts, budget, SHARED)
            seconds[name].append(time.perf_counter() - start)
        run.note(
            seconds=seconds,
            times_as_fast_as_sdpa={n: ratios(seconds, n, SDPA) for n in runners if n != SDPA},
        )
    _judge(run, str(chosen.kernel_name), seconds)


def _judge(run: StepRun, chosen: str, seconds: dict[str, list[float]]) -> None:
    against: dict[str, Any] = {
        name: ratios(seconds, AUTO, name) for name in seconds if name != AUTO
    }
    for name, ratio in against.items():
        run.require(
            name == chosen or ratio["median"] >= 1 - _MAY_BE_SLOWER,
            f"{name} is {1 / ratio['median']:.2f} times as fast as {chosen}, which is chosen",
        )
    if run.is_on_card:
        run.require(chosen != SDPA, "sdpa is chosen, and a card in half precision has better ones")
    sdpa = against[SDPA]
    run.summarise(
        f"{chosen} is chosen: {sdpa['median']:.2f} x sdpa's speed "
        f"({sdpa['least']:.2f} to {sdpa['most']:.2f})"
    )
