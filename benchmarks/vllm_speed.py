"""Measures our engine against vLLM's build for CPUs, on the same cores and token ids.

Ours runs in this process, vLLM in an environment of its own and in processes of its own that are
bound to the same cores. They are asked in turn, the first of a round in every other one the
second, and each waits while the other computes; what processor time the waiting one spent is
measured. One random Llama reward model in float32 is saved as a sequence classifier, which vLLM
reads as it is; its prefix cache is emptied before each round, as ours keeps nothing either.
Rewards that differ end the run.

    python benchmarks/vllm_speed.py long_prompts --vllm-python ENVIRONMENT/bin/python
    python benchmarks/vllm_speed.py four --data PATH --limit 12 --vllm-python ...
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median, pstdev
from typing import Any

import torch
from scoring_loads import MAX_LENGTH, RANDOM_LOADS, Load, load_from_file, ultrafeedbacks_lengths
from scoring_speed import DisagreementError, in_order_of, ratios, versions
from scoring_ways import SHAPES, SHARED, minimal_tokenizer, reward_model, score_by_us
from vllm_process import Vllm

from ultrarm_eval import LlamaRewardModel
from ultrarm_eval.engine.decoder_runner import DecoderRunner
from ultrarm_eval.engine.plan import make_plan
from ultrarm_eval.engine.token_budget import CPU_TREE_TOKENS, token_budget
from ultrarm_eval.text_format.tokens import Tokens

OURS, VLLM = "ours", "vllm"
#: vLLM's time over ours, at least, by load: real prompts with four answers, long shared prompts.
GOALS = {"four": 1.4, "ultrafeedback": 1.4, "long_prompts": 2.0}
SHAPE_OF_GOALS = "40m"
# The head's weights are small in a fresh model: larger ones spread the rewards.
_HEAD_SCALE = 10.0
# vLLM's kernels are others than ours: beyond this they compute something else.
LARGEST_DIFFERENCE = 1e-3
_PROMPTS = {"ultrafeedback": 12, "long_prompts": 12, "best_of_n": 2}

#: Scores texts: seconds, rewards in order and computed tokens.
Score = Callable[[Sequence[Sequence[int]]], dict[str, Any]]


def our_score(model: LlamaRewardModel) -> Score:
    """Our default batching, with the budget that a judge takes on this machine."""
    runner = DecoderRunner(model)
    budget = token_budget(model.config, torch.float32, model.device).batch

    def score(texts: Sequence[Sequence[int]]) -> dict[str, Any]:
        given = [tuple(ids) for ids in texts]
        start = time.perf_counter()
        rewards = score_by_us(runner, given, budget, SHARED)
        seconds = time.perf_counter() - start
        plan = make_plan(
            [Tokens.of(ids) for ids in given],
            batching=SHARED,
            max_tokens=budget,
            max_tree_tokens=CPU_TREE_TOKENS,
        )
        return {
            "seconds": seconds,
            "rewards": [rewards[number] for number in range(len(given))],
            "computed_tokens": plan.computed_tokens,
        }

    return score


def save_as_classifier(model: LlamaRewardModel, folder: Path) -> None:
    """Writes the same weights as a classifier of one label, which vLLM knows."""
    from transformers import LlamaForSequenceClassification

    config = type(model.config)(**{**model.config.to_dict(), "num_labels": 1, "pad_token_id": 0})
    classifier = LlamaForSequenceClassification(config)
    weights = {
        name.replace("regression_head.", "score."): weight
        for name, weight in model.state_dict().items()
    }
    classifier.load_state_dict(weights)
    classifier.save_pretrained(folder)
    minimal_tokenizer().save_pretrained(folder)


def largest_difference(ours: Sequence[float], others: Sequence[float]) -> float:
    """The largest difference of two lists of rewards.

    Raises:
        DisagreementError: It is larger than rounding explains, or rewards are missing.
    """
    if len(ours) != len(others):
        raise DisagreementError(f"{len(ours)} rewards of ours and {len(others)} of vLLM's.")
    largest = max(abs(a - b) for a, b in zip(ours, others, strict=True))
    # A reward that is no number would compare as small.
    if not largest <= LARGEST_DIFFERENCE:
        raise DisagreementError(
            f"vLLM's rewards differ from ours by {largest:.2g}; at most {LARGEST_DIFFERENCE:.0e} "
            "is rounding."
        )
    return largest


def in_turn(ours: Score, vllm: Vllm, texts: Sequence[Sequence[int]], rounds: int) -> dict[str, Any]:
    """Rounds of both: seconds, computed tokens, the largest difference, and what waiting cost."""
    seconds: dict[str, list[float]] = {OURS: [], VLLM: []}
    waiting: dict[str, list[float]] = {OURS: [], VLLM: []}
    computed: dict[str, int] = {}
    difference, spread = 0.0, 0.0
    for round_number in range(rounds):
        rewards = {}
        for name in in_order_of(round_number, (OURS, VLLM)):
            if name == OURS:
                vllm.wait_until_idle()
            of_other = vllm.processor_seconds if name == OURS else time.process_time
            before = of_other()
            found = ours(texts) if name == OURS else vllm.score(texts)
            waiting[VLLM if name == OURS else OURS].append(of_other() - before)
            seconds[name].append(found["seconds"])
            rewards[name] = found["rewards"]
            computed[name] = found["computed_tokens"]
        difference = max(difference, largest_difference(rewards[OURS], rewards[VLLM]))
        spread = pstdev(rewards[OURS])
    return {
        "seconds": seconds,
        "processor_seconds_while_waiting": waiting,
        "computed_tokens": computed,
        "largest_difference": difference,
        "spread_of_rewards": spread,
        "vllms_time_over_ours": ratios(seconds, OURS, VLLM),
    }


def measure(
    name: str,
    load: Load,
    *,
    python: str,
    cores: Sequence[int],
    shape: str,
    rounds: int,
    seed: int,
    settings: Mapping[str, Any],
    preload: str | None,
) -> dict[str, Any]:
    """Starts both, warms them up, and measures them in turn."""
    os.sched_setaffinity(0, cores)
    torch.set_num_threads(len(cores))
    model = reward_model(shape, seed)
    with torch.no_grad():
        model.regression_head.weight.mul_(_HEAD_SCALE)
    ours = our_score(model)
    distinct = make_plan(
        [Tokens.of(ids) for ids in load.texts], batching=SHARED, max_tokens=1 << 30
    )
    with tempfile.TemporaryDirectory() as folder:
        save_as_classifier(model, Path(folder))
        vllm = Vllm(python, Path(folder), cores, {"max_model_len": MAX_LENGTH, **settings}, preload)
        try:
            few = ultrafeedbacks_lengths(2, model.config.vocab_size, seed + 1).texts
            for one in (ours, vllm.score):
                one(few)
            found = in_turn(ours, vllm, load.texts, rounds)
        finally:
            vllm.stop()
    goal = GOALS.get(name) if shape == SHAPE_OF_GOALS else None
    reached = found["vllms_time_over_ours"]["median"]
    return {
        **versions(),
        "processor": torch.backends.cpu.get_cpu_capability(),
        "cores_used": list(cores),
        # By names alone: where they lie says nothing.
        "vllm": {
            **vllm.said,
            **settings,
            "preloaded": [Path(one).name for one in (preload or "").split(":") if one],
        },
        "load": name,
        "shape": shape,
        "rounds": rounds,
        "seed": seed,
        "prompts": load.prompts,
        "texts": len(load.texts),
        "text_tokens": distinct.text_tokens,
        "distinct_tokens": distinct.distinct_tokens,
        **found,
        "goal": goal,
        "met": None if goal is None else reached >= goal,
    }


def as_table(measured: Mapping[str, Any]) -> str:
    """The figures as a Markdown table."""
    lines = [
        "| | seconds (least to most) | computed tokens | processor seconds while waiting |",
        "|---|---|---|---|",
    ]
    for name in (OURS, VLLM):
        times = measured["seconds"][name]
        lines.append(
            f"| {name} | {median(times):.2f} ({min(times):.2f} to {max(times):.2f}) "
            f"| {measured['computed_tokens'][name]:,} "
            f"| {max(measured['processor_seconds_while_waiting'][name]):.2f} at most |"
        )
    ratio = measured["vllms_time_over_ours"]
    goal = "" if measured["goal"] is None else f"; goal {measured['goal']}"
    met = {None: "", True: ", met", False: ", not met"}[measured["met"]]
    lines += [
        "",
        "vLLM's time over ours: {median:.2f} ({least:.2f} to {most:.2f})".format(**ratio)
        + f"{goal}{met}. Largest difference of rewards {measured['largest_difference']:.1g}, "
        f"their standard deviation {measured['spread_of_rewards']:.2g}; "
        f"{measured['text_tokens']:,} tokens in the texts, "
        f"{measured['distinct_tokens']:,} of them distinct.",
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and writes the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    loads = [*RANDOM_LOADS, "four", "pairs"]
    parser.add_argument("load", nargs="?", choices=loads, default="ultrafeedback")
    parser.add_argument("--vllm-python", required=True, help="of an environment with vLLM")
    parser.add_argument("--data", type=Path, help="JSON Lines; needed for four and pairs")
    parser.add_argument("--limit", type=int, help="prompts or pairs")
    parser.add_argument("--shape", choices=["40m", "small"], default=SHAPE_OF_GOALS)
    parser.add_argument("--cores", type=int, nargs="+", help="two by default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batched-tokens", type=int, help="vLLM's max_num_batched_tokens")
    parser.add_argument("--preload", metavar="FILE:FILE", help="libiomp5.so, libtcmalloc.so")
    parser.add_argument(
        "--enforce-eager", action="store_true", help="vLLM without compiling, which takes minutes"
    )
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args(arguments)
    if options.load in RANDOM_LOADS:
        vocabulary = SHAPES[options.shape]["vocab_size"]
        prompts = options.limit or _PROMPTS[options.load]
        load = RANDOM_LOADS[options.load](prompts, vocabulary, options.seed)
    elif options.data is None:
        parser.error(f"{options.load}: --data PATH is needed.")
    else:
        load = load_from_file(options.load, options.data, options.limit, options.seed)
    settings = {"enforce_eager": options.enforce_eager}
    if options.batched_tokens is not None:
        settings["max_num_batched_tokens"] = options.batched_tokens
    measured = measure(
        options.load,
        load,
        python=options.vllm_python,
        cores=options.cores or sorted(os.sched_getaffinity(0))[:2],
        shape=options.shape,
        rounds=options.rounds,
        seed=options.seed,
        settings=settings,
        preload=options.preload,
    )
    sys.stdout.write(as_table(measured))
    if options.output:
        options.output.write_text(json.dumps(measured, indent=2) + "\n")


if __name__ == "__main__":
    main()
