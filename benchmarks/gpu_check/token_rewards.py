"""Rewards after each token of a text, in one pass, against a loop over the texts that end there."""

from __future__ import annotations

import torch

from gpu_check.accuracy import ExactLoop
from gpu_check.random_models import SMALL_SHAPES, attentive_model, in_dtype, tokens_of
from gpu_check.step_run import StepRun
from ultrarm_eval.engine.decoder_runner import DecoderRunner
from ultrarm_eval.engine.torch_engine import BatchLimits, TorchEngine

_TOKENS_ON_CARD, _TOKENS = 96, 32
_BUDGET = 4096
_SEED = 11


def check(run: StepRun) -> None:
    """One text, in rows and padded, in float32 and bfloat16."""
    shape = SMALL_SHAPES[run.shape]
    draw = torch.Generator().manual_seed(_SEED)
    count = _TOKENS_ON_CARD if run.is_on_card else _TOKENS
    text = torch.randint(3, shape["vocab_size"], (count,), generator=draw).tolist()
    prefixes = [tuple(text[: end + 1]) for end in range(count)]
    pairs = [(i, i + 1) for i in range(count - 1)]
    exact = attentive_model(shape, torch.device("cpu"), _SEED)
    exact_loop = ExactLoop.of(exact, prefixes)
    found = {}
    for name, dtype in {"float32": torch.float32, "bfloat16": torch.bfloat16}.items():
        model = in_dtype(exact, run.device, dtype)
        loop = exact_loop.beside(model)
        for padded in (False, True):
            runner = DecoderRunner(model, padded=padded)
            rewards = _after_tokens(runner, text)
            key = f"{name}, {'padded' if padded else f'a row, {runner.kernel_name}'}"
            found[key] = {**loop.told(), **loop.compared(rewards, pairs)}
            run.note(tokens=count, ways=found)
            run.require(
                found[key]["passed"],
                f"{key}: {found[key]['largest_difference']:.2g} off the loop, "
                f"{found[key]['allowed']:.2g} is allowed",
            )
    run.summarise(
        "; ".join(f"{key}: {one['largest_difference']:.2g} off" for key, one in found.items())
    )


def _after_tokens(runner: DecoderRunner, text: list[int]) -> list[float]:
    engine = TorchEngine(lambda: runner, lambda: BatchLimits(_BUDGET))
    return engine.compute_after_tokens(tokens_of([text])[0])
