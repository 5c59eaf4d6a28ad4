"""Mutated rows and files: documents, or an error of ours, and every row is accounted for."""

import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.campaign.faults import damaged, with_wrong_value
from tests.conftest import raw_row
from ultrarm_eval.documents.preference import PreferenceDocuments
from ultrarm_eval.errors import UltrarmEvalError
from ultrarm_eval.inspection.inspection import Inspection
from ultrarm_eval.plugins import PluginRegistry, make_plugin_manager
from ultrarm_eval.sources.preference_data import open_named_or_local


def turns(*contents):
    roles = ("user", "assistant")
    return [{"role": roles[i % 2], "content": text} for i, text in enumerate(contents)]


QUESTION = "What is blue?"
ROWS = {
    "ultrafeedback": raw_row(QUESTION, (("the sky", 5), ("grass", 1), ("a list", 3))),
    "binarized": {
        "prompt": QUESTION,
        "prompt_id": "1",
        "chosen": turns(QUESTION, "the sky"),
        "rejected": turns(QUESTION, "grass"),
        "score_chosen": 8.5,
        "score_rejected": 2,
    },
    "messages": {
        "prompt": [{"role": "system", "content": "Be brief."}, *turns(QUESTION)],
        "chosen": [{"role": "assistant", "content": "the sky"}],
        "rejected": [{"role": "assistant", "content": "grass"}],
        "source": "made",
    },
    "plain": {"prompt": QUESTION, "chosen": "the sky", "rejected": "grass"},
    "shown with more": {
        "system": "Be brief.",
        "history": [["a", "b"]],
        "prompt": QUESTION,
        "chosen": "the sky",
        "rejected": "grass",
    },
}
CASES = [(schema, seed) for schema in ROWS for seed in range(3)]
LARGE = [(schema, seed) for schema in ROWS for seed in range(100, 130)]
MUTATIONS = 60


def sources():
    return PluginRegistry(make_plugin_manager(load_entry_points=False)).sources()


def check(path: Path) -> str:
    """How a file is taken; whatever is no error of ours comes out of here as it is."""
    known = sources()
    try:
        Inspection(open_named_or_local(str(path), "train", known)).as_dict()
    except UltrarmEvalError:
        return "refused"
    try:
        documents = PreferenceDocuments(open_named_or_local(str(path), "train", known))
        read = list(documents)
    except UltrarmEvalError as error:
        return "refused" if path.name in str(error) else f"file not named: {error}"
    counts = documents.counts.as_dict()
    left_out = sum(
        number
        for name, number in counts.items()
        if name.startswith("rows_left_out")
        or ((not read[0].aspects) and name.startswith("pairs_left_out"))
    )
    assert counts["rows"] == len(read) + left_out, counts
    for document in read:
        json.dumps(document.to_json())
        assert len(document.completions) == len(document.main_ratings) >= 2
        assert all(isinstance(text, str) for text in document.completions)
        assert all(isinstance(m["content"], str) for m in document.prompt)
    return "read"


def mutated_rows(folder: Path, schema: str, seed: int, number: int) -> dict[str, int]:
    draw = random.Random(f"{schema} {seed}")
    outcomes: dict[str, int] = {}
    for at in range(number):
        path = folder / f"{at}.jsonl"
        rows = [ROWS[schema], with_wrong_value(ROWS[schema], draw), ROWS[schema]]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        content = lines.encode()
        path.write_bytes(damaged(content, draw) if at % 3 == 0 else content)
        outcome = check(path)
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    return outcomes


def damaged_tables(folder: Path, schema: str, seed: int, number: int) -> dict[str, int]:
    draw = random.Random(f"{schema} {seed}")
    whole = folder / "whole.parquet"
    pq.write_table(pa.Table.from_pylist([ROWS[schema]] * 20), whole)
    content = whole.read_bytes()
    outcomes: dict[str, int] = {}
    for at in range(number):
        path = folder / f"{at}.parquet"
        path.write_bytes(damaged(content, draw))
        outcome = check(path)
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    return outcomes


@pytest.mark.few(4)
@pytest.mark.parametrize(("schema", "seed"), CASES)
def test_mutated_rows_are_read_or_refused_and_all_are_counted(tmp_path, schema, seed):
    outcomes = mutated_rows(tmp_path, schema, seed, MUTATIONS)
    assert outcomes["read"] > MUTATIONS / 4, outcomes
    assert outcomes.keys() <= {"read", "refused"}, outcomes


@pytest.mark.few(2)
@pytest.mark.parametrize("schema", ROWS)
def test_damaged_tables_are_read_or_refused(tmp_path, schema):
    assert damaged_tables(tmp_path, schema, 0, 20).keys() <= {"read", "refused"}


@pytest.mark.campaign
@pytest.mark.parametrize(("schema", "seed"), LARGE)
def test_campaign_of_mutated_rows(tmp_path, schema, seed):
    outcomes = mutated_rows(tmp_path, schema, seed, 300)
    assert outcomes.keys() == {"read", "refused"}, outcomes


@pytest.mark.campaign
@pytest.mark.parametrize(("schema", "seed"), [c for c in LARGE if c[1] % 10 == 0])
def test_campaign_of_damaged_tables(tmp_path, schema, seed):
    assert damaged_tables(tmp_path, schema, seed, 300).keys() <= {"read", "refused"}
