"""`ultrarm-eval plan`: what a run would compute, without running it."""

from __future__ import annotations

import argparse
import math
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ultrarm_eval.cli.judge_options import BATCHING, add_judge_options, chosen_judge
from ultrarm_eval.cli.requests import add_data_revision, read_requests
from ultrarm_eval.demo import DEMO_NAME
from ultrarm_eval.engine_settings import TORCH
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.terminal import aligned

if TYPE_CHECKING:
    from ultrarm_eval.engine.plan import Plan
    from ultrarm_eval.judges.checkpoint_judge import CheckpointJudge

_HOUR = 3600
_PROBE_SECONDS = 0.5
_PROBE_ROWS = 2048


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    command.description = (
        "Estimates texts, tokens, batches and time for scoring a data set, without loading the "
        "weights. With --gpus and --tokens-per-second, computes the cost at the rate you give."
    )
    command.add_argument("data", metavar="DATA", help=f"file, folder, hub id, or '{DEMO_NAME}'")
    add_judge_options(command, BATCHING, needs_checkpoint=True)
    add_data_revision(command)
    command.add_argument("--gpus", type=int, metavar="N", help="number of GPUs (default: 1)")
    command.add_argument(
        "--tokens-per-second",
        type=float,
        metavar="N",
        help="tokens that each GPU computes per second, as you measured it; nothing is timed here",
    )
    command.set_defaults(run=_run)


@dataclass(frozen=True)
class StatedRate:
    """The speed of a run, as stated by the user.

    Attributes:
        gpus: Number of GPUs.
        tokens_per_second: Tokens that each GPU computes per second.
    """

    gpus: int
    tokens_per_second: float

    @classmethod
    def of(cls, gpus: int | None, tokens_per_second: float | None) -> StatedRate | None:
        """The rate given by the options; None if they give none.

        Args:
            gpus: Number of GPUs; 1 if None.
            tokens_per_second: Tokens per second on each GPU.

        Raises:
            ConfigurationError: They give GPUs without a rate, or a number that is not valid.
        """
        if gpus is not None and gpus < 1:
            raise ConfigurationError(f"--gpus {gpus}: give a whole number of at least 1.")
        if tokens_per_second is None:
            if gpus is None:
                return None
            raise ConfigurationError(
                f"--gpus {gpus}: the time depends on how fast one GPU is. Give the tokens it "
                "computes per second with --tokens-per-second N, measured in a shorter run "
                "(computed tokens divided by seconds)."
            )
        if not 0 < tokens_per_second < math.inf:
            raise ConfigurationError(
                f"--tokens-per-second {tokens_per_second:g}: give a number above 0."
            )
        return cls(1 if gpus is None else gpus, tokens_per_second)

    def seconds(self, tokens: int) -> float:
        """How long the GPUs need for a number of tokens, if all of them are busy until the end."""
        return tokens / (self.tokens_per_second * self.gpus)

    def cost(self, tokens: int) -> str:
        """The time and the GPU-hours for a number of tokens."""
        seconds = self.seconds(tokens)
        hours = seconds / _HOUR
        return f"{seconds:,.1f} s = {hours:,.4g} h, {hours * self.gpus:,.4g} GPU-hours"


def _run(options: argparse.Namespace) -> int:
    from ultrarm_eval.judges.judgements import texts_from

    stated = StatedRate.of(options.gpus, options.tokens_per_second)
    judge = chosen_judge(options).make_batched()
    requests = read_requests(options.data, options.split, options.data_revision)
    with texts_from(requests.places):
        plan, truncated = judge.plan(requests.prompts, requests.completions)
    computed = plan.computed_tokens
    is_torch = judge.network.engine.name == TORCH
    lines = {
        "texts": f"{len(requests.completions):,}",
        "distinct texts": f"{plan.texts:,} ({truncated:,} truncated to {judge.max_length} tokens)",
        **_named(judge),
        "tokens of distinct texts": f"{plan.text_tokens:,}",
        "shared prefixes counted once": f"{plan.distinct_tokens:,}",
    }
    if is_torch:
        lines |= {
            "computed with padding": f"{computed:,} ({computed / plan.distinct_tokens:.3f} x)",
            "batching": str(judge.settings()["batching"]),
            "batches": f"{len(plan.batches):,}",
        }
    lines |= _times(judge, plan, stated, is_torch=is_torch)
    sys.stdout.write(aligned(list(lines.items()), texts=(0, 1)) + "\n")
    return 0


def _times(
    judge: CheckpointJudge, plan: Plan, stated: StatedRate | None, *, is_torch: bool
) -> dict[str, str]:
    """The estimated time of a run, from the stated or measured rate."""
    if stated is not None:
        gpus = "1 GPU" if stated.gpus == 1 else f"each of {stated.gpus:,} GPUs"
        computed = {"time with padding": stated.cost(plan.computed_tokens)} if is_torch else {}
        return {
            "stated rate": (
                f"{stated.tokens_per_second:,.10g} tokens/s on {gpus} (as you stated, not "
                "measured; excludes loading, idle GPUs and reading data)"
            ),
            "time by distinct texts": stated.cost(plan.text_tokens),
            "time with shared prefixes": stated.cost(plan.distinct_tokens),
            **computed,
        }
    if not is_torch:
        engine = judge.network.engine.name
        return {
            "estimated time": (
                f"none: engine={engine} is not timed here. Give its rate with "
                "--tokens-per-second N and --gpus N"
            )
        }
    rate = _products_per_second(judge)
    seconds = 2 * judge.layer_parameters() * plan.computed_tokens / rate
    return {
        "estimated time": (
            f"{seconds:,.1f} s at {rate / 1e9:,.0f} GFLOP/s (measured now with matrix products on "
            "this device; excludes attention and other work)"
        ),
    }


def _named(judge: CheckpointJudge) -> dict[str, str]:
    """The maximum length given by the checkpoint, if there is one."""
    said = judge.recommended_length
    return {} if said is None else {"length from the checkpoint": str(said)}


def _products_per_second(judge: CheckpointJudge) -> float:
    """Floating-point operations per second in matrix products of the model's shape and dtype."""
    import torch

    def finish() -> None:
        if judge.device.type == "cuda":
            torch.cuda.synchronize(judge.device)

    size = judge.hidden_size
    left = torch.randn(_PROBE_ROWS, size, device=judge.device).to(judge.dtype)
    right = torch.randn(size, size, device=judge.device).to(judge.dtype)
    products = 0
    left @ right
    finish()
    start = time.perf_counter()
    while time.perf_counter() - start < _PROBE_SECONDS:
        left @ right
        finish()
        products += 1
    return products * 2 * _PROBE_ROWS * size * size / (time.perf_counter() - start)
