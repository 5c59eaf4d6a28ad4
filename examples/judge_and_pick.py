"""Picks the best of several answers per prompt by reward, and compares it with a reference answer.

    python judge_and_pick.py ANSWERS.jsonl --references REFERENCES.jsonl --pretrained DIR

Each line has `prompt` and `completion` (or AlpacaEval's `instruction` and `output`); a prompt has
several answers and one reference. Without arguments it judges a few answers of the demo data with
the demo judge, offline.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import fmean

from ultrarm_eval import judge_answers, load_judge
from ultrarm_eval.metrics.over_prompts import mean_with_error
from ultrarm_eval.metrics.win_rate import win_credit
from ultrarm_eval.sources.answers import Answer, read_answers, read_references

DATA = Path(__file__).parent / "data"


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description="Best-of-n by reward, against a reference.")
    parser.add_argument("answers", nargs="?", type=Path, default=DATA / "answers.jsonl")
    parser.add_argument("--references", type=Path, default=DATA / "references.jsonl")
    parser.add_argument("--pretrained", default="demo", help="folder or hub id of the reward model")
    parser.add_argument("--judge", default="auto", help="type of reward model (default: detected)")
    parser.add_argument("--dtype", default="auto", help="such as bfloat16")
    parser.add_argument("-o", "--output", type=Path, help="write the picks there, as JSON Lines")
    return parser.parse_args()


def main() -> None:
    """Judges the answers, and prints rewards and win rates of one answer and of the pick."""
    options = parse_arguments()
    references = read_references(options.references)
    by_prompt: dict[str, list[Answer]] = {}
    for answer in read_answers(options.answers):
        by_prompt.setdefault(answer.key, []).append(answer)
    unpaired = by_prompt.keys() - references.keys()
    if unpaired:
        by_prompt = {key: of_key for key, of_key in by_prompt.items() if key in references}
        print(f"excluded                {len(unpaired)} without a reference")
    judged = judge_answers(
        load_judge(options.pretrained, judge=options.judge, dtype=options.dtype),
        prompts=[answers[0].prompt for answers in by_prompt.values()],
        answers=[[one.text for one in answers] for answers in by_prompt.values()],
        references=[references[key] for key in by_prompt],
    )
    values: dict[str, list[float]] = {}
    picks = []
    for (key, answers), one in zip(by_prompt.items(), judged, strict=True):
        rewards = [answer.value for answer in one.answers if answer.value is not None]
        other = one.reference.value if one.reference is not None else None
        if len(rewards) < len(answers) or other is None:
            continue  # the judge abstained
        best = max(rewards)
        wins = [win_credit(reward, other) for reward in rewards]
        values.setdefault("reward of one answer", []).append(fmean(rewards))
        values.setdefault("reward of the pick", []).append(best)
        values.setdefault("win rate of one answer", []).append(fmean(wins))
        values.setdefault("win rate of the pick", []).append(win_credit(best, other))
        text = answers[rewards.index(best)].text
        picks.append({"prompt": key, "completion": text, "reward": best, "reference": other})
    print(f"prompts                 {len(picks)} of {len(by_prompt)}")
    for name, numbers in values.items():
        mean, error = mean_with_error(numbers)
        print(f"{name:22}  {mean:.4f}" + ("" if error is None else f" ± {error:.4f}"))
    if options.output:
        lines = (json.dumps(pick) + "\n" for pick in picks)
        options.output.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
