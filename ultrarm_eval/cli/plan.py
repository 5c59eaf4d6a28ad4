"""`ultrarm-eval plan`: what a run would compute, before it does."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

from ultrarm_eval.cli.judge_options import BATCHING, add_judge_options, chosen_judge
from ultrarm_eval.cli.requests import add_data_revision, read_requests
from ultrarm_eval.demo import DEMO_NAME
from ultrarm_eval.terminal import aligned

if TYPE_CHECKING:
    from ultrarm_eval.judges.checkpoint_judge import CheckpointJudge

_PROBE_SECONDS = 0.5
_PROBE_ROWS = 2048


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declares what the command takes."""
    command.description = (
        "Shows texts, tokens, batches and an estimated time for scoring a data set, without "
        "loading the weights."
    )
    command.add_argument("data", metavar="DATA", help=f"file, folder, hub id, or '{DEMO_NAME}'")
    add_judge_options(command, BATCHING, needs_checkpoint=True)
    add_data_revision(command)
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from ultrarm_eval.judges.judgements import texts_from

    judge = chosen_judge(options).make_batched()
    requests = read_requests(options.data, options.split, options.data_revision)
    with texts_from(requests.places):
        plan, truncated = judge.plan(requests.prompts, requests.completions)
    computed = plan.computed_tokens
    rate = _products_per_second(judge)
    seconds = 2 * judge.layer_parameters() * computed / rate
    lines = {
        "texts": f"{len(requests.completions):,}",
        "distinct texts": f"{plan.texts:,} ({truncated:,} cut to {judge.max_length} tokens)",
        **_named(judge),
        "tokens of the distinct texts": f"{plan.text_tokens:,}",
        "with shared prefixes once": f"{plan.distinct_tokens:,}",
        "computed, padding included": f"{computed:,} ({computed / plan.distinct_tokens:.3f} x)",
        "batching": str(judge.settings()["batching"]),
        "batches": f"{len(plan.batches):,}",
        "estimated time": f"{seconds:,.1f} s at {rate / 1e9:,.0f} GFLOP/s, this device's rate of "
        "matrix products measured now; attention and the rest not included",
    }
    sys.stdout.write(aligned(list(lines.items()), texts=(0, 1)) + "\n")
    return 0


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
