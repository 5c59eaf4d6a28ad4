"""One defect after another in UltraFeedback's schema: an error that names it, or a count."""

import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import opened, raw_row, write_jsonl
from ultrarm_eval.data.rows import Shard
from ultrarm_eval.documents.preference import PreferenceDocuments
from ultrarm_eval.errors import DataError
from ultrarm_eval.inspection.binarization import BinarizedRows
from ultrarm_eval.inspection.inspection import Inspection
from ultrarm_eval.rules import ComparisonRules

FOUR = (("a", 5), ("b", 1), ("c", 3), ("d", 2))


def with_completion(number, **fields):
    row = raw_row("defect", FOUR)
    row["completions"][number].update(fields)
    return row


def with_annotation(value):
    row = raw_row("defect", FOUR)
    row["completions"][0]["annotations"]["honesty"] = value
    return row


COUNTED = {
    "prompt no text": (raw_row(7, FOUR), "rows_left_out_prompt_not_text"),
    "prompt null": (raw_row(None, FOUR), "rows_left_out_prompt_not_text"),
    "completions a text": (raw_row(completions="abc"), "rows_left_out_completions_no_list"),
    "completions null": (raw_row(completions=None), "rows_left_out_completions_no_list"),
    "no completions": (raw_row(completions=[]), "rows_left_out_without_completions"),
    "completion a number": (raw_row(completions=[1, 2]), "completions_left_out_not_text"),
    "response missing": (with_completion(0, response=None), "completions_left_out_not_text"),
    "response empty": (with_completion(0, response=""), "completions_empty"),
    "annotations a text": (with_completion(0, annotations="x"), "ratings_missing"),
    "annotations missing": (
        with_completion(0, annotations=None),
        "completions_without_aspect_ratings",
    ),
    "aspect a list": (with_annotation([4]), "ratings_missing"),
    "rating missing": (with_annotation({}), "ratings_missing"),
    "rating a word": (with_annotation({"Rating": "good"}), "ratings_unreadable"),
    "rating a list": (with_annotation({"Rating": ["4"]}), "ratings_unreadable"),
    "rating above the range": (with_annotation({"Rating": "6"}), "ratings_out_of_range"),
    "rating below the range": (with_annotation({"Rating": "0"}), "ratings_out_of_range"),
    "rating not applicable": (with_annotation({"Rating": "N/A"}), "ratings_not_applicable"),
    "rating an endless number": (
        with_annotation({"Rating": "1e999999999"}),
        "ratings_unreadable",
    ),
    "overall missing": (with_completion(0, overall_score=None), "overall_scores_missing"),
    "overall a word": (with_completion(0, overall_score="ten"), "overall_scores_unreadable"),
    "overall out of range": (with_completion(0, overall_score=11), "overall_scores_out_of_range"),
    "overall a false ten": (with_completion(1, overall_score=10.0), "overall_scores_false_tens"),
    "stored mean wrong": (
        with_completion(0, **{"fine-grained_score": 4.5}),
        "stored_means_differing",
    ),
    "stored mean a list": (
        with_completion(0, **{"fine-grained_score": [5]}),
        "stored_means_unreadable",
    ),
    "stored mean missing": (
        with_completion(0, **{"fine-grained_score": None}),
        "stored_means_missing",
    ),
    "three completions": (raw_row("defect", FOUR[:3]), "rows_with_fewer_than_four_completions"),
    "equal ratings": (raw_row("defect", (("a", 3), ("b", 3))), "rows_left_out_without_pairs"),
    "identical answers": (
        raw_row("defect", (("a", 5), ("a", 1))),
        "pairs_with_identical_answers",
    ),
    "half a surrogate pair": (raw_row("\ud800", FOUR), "texts_with_lone_surrogates"),
    "source a number": (raw_row("defect", FOUR, source=7), "sources_not_text"),
    "model a list": (with_completion(0, model=["m"]), "models_not_text"),
    "half a surrogate pair in a name": (
        raw_row("defect", FOUR, source="\ud800"),
        "texts_with_lone_surrogates",
    ),
    "an input beside the instruction": (
        raw_row("defect", FOUR) | {"input": "more"},
        "rows_left_out_with_input",
    ),
    "tools": (raw_row("defect", FOUR) | {"tools": [{"name": "t"}]}, "rows_left_out_with_tools"),
    "a system that is no text": (
        raw_row("defect", FOUR) | {"system": 5},
        "rows_left_out_system_not_text",
    ),
    "a system column": (raw_row("defect", FOUR) | {"system": "x"}, "rows_with_system_column"),
    "a history column": (
        raw_row("defect", FOUR) | {"history": [["a", "b"]]},
        "rows_with_history_column",
    ),
    "messages as text": (
        raw_row('[{"role": "user", "content": "defect"}]', FOUR),
        "rows_with_messages_as_text",
    ),
    "messages as a response": (
        with_completion(0, response='[{"role": "assistant", "content": "a"}]'),
        "completions_left_out_not_text",
    ),
    "rating over 1e308": (with_annotation({"Rating": 10**400}), "ratings_unreadable"),
    "overall over 1e308": (
        with_completion(0, overall_score=-(10**400)),
        "overall_scores_unreadable",
    ),
    "stored mean over 1e308": (
        with_completion(0, **{"fine-grained_score": 10**400}),
        "stored_means_unreadable",
    ),
    "overall infinite": (
        with_completion(0, overall_score=float("inf")),
        "overall_scores_unreadable",
    ),
    "the same row again": (raw_row("whole", FOUR), "rows_repeating_another"),
}


@pytest.mark.parametrize("defect", COUNTED)
def test_a_defect_is_counted_once_and_the_whole_row_beside_it_is_used(tmp_path, defect):
    row, count = COUNTED[defect]
    path = write_jsonl(tmp_path / "d.jsonl", [raw_row("whole", FOUR), row])
    documents = PreferenceDocuments(opened(path))
    inspection = Inspection(opened(path))
    assert documents.counts[count] >= 1
    assert documents.counts.first[count].line == 2
    assert documents[0].prompt[0]["content"] == "whole"
    assert inspection.counts.as_dict() == documents.counts.as_dict()
    assert inspection.as_dict()["odd"][count]["first"] == "line 2"


def test_a_whole_row_counts_as_nothing_odd(tmp_path):
    inspection = Inspection(opened(write_jsonl(tmp_path / "d.jsonl", [raw_row("whole", FOUR)])))
    assert inspection.as_dict()["odd"] == {}
    assert inspection.is_usable


def test_all_defects_in_one_file_are_all_counted(tmp_path):
    rows = [raw_row("whole", FOUR), *(row for row, _ in COUNTED.values())]
    counts = PreferenceDocuments(opened(write_jsonl(tmp_path / "d.jsonl", rows))).counts
    assert counts["rows"] == len(rows)
    for _, count in COUNTED.values():
        assert counts[count] >= 1, count
    used_or_left_out = counts["documents"] + sum(
        number for name, number in counts.as_dict().items() if name.startswith("rows_left_out")
    )
    assert used_or_left_out == len(rows)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"completions": []}', "line 2: field 'instruction' is missing"),
        (b'{"instruction": "x"}', "line 2: field 'completions' is missing"),
        (b'{"instruction": "\xc3\x28", "completions": []}', "line 2: this is not UTF-8"),
        (b'{"instruction": "x", "complet', "line 2: this is not valid JSON"),
        (b"[]", "line 2: this is a JSON list"),
        (b'{"a":' * 100_000, "line 2: this JSON is nested too deeply"),
        (b'{"a": ' + b"1" * 5000 + b"}", "line 2: this is not valid JSON"),
        (b"null", "line 2: this is a JSON NoneType"),
    ],
)
def test_a_row_that_cannot_be_read_is_an_error_that_names_it(tmp_path, line, message):
    path = tmp_path / "broken.jsonl"
    path.write_bytes(json.dumps(raw_row()).encode() + b"\n" + line)
    with pytest.raises(DataError, match=f"broken.jsonl, {message}"):
        PreferenceDocuments(opened(path))
    inspection = Inspection(opened(path))
    assert inspection.unreadable == 1
    assert f"broken.jsonl, {message}" in inspection.errors[0]


def test_no_usable_pair_is_an_error_that_says_what_was_left_out(tmp_path):
    path = write_jsonl(tmp_path / "d.jsonl", [raw_row(answers=(("a", 3), ("b", 3)))] * 2)
    with pytest.raises(DataError, match=r"no pair is left.*excluded: 2 pairs \(equal ratings\)"):
        PreferenceDocuments(opened(path))


def pair_row(**fields):
    return {"prompt": "q", "chosen": "a", "rejected": "b", **fields}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"chosen": [{"role": "user", "content": "p"}, {"role": "assistant", "content": "a"}]}, "'chosen' neither repeats the end of 'prompt' nor continues it"),
        ({"chosen": 3}, "field 'chosen' is 3; it must be text"),
        ({"prompt": [{"role": "user", "content": [{"type": "image_url"}]}]}, "a part of type 'image_url'"),
        ({"score_chosen": 10**400, "score_rejected": 1}, "'score_chosen' is 1000.*plain numbers"),
        ({"score_chosen": 1, "score_rejected": 1}, "must have the higher score"),
        ({"tools": [{"name": "t"}]}, "'tools' has content that a judge of texts cannot read"),
    ],
)  # fmt: skip
def test_where_all_rows_fail_for_one_reason_the_error_is_that_reason(tmp_path, fields, reason):
    path = write_jsonl(tmp_path / "d.jsonl", [pair_row(**fields)] * 3)
    with pytest.raises(DataError, match=f"All 3 rows are excluded .*at line 1: .*{reason}"):
        PreferenceDocuments(opened(path))


def test_where_rows_fail_for_several_reasons_they_are_counted(tmp_path):
    rows = [pair_row(chosen=3), pair_row(prompt=3)]
    with pytest.raises(DataError) as caught:
        PreferenceDocuments(opened(write_jsonl(tmp_path / "d.jsonl", rows)))
    assert (
        "excluded: 1 pair (the chosen or the rejected answer is not text), "
        "1 pair (the prompt is neither text nor messages))"
    ) in str(caught.value)
    assert "the same reason" not in str(caught.value)


def test_what_is_left_out_is_explained_at_its_first_row(tmp_path):
    rows = [pair_row(), pair_row(chosen=3), pair_row(chosen=4)]
    counts = PreferenceDocuments(opened(write_jsonl(tmp_path / "d.jsonl", rows))).counts
    assert counts["pairs_left_out_not_text"] == 2
    assert counts.first["pairs_left_out_not_text"].line == 2
    assert counts.why["pairs_left_out_not_text"].startswith("field 'chosen' is 3")


def test_numbers_over_1e308_are_counted_by_inspect_and_binarize_as_by_tasks(tmp_path):
    rows = [
        pair_row(score_chosen=10**400, score_rejected=1),
        pair_row(score_chosen=2, score_rejected=1),
    ]
    data = opened(write_jsonl(tmp_path / "d.jsonl", rows))
    assert Inspection(data).as_dict()["odd"]["pairs_left_out_score_no_number"]["first"] == "line 1"
    assert len(list(BinarizedRows(data, ComparisonRules()))) == 1


class TestTables:
    def test_text_that_is_not_utf8_is_an_error_that_names_row_and_field(self, tmp_path):
        path = tmp_path / "t.parquet"
        texts = pa.array([b"p0", b"\xff\xfe", b"p2"], pa.binary()).cast(pa.binary())
        broken = pa.Array.from_buffers(pa.string(), 3, texts.buffers())
        columns = {"prompt": broken, "chosen": ["a"] * 3, "rejected": ["b"] * 3}
        pq.write_table(pa.table(columns), path)
        with pytest.raises(DataError, match="t.parquet, row 1: field 'prompt' is not UTF-8"):
            PreferenceDocuments(opened(path))
        inspection = Inspection(opened(path))
        assert (inspection.unreadable, inspection.counts["documents"]) == (1, 2)

    def test_a_table_is_read_like_lines(self, tmp_path):
        rows = [raw_row(f"p{i}", FOUR) for i in range(5)]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
        from_table = PreferenceDocuments(opened(tmp_path / "t.parquet"))
        from_lines = PreferenceDocuments(opened(write_jsonl(tmp_path / "t.jsonl", rows)))
        assert list(from_table) == list(from_lines)
        assert from_table.counts.as_dict() == from_lines.counts.as_dict()

    def test_a_column_of_the_wrong_type_is_counted(self, tmp_path):
        columns = {"instruction": ["p", "q"], "completions": ["a", "b"]}
        pq.write_table(pa.table(columns), tmp_path / "t.parquet")
        with pytest.raises(DataError, match=r"2 rows \('completions' is not a list\)"):
            PreferenceDocuments(opened(tmp_path / "t.parquet"))

    def test_half_a_file_is_an_error(self, tmp_path):
        path = tmp_path / "t.parquet"
        pq.write_table(pa.Table.from_pylist([raw_row("p", FOUR)]), path)
        path.write_bytes(path.read_bytes()[:-20])
        with pytest.raises(DataError, match=r"t.parquet: this Parquet file cannot be read"):
            opened(path)

    def test_no_rows_are_an_error(self, tmp_path):
        path = tmp_path / "t.parquet"
        pq.write_table(pa.table({"instruction": pa.array([], pa.string())}), path)
        with pytest.raises(DataError, match="t.parquet: there are no rows"):
            opened(path)

    def test_a_column_type_that_cannot_be_read_is_an_error(self, tmp_path):
        path = tmp_path / "t.parquet"
        column = pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64()))
        pq.write_table(pa.table({"prompt": column}), path)
        with pytest.raises(DataError, match="t.parquet: this Parquet file cannot be read"):
            opened(path)

    def test_decimals_are_ratings(self, tmp_path):
        path = tmp_path / "t.parquet"
        scores = [pa.array([Decimal(s)], pa.decimal128(5, 2)) for s in ("7.50", "2.25")]
        columns = {"prompt": ["p"], "chosen": ["a"], "rejected": ["b"]}
        columns |= dict(zip(("score_chosen", "score_rejected"), scores, strict=True))
        pq.write_table(pa.table(columns), path)
        (document,) = PreferenceDocuments(opened(path))
        assert document["ratings"] == ["15/2", "9/4"]

    def test_a_format_saved_along_with_a_folder_changes_nothing(self, tmp_path):
        import datasets

        data = datasets.Dataset.from_list([raw_row("p", FOUR)])
        data.with_format("numpy").save_to_disk(str(tmp_path / "saved"))
        (document,) = PreferenceDocuments(opened(tmp_path / "saved"))
        assert document.completions == ("a", "b", "c", "d")


class TestJson:
    def test_a_byte_order_mark_is_no_part_of_the_data(self, tmp_path):
        path = tmp_path / "d.json"
        path.write_text(json.dumps([raw_row("p", FOUR)]), encoding="utf-8-sig")
        assert len(PreferenceDocuments(opened(path))) == 1

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("[" * 100_000, "this JSON is nested too deeply"),
            ("[" + "1" * 5000 + "]", "this is not valid JSON"),
        ],
    )
    def test_what_python_refuses_to_read_is_an_error(self, tmp_path, text, problem):
        path = tmp_path / "d.json"
        path.write_text(text)
        with pytest.raises(DataError, match=f"d.json: {problem}"):
            opened(path)


def test_a_part_without_rows_says_how_many_there_are(tmp_path):
    path = write_jsonl(tmp_path / "d.jsonl", [raw_row("p", FOUR)] * 4)
    with pytest.raises(DataError, match="shard 9/9: there are no rows in this shard of 4"):
        PreferenceDocuments(opened(path), shard=Shard(9, 9))
