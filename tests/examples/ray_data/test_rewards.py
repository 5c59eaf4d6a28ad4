"""Rewards of a part are those of the judge, row by row, and one bad answer costs no other."""

import pyarrow as pa
import pytest
import torch
from scored_parquet import rewards
from scored_parquet.asked_rows import ASKED, asked_rows
from scored_parquet.columns import Columns

from tests.examples.ray_data.conftest import answers
from ultrarm_eval import load_judge
from ultrarm_eval.errors import ScoringError

COLUMNS = Columns("prompt", "completion")


def scored(rows, judge):
    asked = asked_rows(pa.Table.from_pylist(rows), 0, COLUMNS, judge.encoder)
    return rewards.with_rewards(asked, COLUMNS, judge, "f" * 64)


BAD = "§§§"


@pytest.fixture(scope="module")
def poisoned():
    """A judge that has no finite reward for texts in which BAD stands."""
    judge = load_judge("demo", device="cpu")
    usual = {
        token for row in answers(60) for token in judge.encoded("What is 0?", row["completion"])
    }
    weight = judge.load().get_input_embeddings().weight
    with torch.no_grad():
        weight[sorted({*judge.encoded("What is 0?", BAD)} - usual)] = float("nan")
    return judge


def test_rewards_are_the_judges_whatever_the_order(judge):
    rows = answers(30)
    rows = rows[::-2] + rows[::2]
    table = scored(rows, judge)
    alone = judge.score_one_at_a_time(
        [row["prompt"] for row in rows], [row["completion"] for row in rows]
    )
    assert table.column("reward").to_pylist() == pytest.approx(alone, abs=1e-4)
    assert len(set(alone)) > 20
    assert set(table.column("judge").to_pylist()) == {"f" * 64}
    assert table.select(["id", "prompt", "completion"]).to_pylist() == rows
    assert ASKED not in table.column_names


def test_refused_rows_have_no_reward_and_keep_their_place(judge):
    rows = answers(6)
    rows[2]["completion"] = None
    table = scored(rows, judge)
    assert [reward is None for reward in table.column("reward").to_pylist()] == [
        False,
        False,
        True,
        False,
        False,
        False,
    ]
    assert [why is None for why in table.column("refused").to_pylist()] == [
        True,
        True,
        False,
        True,
        True,
        True,
    ]


def test_an_answer_without_a_finite_reward_costs_no_other_its_own(poisoned, judge):
    rows = answers(30)
    rows[7]["completion"] = rows[20]["completion"] = BAD
    table = scored(rows, poisoned)
    found = table.column("reward").to_pylist()
    refused = table.column("refused").to_pylist()
    assert [n for n, why in enumerate(refused) if why is not None] == [7, 20]
    assert refused[7].startswith("no_reward: Its reward is nan")
    others = [n for n in range(30) if n not in (7, 20)]
    expected = scored(rows, judge).column("reward").to_pylist()
    assert [found[n] for n in others] == pytest.approx([expected[n] for n in others], abs=1e-4)
    assert found[7] is found[20] is None


def test_a_judge_that_fails_on_answer_after_answer_ends_the_run(poisoned, monkeypatch):
    monkeypatch.setattr(rewards, "MOST_WITHOUT_REWARD", 3)
    rows = [{"prompt": "What is 0?", "completion": BAD + str(n)} for n in range(8)]
    with pytest.raises(ScoringError, match="More than 3 of 8 answers have no reward.*nan"):
        scored(rows, poisoned)
