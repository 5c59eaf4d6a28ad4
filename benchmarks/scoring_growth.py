"""Measures what the number of prompts costs, and what scoring costs besides the model.

Growth: seconds per distinct token of the judge over many prompts against few, with a Llama so
small that tokenising, planning and bookkeeping weigh the most.

Outside the model: the judge's whole way, from texts to rewards handed out, with the model's own
computation replaced by a stand-in that returns zeros at once. So what is measured is all but the
model: rendering, tokenising, finding equal texts and shared prefixes, packing, laying rows out,
handing rewards out. Starting kernels and copying to a GPU are not in it.

Share: the same over few prompts with a stand-in that waits, as a GPU keeps the caller waiting, for
as long as a model of a stated rate takes (`--tokens-per-second`); whatever the run takes beyond the
sum of these waits is time outside the model. The model's own time is not measured but stated.

Texts are invented words with UltraFeedback's lengths (prompts of 185 and answers of 305 tokens on
average, four a prompt); the tokenizer is trained on such words.

    python benchmarks/scoring_growth.py --prompts 500 8000 --rounds 3 -o growth.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scoring_loads import (
    ANSWER_LENGTH,
    COMPLETIONS,
    MAX_LENGTH,
    PROMPT_LENGTH,
    draw_length,
    train_tokenizer,
)
from scoring_speed import in_order_of, versions
from transformers import LlamaConfig

from ultrarm_eval import LlamaRewardModel
from ultrarm_eval.engine.plan import make_plan
from ultrarm_eval.judges.ultrarm import UltraRMJudge
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.plain_templates import DEFAULT_TEMPLATE
from ultrarm_eval.text_format.template_lookup import get_template

#: Seconds per distinct token of many prompts over those of few, at most.
GROWTH_GOAL = 1.1
#: The share of a 13B model's run that is spent outside the model, at most.
SHARE_GOAL = 0.02
# 0.6 of the 30,800 tokens/s of a 13B model on a card with 790 TFLOP/s in bfloat16.
_TOKENS_PER_SECOND = 18_500.0
_SMALLEST = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "max_position_embeddings": MAX_LENGTH,
}
# The judge's own budgets: of a CPU, where the small model runs, and of a GPU, where a 13B would.
_CPU_BUDGET, _GPU_BUDGET = 2048, 16_384
_WORDS, _TRAINING_WORDS = 20_000, 100_000
_ONSETS = ("b", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "w", "st", "tr", "pl")
_VOWELS = ("a", "e", "i", "o", "u", "ai", "ea", "ou")
_SPREAD_OF_RANKS = 2.7

Texts = tuple[list[str], list[str]]


class InventedTexts:
    """Texts of invented words, of which few are frequent, as in a language."""

    def __init__(self, folder: Path, seed: int) -> None:
        """Invents words and trains a tokenizer on them.

        Args:
            folder: Where `tokenizer.model` is written.
            seed: Of everything that is drawn.
        """
        import sentencepiece

        self._draw = np.random.default_rng(seed)
        self._words = np.array([self._word() for _ in range(_WORDS)])
        weights = 1 / (np.arange(_WORDS) + _SPREAD_OF_RANKS)
        self._cumulated = np.cumsum(weights / weights.sum())
        corpus = self._words[self._some(_TRAINING_WORDS)]
        model = train_tokenizer((" ".join(line) for line in np.array_split(corpus, 1000)), folder)
        tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(model))
        #: Rows of an embedding for the tokenizer.
        self.vocabulary = int(tokenizer.vocab_size())
        # No piece reaches over a space, so that a text has as many tokens as its words together.
        self._tokens = np.array([len(ids) for ids in tokenizer.encode(self._words.tolist())])

    def draw(self, prompts: int) -> Texts:
        """Prompts, each repeated for its completions, and the completions."""
        repeated, completions = [], []
        for _ in range(prompts):
            repeated += [self._text(*PROMPT_LENGTH)] * COMPLETIONS
            completions += [self._text(*ANSWER_LENGTH) for _ in range(COMPLETIONS)]
        return repeated, completions

    def _word(self) -> str:
        syllables = self._draw.integers(1, 3)
        return "".join(
            _ONSETS[self._draw.integers(len(_ONSETS))] + _VOWELS[self._draw.integers(len(_VOWELS))]
            for _ in range(syllables)
        )

    def _some(self, count: int) -> Any:
        return np.searchsorted(self._cumulated, self._draw.random(count)).clip(max=_WORDS - 1)

    def _text(self, *length: float) -> str:
        mean, spread, least, most = length
        tokens = draw_length(self._draw, mean, spread, int(least), int(most))
        words = self._some(tokens)
        enough = int(np.searchsorted(np.cumsum(self._tokens[words]), tokens)) + 1
        return " ".join(self._words[words[:enough]])


def stand_in(input_ids: torch.Tensor, *, tree: Any = None, **_: Any) -> torch.Tensor:
    """Hidden states of zeros, where the model would compute: of a row, at the ends of its texts."""
    rows, length = input_ids.shape
    positions = length if tree is None else len(tree.layout.read_at)
    return torch.zeros(rows, positions, _SMALLEST["hidden_size"])


class Clock:
    """A stand-in that takes as long as a model that computes so many tokens a second."""

    def __init__(self, tokens_per_second: float) -> None:
        """Starts with no time waited for."""
        self._tokens_per_second = tokens_per_second
        self.seconds = 0.0

    def __call__(self, input_ids: torch.Tensor, **model_inputs: Any) -> torch.Tensor:
        """Waits, and gives what `stand_in` gives."""
        seconds = input_ids.numel() / self._tokens_per_second
        self.seconds += seconds
        # As on a GPU: the interpreter is free for other threads.
        time.sleep(seconds)
        return stand_in(input_ids, **model_inputs)


def share_outside(judge: UltraRMJudge, texts: Texts, tokens_per_second: float) -> float:
    """The share of a run with a clock for a model that is not the clock's."""
    clock = Clock(tokens_per_second)
    model = judge.load()
    before = model.hidden_states
    model.hidden_states = clock  # type: ignore[method-assign, assignment]
    try:
        seconds = seconds_to_score(judge, texts)
    finally:
        model.hidden_states = before  # type: ignore[method-assign]
    return (seconds - clock.seconds) / seconds


def make_judge(folder: Path, budget: int) -> UltraRMJudge:
    """The judge of the small checkpoint, loaded."""
    judge = UltraRMJudge(str(folder), device="cpu", dtype="float32", max_batch_tokens=budget)
    judge.load()
    return judge


def make_judge_without_model(folder: Path) -> UltraRMJudge:
    """The same with the stand-in in place of the model's computation."""
    judge = make_judge(folder, _GPU_BUDGET)
    judge.load().hidden_states = stand_in  # type: ignore[method-assign]
    return judge


def seconds_to_score(judge: UltraRMJudge, texts: Texts) -> float:
    """Seconds until the last reward was handed out."""
    start = time.perf_counter()
    handed_out = sum(1 for _ in judge.score_stream(*texts))
    seconds = time.perf_counter() - start
    if handed_out != len(texts[1]):
        raise RuntimeError(f"{handed_out} rewards for {len(texts[1])} completions.")
    return seconds


def measure(
    prompts: Sequence[int], rounds: int, tokens_per_second: float, seed: int
) -> dict[str, Any]:
    """Times both judges over each number of prompts, in turn."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = InventedTexts(folder, seed)
        torch.manual_seed(seed)
        config = LlamaConfig(
            vocab_size=source.vocabulary, bos_token_id=1, eos_token_id=2, **_SMALLEST
        )
        LlamaRewardModel(config).save_pretrained(folder)
        whole, outside = make_judge(folder, _CPU_BUDGET), make_judge_without_model(folder)
        seconds_to_score(whole, source.draw(1))
        seconds_to_score(outside, source.draw(1))
        return {
            **versions(),
            "threads": torch.get_num_threads(),
            "rounds": rounds,
            "seed": seed,
            **_measure(
                whole, outside, {n: source.draw(n) for n in prompts}, rounds, tokens_per_second
            ),
            "tokens_per_second": tokens_per_second,
        }


def _measure(
    whole: UltraRMJudge,
    outside: UltraRMJudge,
    texts: Mapping[int, Texts],
    rounds: int,
    tokens_per_second: float,
) -> dict[str, Any]:
    sizes = {
        prompts: {**_stages(outside, drawn), "whole_s": [], "outside_s": []}
        for prompts, drawn in texts.items()
    }
    shares = []
    few = texts[min(texts)]
    for round_number in range(rounds):
        shares.append(share_outside(outside, few, tokens_per_second))
        for prompts in map(int, in_order_of(round_number, list(map(str, texts)))):
            sizes[prompts]["whole_s"].append(seconds_to_score(whole, texts[prompts]))
            sizes[prompts]["outside_s"].append(seconds_to_score(outside, texts[prompts]))
    return {"sizes": {str(prompts): size for prompts, size in sizes.items()}, "shares": shares}


def _stages(judge: UltraRMJudge, texts: Texts) -> dict[str, Any]:
    """What there is to score, and the judge's first two stages by themselves, once."""
    encoder = TextEncoder(
        judge.tokenizer,
        get_template(DEFAULT_TEMPLATE, judge.tokenizer),
        max_length=judge.max_length,
        is_sentencepiece=True,
    )
    start = time.perf_counter()
    encoded = list(encoder.encode(*texts))
    tokenised = time.perf_counter()
    distinct = {text.tokens for text in encoded}
    plan = make_plan(list(distinct), batching="shared", max_tokens=_GPU_BUDGET)
    return {
        "texts": len(encoded),
        "batches": len(plan.batches),
        "characters": sum(map(len, texts[0])) + sum(map(len, texts[1])),
        "text_tokens": plan.text_tokens,
        "distinct_tokens": plan.distinct_tokens,
        "truncated": sum(text.truncated for text in encoded),
        "tokenising_s": tokenised - start,
        "planning_s": time.perf_counter() - tokenised,
    }


def summary(measured: Mapping[str, Any]) -> dict[str, Any]:
    """Growth, the time outside the model and its share, and whether the goals are met."""
    sizes = list(measured["sizes"].values())
    few, many = sizes[0], sizes[-1]
    growth = {part: _growth(few, many, part) for part in ("whole_s", "outside_s")}
    outside = statistics.median(many["outside_s"]) / many["distinct_tokens"]
    share = statistics.median(measured["shares"])
    reached = growth["whole_s"]["median"]
    return {
        "growth": growth["whole_s"],
        "growth_outside": growth["outside_s"],
        "outside_us_per_distinct_token": outside * 1e6,
        "tokenising_us_per_distinct_token": many["tokenising_s"] / many["distinct_tokens"] * 1e6,
        "planning_us_per_distinct_token": many["planning_s"] / many["distinct_tokens"] * 1e6,
        "share_outside": share,
        "goals": [
            {
                "what": "seconds per distinct token, many prompts over few, at most",
                "goal": GROWTH_GOAL,
                "reached": reached,
                "met": reached <= GROWTH_GOAL,
            },
            {
                "what": "share of a 13B run outside the model, at most",
                "goal": SHARE_GOAL,
                "reached": share,
                "met": share <= SHARE_GOAL,
            },
        ],
    }


def _growth(few: Mapping[str, Any], many: Mapping[str, Any], part: str) -> dict[str, float]:
    """Seconds per distinct token of many prompts over those of few, within each round."""
    tokens = few["distinct_tokens"] / many["distinct_tokens"]
    by_round = [b / a * tokens for a, b in zip(few[part], many[part], strict=True)]
    return {"median": statistics.median(by_round), "least": min(by_round), "most": max(by_round)}


def as_tables(measured: Mapping[str, Any]) -> str:
    """The figures as Markdown tables."""
    lines = [
        "| prompts | distinct tokens | µs per distinct token, smallest model | without the model |",
        "|---|---|---|---|",
    ]
    for prompts, size in measured["sizes"].items():
        tokens = size["distinct_tokens"]
        whole, outside = (
            f"{statistics.median(size[part]) / tokens * 1e6:.2f}"
            for part in ("whole_s", "outside_s")
        )
        lines.append(f"| {prompts} | {tokens} | {whole} | {outside} |")
    lines += [
        "",
        "Growth, median (least to most): with the smallest model {}, without {}.".format(
            *(
                "{median:.3f} ({least:.3f} to {most:.3f})".format(**measured[part])
                for part in ("growth", "growth_outside")
            )
        ),
        "Of the time without the model: tokenising {:.2f}, planning {:.2f} µs per distinct "
        "token.".format(
            measured["tokenising_us_per_distinct_token"],
            measured["planning_us_per_distinct_token"],
        ),
        "Share of a run of {} prompts outside a model of {:,.0f} tokens/s: {:.2%} ({:.2%} to "
        "{:.2%}).".format(
            min(map(int, measured["sizes"])),
            measured["tokens_per_second"],
            measured["share_outside"],
            min(measured["shares"]),
            max(measured["shares"]),
        ),
        "",
        "| goal | at most | reached | |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {g['what']} | {g['goal']} | {g['reached']:.4f} | {'met' if g['met'] else 'not met'} |"
        for g in measured["goals"]
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and writes the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--prompts", type=int, nargs=2, default=[500, 8000], metavar=("FEW", "MANY")
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--tokens-per-second",
        type=float,
        default=_TOKENS_PER_SECOND,
        help="distinct tokens a second of the model alone, for the share of a whole run",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args(arguments)
    measured = measure(options.prompts, options.rounds, options.tokens_per_second, options.seed)
    measured.update(summary(measured))
    sys.stdout.write(as_tables(measured))
    if options.output:
        options.output.write_text(json.dumps(measured, indent=2) + "\n")


if __name__ == "__main__":
    main()
