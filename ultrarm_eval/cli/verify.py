"""`ultrarm-eval verify`: do batches give what one text at a time gives?"""

from __future__ import annotations

import gc
import math
from collections.abc import Sequence
from typing import Any

import torch

from ultrarm_eval.cli.made_judge import checkpoint_judge
from ultrarm_eval.cli.requests import read_requests
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.judges.judgements import texts_from

#: The largest drift that passes, by dtype, where the user sets none. Rewards of a body in half
#: precision move with the layout of a batch.
THRESHOLDS = {"float32": 5e-5, "float16": 0.02, "bfloat16": 0.1}

# What the exact rewards are computed with.
_EXACT: dict[str, Any] = {
    "dtype": "float32",
    "quantization": None,
    "torch_compile": False,
    "attn_implementation": "auto",
}


def verify_batches(
    data: str,
    split: str | None,
    revision: str | None,
    pretrained: str,
    settings: dict[str, Any],
    *,
    prompts: int,
    threshold: float | None,
) -> tuple[str, bool]:
    """Scores a sample in batches and one text at a time.

    Args:
        data: A file, a folder, the word of a source or a hub id.
        split: The split to take where there are several.
        revision: The hub revision of the data.
        pretrained: The checkpoint.
        settings: Settings of the judge.
        prompts: How many prompts are taken.
        threshold: The largest drift that passes; the dtype's if None.

    Returns:
        The comparison in words, and whether the drift is within the threshold.

    Raises:
        UltrarmEvalError: The data, the judge or a setting cannot be used.
    """
    if prompts < 1:
        raise ConfigurationError(f"n={prompts}: at least one prompt is needed.")
    requests = read_requests(data, split, revision, prompts=prompts)
    judge = checkpoint_judge(pretrained, settings)
    dtype = str(judge.settings()["dtype"])
    with texts_from(requests.places):
        batched = judge.score(requests.prompts, requests.completions)
    single = judge.score_one_at_a_time(requests.prompts, requests.completions)
    quantization = judge.settings()["quantization"]
    rounded = dtype != "float32" or quantization is not None
    # int8 looks for outliers in all rows of a batch, so its rewards move with the batch.
    usual = THRESHOLDS[dtype if quantization is None else "bfloat16"]
    allowed = usual if threshold is None else threshold
    drift = _largest_difference(batched, single)
    batching = judge.settings()["batching"]
    lines = [
        f"{len(batched):,} texts, {len(requests.pairs):,} pairs, "
        f"{dtype if quantization is None else f'{dtype} with {quantization} weights'}, "
        f"batching={batching}",
        f"batches against one text at a time: {_said(batched, single, requests.pairs)}",
    ]
    if rounded:
        # One model at a time has to fit.
        del judge
        gc.collect()
        torch.cuda.empty_cache()
        exact = checkpoint_judge(pretrained, {**settings, **_EXACT})
        full = exact.score_one_at_a_time(requests.prompts, requests.completions)
        lines.append(f"batches against float32: {_said(batched, full, requests.pairs)}")
    passed = drift <= allowed
    lines.append(f"{'within' if passed else 'OVER'} the threshold of {allowed:g}")
    return "\n".join(lines) + "\n", passed


def _largest_difference(first: Sequence[float], second: Sequence[float]) -> float:
    differences = [abs(a - b) for a, b in zip(first, second, strict=True)]
    # What is no number is no agreement, wherever it stands.
    return max(difference if math.isfinite(difference) else math.inf for difference in differences)


def _said(first: Sequence[float], second: Sequence[float], pairs: Sequence[tuple[int, int]]) -> str:
    flipped = sum(
        _sign(first[chosen] - first[rejected]) != _sign(second[chosen] - second[rejected])
        for chosen, rejected in pairs
    )
    drift = _largest_difference(first, second)
    return f"largest drift {drift:.3g}, {flipped:,} pairs ordered otherwise"


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
