"""Writes the demo preference data, in the raw UltraFeedback schema, one JSON row a line.

All of it is synthetic: every text comes from the grammar in `demo_grammar`. Run from the
repository root; the shipped held-out set is

    python scripts/make_demo_data.py --split heldout --prompts 200 --seed 1 \
        -o ultrarm_eval/demo/ultrafeedback_demo.jsonl
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from demo_grammar import SPLITS, generate_rows


def main() -> None:
    """Parses the command line and writes the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--split", choices=SPLITS, default="heldout")
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.jsonl")
    arguments = parser.parse_args()

    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    with arguments.output.open("w", encoding="utf-8", newline="\n") as file:
        for row in generate_rows(arguments.split, arguments.prompts, arguments.seed):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    size = arguments.output.stat().st_size
    print(f"{arguments.output}: {arguments.prompts} prompts, {size:,} bytes")


if __name__ == "__main__":
    main()
