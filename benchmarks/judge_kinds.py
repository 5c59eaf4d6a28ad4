"""Measures judges of every kind against their own loop, one text at a time.

A tiny checkpoint with random weights is written for each kind, in the layout of a published one,
and read as any user's is. Four answers of each prompt are scored through the judge and in forward
passes of their own. How many passes there are and how many tokens they take is counted at the
model's body, whatever batching says of itself, beside the tokens that are distinct: each prefix
that texts have in common once. So tiny a model mostly measures what a pass costs besides its
products; the counts are what a large one pays for. Rewards that differ end the run.

    python benchmarks/judge_kinds.py --prompts 8 --rounds 5 -o judge_kinds.json
    python benchmarks/judge_kinds.py --kinds likelihood critique
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from scoring_speed import DisagreementError, in_order_of, ratios, versions

from ultrarm_eval import load_judge
from ultrarm_eval.engine.plan import SHARED, make_plan
from ultrarm_eval.engine.tree import LEAST_SHARED

# The tests' own checkpoints are written by a script of this repository, which is no package.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
from tiny_reward_models import published_kinds

LARGEST_DIFFERENCE = 5e-5
ANSWERS = 4
LOOP, JUDGE = "loop", "judge"
#: By name: the published kind that is written (None for the demo judge), and the judge's settings.
KINDS: dict[str, tuple[str | None, dict[str, Any]]] = {
    "UltraRM": (None, {}),
    "Llama, linear head": ("openrlhf", {}),
    "Llama, value head": ("openrlhf:value_head", {}),
    "Llama, perceptron": ("inf_orm", {}),
    "Llama, gate": ("armorm", {}),
    "Llama, quantiles and gate": ("qrm", {}),
    "Llama, distribution": ("urm", {}),
    "Llama, score head (Beaver)": ("beaver", {}),
    "token logit": ("token_logit", {"judge": "token-logit", "token": "0"}),
    "process, classes": ("qwen2_prm", {}),
    "process, tokens": ("math_shepherd", {"judge": "process", "layout": "math-shepherd"}),
    "likelihood": ("token_logit", {"judge": "likelihood"}),
    "critique": ("token_logit", {"judge": "critique", "max_new_tokens": 4}),
    "Gemma 2, padded": ("sequence_classification", {}),
    "DeBERTa": ("sequence_classification:deberta_v2", {}),
    "ModernBERT": ("sequence_classification:modernbert", {}),
}
_WORDS = (
    *("the", "of", "a", "sky", "is", "blue", "what", "why"),
    *("seven", "answer", "number", "two", "idea", "think", "word", "green"),
)
_PROMPT_WORDS, _ANSWER_WORDS = (10, 60), (5, 40)


@dataclass
class Work:
    """What a model's body was given.

    Attributes:
        passes: How often it was called.
        tokens: Tokens of all calls, padding included.
    """

    passes: int = 0
    tokens: int = 0


@dataclass(frozen=True)
class Asked:
    """What is scored.

    Attributes:
        prompts: The prompt of each answer.
        answers: The answers.
    """

    prompts: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)


def drawn_texts(prompts: int, seed: int) -> Asked:
    """Prompts of invented sentences with four answers each, all of them different."""
    draw = random.Random(seed)

    def words(least: int, most: int) -> str:
        return " ".join(draw.choices(_WORDS, k=draw.randint(least, most)))

    asked = Asked()
    for number in range(prompts):
        prompt = f"{words(*_PROMPT_WORDS)} {number}?"
        for answer in range(ANSWERS):
            asked.prompts.append(prompt)
            # Two steps, for judges of steps.
            asked.answers.append(f"{words(*_ANSWER_WORDS)} {answer}.\n\n{words(*_ANSWER_WORDS)}.")
    return asked


def judge_of(kind: str, folder: Path, seed: int = 0) -> Any:
    """Writes a kind's checkpoint and loads its judge on the CPU."""
    published, settings = KINDS[kind]
    if published is None:
        return load_judge("demo", device="cpu", **settings)
    name, _, variant = published.partition(":")
    module = published_kinds()[name]
    module.build(folder, seed=seed, **(module.VARIANTS[variant] if variant else {}))
    return load_judge(str(folder), **{"judge": "auto", "device": "cpu", **settings})


@contextmanager
def counted(judge: Any) -> Iterator[Work]:
    """Counts what the judge's model is given, for as long as the context lasts."""
    work = Work()

    def count(_: Any, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        ids = named["input_ids"] if "input_ids" in named else arguments[0]
        work.passes += 1
        work.tokens += int(ids.numel())

    handle = judge.load().base_model.register_forward_pre_hook(count, with_kwargs=True)
    try:
        yield work
    finally:
        handle.remove()


def distinct_tokens(judge: Any, asked: Asked) -> tuple[int, int]:
    """Tokens of the distinct texts, and of those the ones that have to be computed."""
    texts = {one.tokens for one in judge.encoder.encode(asked.prompts, asked.answers)}
    ordered = sorted(texts, key=lambda text: text.packed)
    plan = make_plan(ordered, batching=SHARED, max_tokens=sys.maxsize)
    return plan.text_tokens, plan.distinct_tokens


def largest_difference(kind: str, found: Sequence[float], expected: Sequence[float]) -> float:
    """The largest difference of rewards; those that are lacking have to be the same ones.

    Raises:
        DisagreementError: It is larger than rounding explains, or other rewards are lacking.
    """
    if [*map(math.isnan, found)] != [*map(math.isnan, expected)]:
        raise DisagreementError(f"{kind}: other rewards are lacking than in the loop.")
    pairs = [(a, b) for a, b in zip(found, expected, strict=True) if not math.isnan(a)]
    largest = max((abs(a - b) for a, b in pairs), default=0.0)
    if not largest <= LARGEST_DIFFERENCE:
        raise DisagreementError(
            f"{kind}: rewards differ by {largest:.2g}; {LARGEST_DIFFERENCE:.0e} is allowed."
        )
    return largest


def measure(kind: str, asked: Asked, rounds: int, seed: int) -> dict[str, Any]:
    """Times one kind's judge and its loop in turn, and counts what they compute."""
    with tempfile.TemporaryDirectory() as folder:
        judge = judge_of(kind, Path(folder), seed)
        ways: dict[str, Callable[[list[str], list[str]], list[float]]] = {
            LOOP: judge.score_one_at_a_time,
            JUDGE: judge.score,
        }
        for way in ways.values():
            way(asked.prompts[:ANSWERS], asked.answers[:ANSWERS])
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        work: dict[str, Work] = {}
        difference = 0.0
        rewards: dict[str, list[float]] = {}
        for round_number in range(rounds):
            for name in in_order_of(round_number, list(ways)):
                with counted(judge) as work[name]:
                    # One thread's processor time: others on the machine change it little.
                    start = time.process_time()
                    rewards[name] = ways[name](asked.prompts, asked.answers)
                    seconds[name].append(time.process_time() - start)
            found = largest_difference(kind, rewards[JUDGE], rewards[LOOP])
            difference = max(difference, found)
        text_tokens, distinct = distinct_tokens(judge, asked)
        said = judge.settings()
    scored = [one for one in rewards[LOOP] if not math.isnan(one)]
    return {
        "batching": said["batching"],
        "processor_seconds": seconds,
        "times_as_fast": ratios(seconds, JUDGE, LOOP),
        "largest_difference": difference,
        "spread_of_rewards": statistics.pstdev(scored) if scored else None,
        "scored": len(scored),
        "text_tokens": text_tokens,
        "distinct_tokens": distinct,
        "passes": {name: one.passes for name, one in work.items()},
        "computed_tokens": {name: one.tokens for name, one in work.items()},
        "computed_over_distinct": work[JUDGE].tokens / distinct,
    }


def as_table(measured: Mapping[str, Any]) -> str:
    """The figures as a Markdown table."""
    lines = [
        "| kind | batching | times as fast as its loop | passes, loop and judge "
        "| computed over distinct tokens | largest difference |",
        "|---|---|---|---|---|---|",
    ]
    for kind, found in measured["kinds"].items():
        speed = "{median:.2f} ({least:.2f} to {most:.2f})".format(**found["times_as_fast"])
        lines.append(
            f"| {kind} | {found['batching']} | {speed} "
            f"| {found['passes'][LOOP]}, {found['passes'][JUDGE]} "
            f"| {found['computed_over_distinct']:.2f} | {found['largest_difference']:.1g} |"
        )
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and writes the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--prompts", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    asked = drawn_texts(options.prompts, options.seed)
    measured = {
        **versions(),
        "processor": torch.backends.cpu.get_cpu_capability(),
        "threads": 1,
        "prompts": options.prompts,
        "texts": len(asked.answers),
        "least_shared": LEAST_SHARED,
        "rounds": options.rounds,
        "seed": options.seed,
        "kinds": {
            kind: measure(kind, asked, options.rounds, options.seed) for kind in options.kinds
        },
    }
    sys.stdout.write(as_table(measured))
    if options.output:
        options.output.write_text(json.dumps(measured, indent=2) + "\n")


if __name__ == "__main__":
    main()
