"""Scores your own preference pairs, and computes the preference accuracy of the judge.

    python score_your_pairs.py PAIRS.jsonl --pretrained openbmb/UltraRM-13b --dtype bfloat16

Each line of PAIRS.jsonl has `prompt`, `chosen` and `rejected`; other forms of preference data work,
too. Without arguments it scores a few pairs of the demo data with the demo judge, offline.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ultrarm_eval import judge_answers, load_documents, load_judge, preference_accuracy

DATA = Path(__file__).parent / "data"


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description="Preference accuracy of a judge on your pairs.")
    parser.add_argument("pairs", nargs="?", default=str(DATA / "pairs.jsonl"), help="your pairs")
    parser.add_argument("--pretrained", default="demo", help="folder or hub id of the reward model")
    parser.add_argument("--judge", default="auto", help="type of reward model (default: detected)")
    parser.add_argument("--dtype", default="auto", help="such as bfloat16")
    parser.add_argument("-o", "--output", help="write the rewards there, as JSON Lines")
    return parser.parse_args()


def main() -> None:
    """Scores the pairs, and prints the accuracy with its standard error."""
    options = parse_arguments()
    judge = load_judge(options.pretrained, judge=options.judge, dtype=options.dtype)
    documents = load_documents(options.pairs)
    # All answers are scored in one call, so that batches are full.
    judged = judge_answers(
        judge,
        prompts=[document.prompt for document in documents],
        answers=[document.completions for document in documents],
    )
    rewards = [[answer.value for answer in one.answers] for one in judged]
    found = preference_accuracy(documents, rewards)

    print(f"pairs                    {found.pairs} of {found.prompts} prompts")
    print(f"preference accuracy      {found.accuracy:.4f}")
    if found.standard_error is not None and found.interval is not None:
        print(f"clustered standard error {found.standard_error:.4f}")
        print(f"95 % interval            {found.interval.low:.4f} to {found.interval.high:.4f}")
    print(f"longest-answer baseline  {found.accuracy_longest:.4f}")
    print(f"tie rate                 {found.tie_rate:.4f}")
    print(f"margin                   {found.margin:.4f}")
    if found.excluded:
        print(f"excluded                 {found.excluded} (the judge abstained)")
    if options.output:
        with Path(options.output).open("w", encoding="utf-8") as file:
            for document, of_document in zip(documents, rewards, strict=True):
                row = {"row": document.row, "rewards": of_document}
                file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
