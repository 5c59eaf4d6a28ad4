"""`preference_pairs`: pairs of one's own, with an accuracy for each category."""

import math
import statistics

import pytest

from tests.conftest import write_jsonl
from ultrarm_eval.errors import ConfigurationError, DataError

TASK = "preference_pairs"
ROWS = [
    {"prompt": "a", "chosen": "longer", "rejected": "short", "kind": "math"},
    {"prompt": "b", "chosen": "short", "rejected": "longer", "kind": "code, C"},
    {"prompt": "c", "chosen": "longer yet", "rejected": "x", "kind": "math"},
    {"prompt": "d", "chosen": "same", "rejected": "size", "kind": None},
    {"prompt": "e", "chosen": "x", "rejected": "longer", "kind": "math"},
]


def length(_, completion):
    return float(len(completion))


@pytest.fixture
def data(tmp_path):
    return str(write_jsonl(tmp_path / "pairs.jsonl", ROWS))


def test_every_category_has_its_own_accuracy(run, model_of, data):
    results = run(model_of(length), [TASK], {"data": data, "category": "kind"})
    figures = results["results"][TASK]
    assert figures["acc,none"] == (1 + 0 + 1 + 0.5 + 0) / 5
    assert figures["acc_math,none"] == 2 / 3
    error = statistics.stdev([1, 1, 0]) / math.sqrt(3)
    assert figures["acc_math_stderr,none"] == pytest.approx(error)
    # The harness joins a metric and its filter by a comma.
    assert figures["acc_code; C,none"] == 0.0
    assert figures["acc_none,none"] == 0.5
    of_samples = [sample["doc"]["category"] for sample in results["samples"][TASK]]
    assert of_samples == ["math", "code, C", "math", "none", "math"]


def test_without_a_category_there_are_the_usual_figures_alone(run, model_of, data):
    figures = run(model_of(length), [TASK], {"data": data})["results"][TASK]
    assert "acc_math,none" not in figures
    assert figures["acc_pairs,none"] == 0.5


def test_a_split_of_a_saved_folder(run, model_of, tmp_path):
    import datasets

    folder = tmp_path / "saved"
    parts = {"train": ROWS[:1], "held_out": ROWS[1:2]}
    datasets.DatasetDict(
        {name: datasets.Dataset.from_list(rows) for name, rows in parts.items()}
    ).save_to_disk(str(folder))
    metadata = {"data": str(folder), "split": "held_out"}
    results = run(model_of(length), [TASK], metadata)
    assert results["results"][TASK]["acc,none"] == 0.0
    with pytest.raises(DataError, match="there is no split 'test'"):
        run(model_of(length), [TASK], {**metadata, "split": "test"})


def test_data_have_to_be_named(run, model_of):
    with pytest.raises(ConfigurationError, match="has no data of its own: name a file"):
        run(model_of(length), [TASK])


def test_a_column_that_is_not_there_is_named(run, model_of, data):
    with pytest.raises(DataError, match=r"line 1: there is no column 'knd' \(category\)"):
        run(model_of(length), [TASK], {"data": data, "category": "knd"})


def test_a_category_never_takes_another_metrics_name(run, model_of, tmp_path):
    kinds = ["pairs", "longest", "category_pairs", "", "norm"]
    rows = [{**row, "kind": kind} for row, kind in zip(ROWS, kinds, strict=True)]
    data = str(write_jsonl(tmp_path / "named.jsonl", rows))
    figures = run(model_of(length), [TASK], {"data": data, "category": "kind"})["results"][TASK]
    assert figures["acc_pairs,none"] == 0.5
    assert figures["acc_category_pairs,none"] == 1.0
    assert figures["acc_category_longest,none"] == 0.0
    assert figures["acc_category_category_pairs,none"] == 1.0
    assert (figures["acc_empty,none"], figures["acc_category_norm,none"]) == (0.5, 0.0)


def test_a_column_of_ids_is_no_category(run, model_of, tmp_path):
    rows = [{**ROWS[0], "prompt": str(i), "kind": i} for i in range(201)]
    data = str(write_jsonl(tmp_path / "ids.jsonl", rows))
    with pytest.raises(DataError, match="has 201 values"):
        run(model_of(length), [TASK], {"data": data, "category": "kind"})


def test_a_category_has_one_name_in_whatever_order_the_data_are(run, model_of, tmp_path):
    kinds = ["a/b", "a-b", "a", "a_stderr", "a,b"]
    rows = [{**row, "kind": kind} for row, kind in zip(ROWS, kinds, strict=True)]
    found = []
    for number, content in enumerate((rows, rows[::-1])):
        data = str(write_jsonl(tmp_path / f"{number}.jsonl", content))
        found.append(run(model_of(length), [TASK], {"data": data, "category": "kind"}))
    figures, reverse = (
        {k: v for k, v in one["results"][TASK].items() if k.startswith(("acc_a", "acc_category"))}
        for one in found
    )
    assert figures == reverse
    expected = {kind: length_credit(row) for kind, row in zip(kinds, rows, strict=True)}
    assert figures["acc_a-b,none"] == expected["a-b"]
    assert figures["acc_category_a-b,none"] == expected["a/b"]
    assert figures["acc_a;b,none"] == expected["a,b"]
    # `acc_a_stderr` is where the error of `acc_a` stands.
    assert figures["acc_a,none"] == expected["a"]
    assert figures["acc_a-stderr,none"] == expected["a_stderr"]
    assert figures["acc_a_stderr,none"] == "N/A"


def length_credit(row):
    longer = len(row["chosen"]) - len(row["rejected"])
    return 0.5 if longer == 0 else float(longer > 0)
