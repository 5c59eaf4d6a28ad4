"""`ultrarm-eval plan`: what a run would compute, before it does."""

from __future__ import annotations

import time
from typing import Any

import torch

from ultrarm_eval.cli.made_judge import checkpoint_judge
from ultrarm_eval.cli.requests import read_requests
from ultrarm_eval.judges.checkpoint_judge import CheckpointJudge
from ultrarm_eval.judges.judgements import texts_from

_PROBE_SECONDS = 0.5
_PROBE_ROWS = 2048


def plan_run(
    data: str, split: str | None, revision: str | None, pretrained: str, settings: dict[str, Any]
) -> str:
    """Plans the scoring of a data set.

    Args:
        data: A file, a folder, the word of a source or a hub id.
        split: The split to take where there are several.
        revision: The hub revision of the data.
        pretrained: The checkpoint; its weights are not loaded.
        settings: Settings of the judge.

    Returns:
        The plan in words.

    Raises:
        UltrarmEvalError: The data or the settings cannot be used.
    """
    judge = checkpoint_judge(pretrained, settings)
    requests = read_requests(data, split, revision)
    with texts_from(requests.places):
        plan, truncated = judge.plan(requests.prompts, requests.completions)
    computed = plan.computed_tokens
    rate = _products_per_second(judge)
    seconds = 2 * judge.layer_parameters() * computed / rate
    texts = sum(len(batch.texts) for batch in plan.batches)
    lines = {
        "texts": f"{len(requests.completions):,}",
        "distinct texts": f"{texts:,} ({truncated:,} cut to {judge.max_length} tokens)",
        "tokens of the distinct texts": f"{plan.text_tokens:,}",
        "with shared prefixes once": f"{plan.distinct_tokens:,}",
        "computed, padding included": f"{computed:,} ({computed / plan.distinct_tokens:.3f} x)",
        "batching": str(judge.settings()["batching"]),
        "batches": f"{len(plan.batches):,}",
        "estimated time": f"{seconds:,.1f} s at {rate / 1e9:,.0f} GFLOP/s, this device's rate of "
        "matrix products measured now; attention and the rest not included",
    }
    width = max(map(len, lines))
    return "".join(f"{name.ljust(width)}  {value}\n" for name, value in lines.items())


def _products_per_second(judge: CheckpointJudge) -> float:
    """Floating-point operations a second in matrix products of the model's shape and dtype."""
    size = judge.hidden_size
    left = torch.randn(_PROBE_ROWS, size, device=judge.device).to(judge.dtype)
    right = torch.randn(size, size, device=judge.device).to(judge.dtype)
    products = 0
    left @ right
    _finish(judge.device)
    start = time.perf_counter()
    while time.perf_counter() - start < _PROBE_SECONDS:
        left @ right
        _finish(judge.device)
        products += 1
    return products * 2 * _PROBE_ROWS * size * size / (time.perf_counter() - start)


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
