import hashlib
import json
import random

import pyarrow.parquet as pq
import pytest

from tests.conftest import raw_row, write_jsonl
from ultrarm_eval.cli import main

RATINGS = {"best": 5, "also best": 5, "middle": 3, "worst": 1, "also worst": 1}


@pytest.fixture
def data(tmp_path):
    rows = [raw_row(f"p{i}", tuple(RATINGS.items())) for i in range(30)]
    return write_jsonl(tmp_path / "data.jsonl", rows)


def binarized(data, tmp_path, *options, name="out.parquet"):
    output = tmp_path / name
    assert main(["data", "binarize", str(data), "-o", str(output), *options]) == 0
    if output.suffix == ".parquet":
        return pq.read_table(output).to_pylist()
    return [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]


def texts(row):
    return row["chosen"][-1]["content"], row["rejected"][-1]["content"]


def test_all_pairs_with_different_ratings_are_written(data, tmp_path):
    rows = binarized(data, tmp_path, "--preference", "fine_grained", "--pairs", "all")
    expected = {(a, b) for a in RATINGS for b in RATINGS if RATINGS[a] > RATINGS[b]}
    first = [texts(row) for row in rows if row["row"] == 0]
    assert set(first) == expected
    assert len(first) == len(expected) == 8
    assert len(rows) == 30 * 8


def test_a_row_is_in_h4s_schema_and_says_where_it_is_from(data, tmp_path):
    row = binarized(data, tmp_path)[0]
    assert row == {
        "prompt": "p0",
        "prompt_id": hashlib.sha256(b"p0").hexdigest(),
        "chosen": [
            {"content": "p0", "role": "user"},
            {"content": "best", "role": "assistant"},
        ],
        "rejected": [
            {"content": "p0", "role": "user"},
            {"content": "middle", "role": "assistant"},
        ],
        "score_chosen": 5.0,
        "score_rejected": 3.0,
        "source": "sharegpt",
        "chosen_model": "model-0",
        "rejected_model": "model-2",
        "row": 0,
    }


def test_best_vs_worst_takes_one_pair_of_extremes_a_prompt(data, tmp_path):
    rows = binarized(data, tmp_path, "--pairs", "best_vs_worst", "--seed", "0")
    assert len(rows) == 30
    drawn = {texts(row) for row in rows}
    assert drawn == {(a, b) for a in ("best", "also best") for b in ("worst", "also worst")}


def test_best_vs_random_takes_any_lower_rated_answer(data, tmp_path):
    rows = binarized(data, tmp_path, "--pairs", "best_vs_random", "--seed", "0")
    assert len(rows) == 30
    assert {texts(row)[0] for row in rows} == {"best", "also best"}
    assert {texts(row)[1] for row in rows} == {"middle", "worst", "also worst"}


def test_the_draw_depends_on_the_seed_and_the_row_alone(data, tmp_path):
    options = ("--pairs", "best_vs_random", "--seed")
    first = binarized(data, tmp_path, *options, "0")
    assert binarized(data, tmp_path, *options, "0", name="again.jsonl") == first
    assert binarized(data, tmp_path, *options, "1") != first
    lines = data.read_text().splitlines()
    changed = tmp_path / "changed.jsonl"
    changed.write_text("\n".join([*lines[:10], json.dumps(raw_row("other")), *lines[11:]]))
    others = [row for row in first if row["row"] != 10]
    assert [r for r in binarized(changed, tmp_path, *options, "0") if r["row"] != 10] == others


def test_parquet_and_jsonl_hold_the_same_rows(data, tmp_path):
    assert binarized(data, tmp_path) == binarized(data, tmp_path, name="out.jsonl")


def test_a_parquet_file_says_how_it_was_made(data, tmp_path):
    binarized(data, tmp_path, "--pairs", "best_vs_worst", "--seed", "7", "--min-gap", "2")
    about = json.loads(pq.read_schema(tmp_path / "out.parquet").metadata[b"ultrarm_eval"])
    assert (about["pairs"], about["seed"], about["min_gap"]) == ("best_vs_worst", 7, 2.0)
    assert about["preference"] == "fine_grained"


def test_the_preference_decides_who_is_chosen(tmp_path):
    row = raw_row(answers=(("a", 5), ("b", 1)))
    row["completions"][0]["overall_score"], row["completions"][1]["overall_score"] = 2, "8.5"
    data = write_jsonl(tmp_path / "d.jsonl", [row])
    assert texts(binarized(data, tmp_path)[0]) == ("a", "b")
    (overall,) = binarized(data, tmp_path, "--preference", "overall")
    assert texts(overall) == ("b", "a")
    assert (overall["score_chosen"], overall["score_rejected"]) == (8.5, 2.0)


def test_false_tens_are_chosen_by_nobody(tmp_path, capsys):
    row = raw_row(answers=(("false ten", 1), ("good", 4), ("bad", 2)))
    for completion, score in zip(row["completions"], (10, 8, 3), strict=True):
        completion["overall_score"] = score
    data = write_jsonl(tmp_path / "d.jsonl", [row])
    rows = binarized(data, tmp_path, "--preference", "overall", "--pairs", "best_vs_random")
    assert [texts(row) for row in rows] == [("good", "bad")]
    out = capsys.readouterr().out
    assert "excluded: 1 answer (a false overall score of 10, which stands for 1)\n" in out
    assert "openbmb/UltraFeedback on the hub, revisions since 2023-12-29" in out


def test_identical_answers_are_left_out_and_counted(tmp_path, capsys):
    rows = [
        raw_row("p", (("same", 5), ("same", 1), ("other", 3))),
        raw_row("q", (("same", 5), ("same", 1))),
    ]
    data = write_jsonl(tmp_path / "d.jsonl", rows)
    written = binarized(data, tmp_path, "--pairs", "all")
    assert [texts(row) for row in written] == [("same", "other"), ("other", "same")]
    out = capsys.readouterr().out
    assert "2 pairs (the two answers are identical), 1 prompt without written pair\n" in out
    assert "2 pairs excluded (pairs_left_out_identical_answers): the two answers are" in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-o", "OUT/x.csv"], "use .parquet or .jsonl"),
        (["-o", "OUT/x.parquet", "--pairs", "best"], "Choose one of: all, best_vs_random"),
        (["-o", "OUT/x.parquet", "--preference", "overal"], "Did you mean 'overall'"),
        (["-o", "OUT/x.parquet", "--min-gap", "-1"], "a number of at least 0"),
        (["-o", "OUT/x.parquet", "--min-gap", "4.5"], "no pair remains to write"),
        (["-o", "OUT/none/x.parquet"], "there is no folder"),
        (["-o", "OUT/dir.parquet"], "this is a folder"),
        (["-o", "OUT/" + "x" * 300 + ".parquet"], "cannot be written"),
        (["-o", "OUT/x.parquet", "--revision", "abc"], "has no revisions"),
        (["-o", "OUT/x.parquet", "--split", "test"], "has no splits"),
        (["-o", "OUT/data.jsonl"], "this is the input file"),
    ],
)
def test_what_cannot_be_done_is_an_error_and_leaves_no_file(
    data, tmp_path, capsys, options, message
):
    (tmp_path / "dir.parquet").mkdir()
    before = set(tmp_path.iterdir())
    given = [option.replace("OUT", str(tmp_path)) for option in options]
    assert main(["data", "binarize", str(data), *given]) == 2
    assert message in capsys.readouterr().err
    assert set(tmp_path.iterdir()) == before


def test_a_bad_row_leaves_the_old_file_as_it_was(data, tmp_path, capsys):
    binarized(data, tmp_path)
    before = (tmp_path / "out.parquet").read_bytes()
    with data.open("a") as file:
        file.write('{"instruction": ')
    assert main(["data", "binarize", str(data), "-o", str(tmp_path / "out.parquet")]) == 2
    assert "line 31" in capsys.readouterr().err
    assert (tmp_path / "out.parquet").read_bytes() == before
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.slow
def test_real_pairs_survive_the_way_out_and_in(real_pairs, tmp_path):
    rows = binarized(real_pairs, tmp_path)
    originals = [json.loads(line) for line in real_pairs.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 886
    for row in rows:
        original = originals[row["row"]]
        for field in ("prompt", "prompt_id", "score_chosen", "score_rejected"):
            assert row[field] == original[field]
        assert row["chosen"] == [
            {key: message[key] for key in ("content", "role")} for message in original["chosen"]
        ]


def test_written_pairs_score_as_the_ratings_they_are_from(tmp_path, capsys):
    from ultrarm_eval.documents.preference import PreferenceDocuments
    from ultrarm_eval.metrics.over_prompts import pooled_accuracy
    from ultrarm_eval.metrics.within_prompt import completions_to_score, prompt_metrics
    from ultrarm_eval.plugins import registry
    from ultrarm_eval.rules import ComparisonRules
    from ultrarm_eval.sources.preference_data import open_any

    draw = random.Random(5)
    data = write_jsonl(
        tmp_path / "d.jsonl",
        [
            raw_row(f"p{i}", tuple((f"{i} {j}", draw.randint(1, 5)) for j in range(4)))
            for i in range(50)
        ],
    )
    binarized(data, tmp_path)
    rules = ComparisonRules()

    def pooled(path):
        documents = PreferenceDocuments(open_any(str(path), None, None, registry().sources()))
        return pooled_accuracy(
            prompt_metrics(
                document,
                {
                    i: len(hashlib.sha256(document.completions[i].encode()).hexdigest().strip("0"))
                    + int(hashlib.sha256(document.completions[i].encode()).hexdigest()[:4], 16)
                    for i in completions_to_score(document, rules)
                },
                rules,
            )["acc_pairs"]
            for document in documents
        )

    assert pooled(tmp_path / "out.parquet") == pytest.approx(pooled(data), abs=1e-12)


def test_pairs_without_ratings_are_not_given_made_up_ones(tmp_path, capsys):
    data = write_jsonl(tmp_path / "d.jsonl", [{"prompt": "p", "chosen": "a", "rejected": "b"}])
    assert main(["data", "binarize", str(data), "-o", str(tmp_path / "o.parquet")]) == 2
    assert "already pairs without ratings" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["out.parquet", "out.jsonl"])
def test_halves_of_surrogate_pairs_are_written_as_question_marks(tmp_path, capsys, name):
    row = raw_row("p\ud800", (("a\udc00", 5), ("b", 1)), source="s\ud801")
    row["completions"][0]["model"] = "m\ud802"
    data = write_jsonl(tmp_path / "d.jsonl", [row])
    (written,) = binarized(data, tmp_path, name=name)
    assert (written["prompt"], written["source"], written["chosen_model"]) == ("p?", "s?", "m?")
    assert written["chosen"][-1]["content"] == "a?"
    said = "changed: 4 texts (lone surrogates, which are replaced by '?')\n"
    assert said in capsys.readouterr().out
