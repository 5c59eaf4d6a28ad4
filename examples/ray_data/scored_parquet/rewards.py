"""Rewards of the rows of a part, each by the judge itself."""

from __future__ import annotations

import pyarrow as pa

from scored_parquet.asked_rows import ASKED, Asked, Refused
from scored_parquet.columns import JUDGE, REFUSED, REWARD, Columns
from ultrarm_eval.errors import RewardError, ScoringError
from ultrarm_eval.judges.base import Judge
from ultrarm_eval.judges.judgements import judgement_stream

#: Reasons of rows that the judge was asked of and has no reward for.
NO_REWARD, NO_SCORE = "no_reward", "no_score"
#: Rows of a part that may be without a reward at first: a judge that fails on more is broken.
MOST_WITHOUT_REWARD = 100


def with_rewards(table: pa.Table, columns: Columns, judge: Judge, fingerprint: str) -> pa.Table:
    """Scores the rows that can be scored.

    All of a part go to the judge in one call. It computes equal texts once, keeps the answers to a
    prompt together, which is what a prefix cache wants, and encodes while the engine computes.

    Args:
        table: Rows as `asked_rows` gives them.
        columns: The names of columns.
        judge: The judge.
        fingerprint: Its fingerprint.

    Returns:
        The rows in their order, with all their columns but `ASKED`, and with `REWARD` and `JUDGE`.

    Raises:
        ScoringError: The judge fails, or gives more than `MOST_WITHOUT_REWARD` rows no reward.
    """
    texts = table.column(ASKED).to_pylist()
    asked = {n: Asked.from_json(text) for n, text in enumerate(texts) if text is not None}
    rewards, refused = _scored(asked, judge)
    refusals = table.column(columns.added(REFUSED)).to_pylist()
    for number, why in refused.items():
        refusals[number] = str(why)
    at = table.schema.get_field_index(columns.added(REFUSED))
    table = table.set_column(at, columns.added(REFUSED), pa.array(refusals, pa.string()))
    values = pa.array([rewards.get(n) for n in range(len(texts))], pa.float64())
    judges = pa.array([fingerprint] * len(texts), pa.string())
    return (
        table.drop_columns([ASKED])
        .append_column(columns.added(REWARD), values)
        .append_column(columns.added(JUDGE), judges)
    )


def _scored(asked: dict[int, Asked], judge: Judge) -> tuple[dict[int, float], dict[int, Refused]]:
    """Rewards, and why others have none, by the rows' numbers."""
    rewards: dict[int, float] = {}
    refused: dict[int, Refused] = {}
    failures = 0
    while left := [n for n in asked if n not in rewards and n not in refused]:
        failed = _score(asked, left, judge, rewards, refused)
        if failed is None:
            continue
        failures += 1
        if failures > MOST_WITHOUT_REWARD:
            raise ScoringError(
                f"More than {MOST_WITHOUT_REWARD} of {len(asked):,} answers have no reward; of the "
                f"last one: {failed.problem}"
            ) from failed
        # A text that is computed beside it may be what is wrong: alone it says of itself.
        number = left[failed.completion]
        alone = _score(asked, [number], judge, rewards, refused)
        if alone is not None:
            refused[number] = Refused(NO_REWARD, alone.problem)
    return rewards, refused


def _score(
    asked: dict[int, Asked],
    numbers: list[int],
    judge: Judge,
    rewards: dict[int, float],
    refused: dict[int, Refused],
) -> RewardError | None:
    """Asks the judge, and takes what comes.

    Returns:
        What ended it before all was there, if an answer has no reward.
    """
    texts = [asked[n] for n in numbers]
    prompts, answers = [one.prompt for one in texts], [one.answer for one in texts]
    no_score = Refused(NO_SCORE, "the judge found no score in what it wrote")
    try:
        for index, judgement in judgement_stream(judge, prompts, answers):
            if judgement.value is None:
                refused[numbers[index]] = no_score
            else:
                rewards[numbers[index]] = judgement.value
    except RewardError as error:
        return error
    return None
