"""`ultrarm-eval plan`: what a run would compute, before it does."""

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
    """Declares what the command takes."""
    command.description = (
        "Shows texts, tokens, batches and an estimated time for scoring a data set, without "
        "loading the weights. With --gpus and --tokens-per-second: the cost at a rate that you "
        "state."
    )
    command.add_argument("data", metavar="DATA", help=f"file, folder, hub id, or '{DEMO_NAME}'")
    add_judge_options(command, BATCHING, needs_checkpoint=True)
    add_data_revision(command)
    command.add_argument(
        "--gpus", type=int, metavar="N", help="GPUs that compute at once (default: 1)"
    )
    command.add_argument(
        "--tokens-per-second",
        type=float,
        metavar="N",
        help="tokens that each GPU computes in a second, measured elsewhere; nothing is timed here",
    )
    command.set_defaults(run=_run)


@dataclass(frozen=True)
class StatedRate:
    """How fast a run is taken to be, as the user states it.

    Attributes:
        gpus: GPUs that compute at once.
        tokens_per_second: Tokens that each computes in a second.
    """

    gpus: int
    tokens_per_second: float

    @classmethod
    def of(cls, gpus: int | None, tokens_per_second: float | None) -> StatedRate | None:
        """What the options state; None if they state nothing.

        Args:
            gpus: GPUs; 1 if None.
            tokens_per_second: Tokens a second on each.

        Raises:
            ConfigurationError: They state GPUs without a rate, or a number that is none.
        """
        if gpus is not None and gpus < 1:
            raise ConfigurationError(f"--gpus {gpus}: this is a whole number of at least 1.")
        if tokens_per_second is None:
            if gpus is None:
                return None
            raise ConfigurationError(
                f"--gpus {gpus}: how long that many take depends on how fast one is. Name the "
                "tokens that one computes in a second, --tokens-per-second N, as you measured it: "
                "a shorter run's computed tokens by its seconds."
            )
        if not 0 < tokens_per_second < math.inf:
            raise ConfigurationError(
                f"--tokens-per-second {tokens_per_second:g}: this is a number above 0."
            )
        return cls(1 if gpus is None else gpus, tokens_per_second)

    def seconds(self, tokens: int) -> float:
        """How long the GPUs compute so many tokens, all of them busy until the end."""
        return tokens / (self.tokens_per_second * self.gpus)

    def cost(self, tokens: int) -> str:
        """The time and the GPU-hours of so many tokens."""
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
        "distinct texts": f"{plan.texts:,} ({truncated:,} cut to {judge.max_length} tokens)",
        **_named(judge),
        "tokens of the distinct texts": f"{plan.text_tokens:,}",
        "with shared prefixes once": f"{plan.distinct_tokens:,}",
    }
    if is_torch:
        lines |= {
            "computed, padding included": f"{computed:,} ({computed / plan.distinct_tokens:.3f} x)",
            "batching": str(judge.settings()["batching"]),
            "batches": f"{len(plan.batches):,}",
        }
    lines |= _times(judge, plan, stated, is_torch=is_torch)
    sys.stdout.write(aligned(list(lines.items()), texts=(0, 1)) + "\n")
    return 0


def _times(
    judge: CheckpointJudge, plan: Plan, stated: StatedRate | None, *, is_torch: bool
) -> dict[str, str]:
    """How long a run takes, by what is known of the rate."""
    if stated is not None:
        gpus = "1 GPU" if stated.gpus == 1 else f"each of {stated.gpus:,} GPUs"
        computed = {"time as computed": stated.cost(plan.computed_tokens)} if is_torch else {}
        return {
            "stated rate": f"{stated.tokens_per_second:,.10g} tokens/s on {gpus}: your figure, not "
            "measured here; loading, idle GPUs and reading of data not included",
            "time by text": stated.cost(plan.text_tokens),
            "time with shared prefixes once": stated.cost(plan.distinct_tokens),
            **computed,
        }
    if not is_torch:
        engine = judge.network.engine.name
        return {
            "estimated time": f"none: engine={engine} is not timed here. State its rate: "
            "--tokens-per-second N, and --gpus N"
        }
    rate = _products_per_second(judge)
    seconds = 2 * judge.layer_parameters() * plan.computed_tokens / rate
    return {
        "estimated time": f"{seconds:,.1f} s at {rate / 1e9:,.0f} GFLOP/s, this device's rate of "
        "matrix products measured now; attention and the rest not included",
    }


def _named(judge: CheckpointJudge) -> dict[str, str]:
    """The length that the checkpoint names, if it names one."""
    said = judge.recommended_length
    return {} if said is None else {"length by the checkpoint": str(said)}


def _products_per_second(judge: CheckpointJudge) -> float:
    """Floating-point operations a second in matrix products of the model's shape and dtype."""
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
