"""The automatic token budget, what a token really takes, and halving a budget that is too large."""

from __future__ import annotations

import logging
from typing import Any

import torch
from scoring_loads import Load, ultrafeedbacks_lengths
from scoring_ways import SHARED, score_by_us

from gpu_check.accuracy import ExactLoop, in_order, largest_difference
from gpu_check.memory import GIB, allocated, only_free
from gpu_check.random_models import attentive_model, in_dtype, layers_of, tokens_of
from gpu_check.step_run import StepRun
from ultrarm_eval import LlamaRewardModel
from ultrarm_eval.checkpoints.device import free_bytes
from ultrarm_eval.engine.decoder_runner import DecoderRunner
from ultrarm_eval.engine.plan import make_plan
from ultrarm_eval.engine.token_budget import bytes_per_token, token_budget
from ultrarm_eval.engine.torch_engine import BatchLimits, TorchEngine

_LAYERS = 2
_PROMPTS, _PROMPTS_OF_DRY_RUN = 48, 24
_TEXTS_OF_LOOP = 24
# A row of these fits anywhere.
_SMALL_BUDGET = 2048
_TOO_LARGE = 10**9
# Free where the automatic budget is found, so that memory and not its upper bound decides.
_FREE_FOR_BUDGET = 4 * GIB
# Free where it runs out: some thousands of tokens, of 65,000 in one row. The tiny shape takes
# 16 MB for each MLP tensor of half of these texts.
_FREE_FOR_HALVING = {"cuda": 3 * GIB // 2, "cpu": 56 * 1024**2}
# What may stay allocated after a batch that failed: nothing of its size.
_LEFT_BEHIND = 64 * 1024**2
_SEED = 5


def check(run: StepRun) -> None:
    """The budget in bfloat16, then halving in bfloat16 and float32."""
    device = run.device
    shape = layers_of(run.shape, _LAYERS)
    exact = attentive_model(shape, device, _SEED)
    prompts = _PROMPTS if run.is_on_card else _PROMPTS_OF_DRY_RUN
    load = ultrafeedbacks_lengths(prompts, shape["vocab_size"], _SEED)
    dtypes = (torch.bfloat16, torch.float32) if run.is_on_card else (torch.float32,)
    loop = ExactLoop.of(exact, load.texts[:_TEXTS_OF_LOOP])
    halved: dict[str, Any] = {}
    for dtype in dtypes:
        model = in_dtype(exact, device, dtype)
        name = str(dtype).removeprefix("torch.")
        if dtype is dtypes[0]:
            _automatic(run, model, load)
        halved[name] = _halved(run, loop, model, load, name)
        run.note(halving=halved)
        del model
    times = ", ".join(f"{len(one['budgets'])} times in {name}" for name, one in halved.items())
    run.summarise(f"halved {times}; nothing lost")


def _automatic(run: StepRun, model: LlamaRewardModel, load: Load) -> None:
    """A budget found from the free memory goes through without being halved."""
    device, dtype = run.device, model.dtype
    runner = DecoderRunner(model)
    score_by_us(runner, load.texts[:4], _SMALL_BUDGET, SHARED)
    whole = token_budget(model.config, dtype, device).batch
    each = bytes_per_token(model.config, dtype)
    told: dict[str, Any] = {
        "with_all_memory": whole,
        "free_gib": free_bytes(device) / GIB,
        "counted_bytes_per_token": each,
    }
    if not run.is_on_card:
        run.note(automatic=told)
        return
    with only_free(device, _FREE_FOR_BUDGET):
        free = free_bytes(device)
        budget = token_budget(model.config, dtype, device).batch
        limits, before = BatchLimits(budget), torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        rewards = _scored(runner, load, limits)
        taken = torch.cuda.max_memory_allocated(device) - before
    largest = max(
        batch.tokens
        for batch in make_plan(tokens_of(load.texts), batching=SHARED, max_tokens=budget).batches
    )
    told |= {
        "with_little": budget,
        "little_free_gib": free / GIB,
        "largest_batch": largest,
        "measured_bytes_per_token": taken / largest,
        "peak_of_free": taken / free,
        "halved": limits.max_tokens != budget,
    }
    run.note(automatic=told)
    run.require(len(rewards) == len(load.texts), "the automatic budget lost rewards")
    run.require(not told["halved"], "the automatic budget ran out of memory")
    run.require(taken <= largest * each, f"a token takes {taken / largest:.0f} B, counted {each}")


def _halved(
    run: StepRun, exact: ExactLoop, model: LlamaRewardModel, load: Load, name: str
) -> dict[str, Any]:
    """A budget of everything, on a device that cannot hold it: rewards are those of a small one."""
    device = run.device
    runner = DecoderRunner(model)
    small = in_order(score_by_us(runner, load.texts, _SMALL_BUDGET, SHARED), len(load.texts))
    loop = exact.beside(model)
    limits, before = BatchLimits(_TOO_LARGE), allocated(device)
    with _Warnings() as warnings, only_free(device, _FREE_FOR_HALVING[device.type]):
        rewards = in_order(_scored(runner, load, limits), len(load.texts))
        after = allocated(device)
        statistics = torch.cuda.memory_stats(device) if run.is_on_card else {}
    told: dict[str, Any] = {
        **loop.told(),
        "kernel": runner.kernel_name,
        "tokens": make_plan(
            tokens_of(load.texts), batching=SHARED, max_tokens=_TOO_LARGE
        ).computed_tokens,
        "budgets": warnings.budgets,
        "last_budget": limits.max_tokens,
        "off_a_small_budget": largest_difference(rewards, small),
        "off_the_loop": largest_difference(rewards[:_TEXTS_OF_LOOP], loop.exact),
        "left_behind_bytes": None if before is None or after is None else after - before,
        "out_of_memory_in_torch": statistics.get("num_ooms"),
        "fragments_bytes": statistics.get("inactive_split_bytes.all.current"),
    }
    run.require(len(warnings.budgets) >= 1, f"{name}: memory did not run out; nothing was halved")
    for what in ("off_a_small_budget", "off_the_loop"):
        run.require(
            told[what] <= loop.allowed,
            f"{name}: {what} {told[what]:.2g}, allowed {loop.allowed:.2g}",
        )
    left = told["left_behind_bytes"]
    run.require(left is None or left <= _LEFT_BEHIND, f"{name}: {left} bytes are held after it")
    return told


def _scored(runner: DecoderRunner, load: Load, limits: BatchLimits) -> dict[int, float]:
    """Rewards by the package's engine under limits that it may halve.

    Raises:
        RuntimeError: A text was given two rewards.
    """
    rewards: dict[int, float] = {}
    for batch in TorchEngine(lambda: runner, lambda: limits, SHARED).compute(tokens_of(load.texts)):
        if rewards.keys() & set(batch.texts):
            raise RuntimeError("A text was given two rewards.")
        rewards.update(zip(batch.texts, batch.values, strict=True))
    return rewards


class _Warnings(logging.Handler):
    """Collects the budgets that the engine says it goes on with."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.budgets: list[int] = []
        self._logger = logging.getLogger("ultrarm_eval.engine.torch_engine")

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler.emit`."""
        if isinstance(record.args, tuple):
            self.budgets.append(int(str(record.args[-1])))

    def __enter__(self) -> _Warnings:
        self._logger.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)
