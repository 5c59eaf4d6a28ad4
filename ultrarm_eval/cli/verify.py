"""`ultrarm-eval verify`: checks batches, or another engine, against one text at a time."""

from __future__ import annotations

import argparse
import gc
import sys
from typing import Any

from ultrarm_eval.cli.judge_options import BATCHING, add_judge_options, chosen_judge
from ultrarm_eval.cli.requests import add_data_revision, read_requests
from ultrarm_eval.cli.reward_drift import largest_difference, said_of_drift
from ultrarm_eval.cli.verify_engine import is_of_another_engine, verify_engine
from ultrarm_eval.demo import DEMO_NAME
from ultrarm_eval.errors import ConfigurationError

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


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    command.description = (
        "Checks batched rewards, or those of another engine, against scoring one text at a time "
        "with torch. Shows the largest difference and how many pairs are ranked differently. The "
        "exit status is 1 if the difference is above the threshold."
    )
    command.add_argument(
        "--data",
        default=DEMO_NAME,
        help="preference data: file, folder or hub id (default: %(default)s)",
    )
    add_judge_options(command, BATCHING, needs_checkpoint=True)
    add_data_revision(command)
    command.add_argument(
        "--n", type=int, default=64, help="number of prompts in the sample (default: %(default)s)"
    )
    command.add_argument(
        "--threshold",
        type=float,
        help="largest difference that passes (default: depends on the dtype)",
    )
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    import torch

    from ultrarm_eval.judges.judgements import texts_from

    if options.n < 1:
        raise ConfigurationError(f"--n {options.n}: give a number of prompts of at least 1.")
    choice = chosen_judge(options)
    if choice.settings.get("score_store") is not None:
        raise ConfigurationError("score_store: stored rewards would verify nothing. Leave it out.")
    requests = read_requests(options.data, options.split, options.data_revision, prompts=options.n)
    if is_of_another_engine(choice):
        return verify_engine(options, choice, requests)
    judge = choice.make_batched()
    settings = judge.settings()
    dtype, quantization = str(settings["dtype"]), settings["quantization"]
    with texts_from(requests.places):
        batched = judge.score(requests.prompts, requests.completions)
    single = judge.score_one_at_a_time(requests.prompts, requests.completions)
    # int8 looks for outliers in all rows of a batch, so its rewards move with the batch.
    usual = THRESHOLDS[dtype if quantization is None else "bfloat16"]
    allowed = usual if options.threshold is None else options.threshold
    lines = [
        f"{len(batched):,} texts, {len(requests.pairs):,} pairs, "
        f"{dtype if quantization is None else f'{dtype} with {quantization} weights'}, "
        f"batching={settings['batching']}",
        f"batches against one text at a time: {said_of_drift(batched, single, requests.pairs)}",
    ]
    if dtype != "float32" or quantization is not None:
        # One model at a time has to fit.
        del judge
        gc.collect()
        torch.cuda.empty_cache()
        exact = choice.make_batched(**_EXACT)
        full = exact.score_one_at_a_time(requests.prompts, requests.completions)
        lines.append(f"batches against float32: {said_of_drift(batched, full, requests.pairs)}")
    passed = largest_difference(batched, single) <= allowed
    lines.append(f"{'within' if passed else 'OVER'} the threshold of {allowed:g}")
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0 if passed else 1
