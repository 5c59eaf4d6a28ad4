"""A process that scores on servers and may be killed: CHECKPOINT URLS STORE."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.engine.server.texts import COMPLETIONS, PROMPTS
from ultrarm_eval.judges.loading import load_judge


def main() -> None:
    checkpoint, urls, store = sys.argv[1:]
    judge = load_judge(
        checkpoint,
        judge="ultrarm",
        engine="server",
        base_url=urls,
        score_store=store,
        batch_size=2,
        num_concurrent=1,
    )
    judge.score(PROMPTS, COMPLETIONS)


if __name__ == "__main__":
    main()
