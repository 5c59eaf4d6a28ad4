import json
from fractions import Fraction

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import write_jsonl
from ultrarm_eval.data.records import RatedCompletion
from ultrarm_eval.errors import DataError
from ultrarm_eval.sources.answers import read_references
from ultrarm_eval.sources.references import choose_reference

ALLOWED = "A row has 'instruction' and 'output', or 'prompt' and 'completion'"


def rated(*ratings, names=None):
    """Completions "0", "1", ... with ratings (None for none) and names."""
    return [
        RatedCompletion(
            text=str(i),
            ratings={} if rating is None else {"overall": Fraction(rating)},
            model=names[i] if names else f"model-{i}",
        )
        for i, rating in enumerate(ratings)
    ]


def chosen_text(completions, reference):
    chosen = choose_reference(completions, reference, "overall")
    return None if chosen is None else chosen.text


class TestByRating:
    @pytest.mark.parametrize(
        ("ratings", "best", "median"),
        [
            ((3,), "0", "0"),
            ((1, 4), "1", "0"),
            ((5, 1, 3), "0", "2"),
            ((4, 1, 3, 2), "0", "3"),
            ((None, 2, None, 1), "1", "3"),
            ((2, 5, 5, 2), "1", "0"),
            (("1/3", "0.333"), "0", "1"),
        ],
    )
    def test_the_best_and_the_lower_middle(self, ratings, best, median):
        completions = rated(*ratings)
        assert chosen_text(completions, "best") == best
        assert chosen_text(completions, "median") == median

    @pytest.mark.parametrize("reference", ["best", "median"])
    def test_without_ratings_there_is_none(self, reference):
        assert chosen_text(rated(None, None), reference) is None
        assert chosen_text([], reference) is None

    def test_it_goes_by_the_preference_asked_for(self):
        assert choose_reference(rated(1, 2), "best", "honesty") is None

    def test_a_rating_known_to_be_wrong_is_none(self):
        false_ten = RatedCompletion("10", {"overall": Fraction(10)}, "m", {"overall": "false_ten"})
        completions = [false_ten, *rated(3, 4)]
        assert chosen_text(completions, "best") == "1"
        assert chosen_text(completions, "m") == "10"


class TestByName:
    def test_an_exact_name_goes_before_one_in_other_capitals(self):
        completions = rated(1, 1, names=["GPT-4", "gpt-4"])
        assert chosen_text(completions, "gpt-4") == "1"
        assert chosen_text(completions, "GPT-4") == "0"

    def test_a_single_name_in_other_capitals_is_accepted(self):
        completions = rated(1, None, 1, names=["alpaca-7b", "GPT-4", None])
        assert chosen_text(completions, "gpt-4") == "1"

    def test_two_names_in_other_capitals_are_none(self):
        assert chosen_text(rated(1, 1, names=["GPT-4", "Gpt-4"]), "gpt-4") is None

    def test_of_one_model_twice_the_first_is_taken(self):
        assert chosen_text(rated(1, 2, names=["gpt-4", "gpt-4"]), "gpt-4") == "0"

    @pytest.mark.parametrize("reference", ["gpt-4-0613", "gpt", "", "None"])
    def test_a_prompt_without_that_model_has_none(self, reference):
        assert chosen_text(rated(1, 2, names=["gpt-4", None]), reference) is None


def as_json(path, rows):
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def as_parquet(path, rows):
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


ALPACA_EVAL = [
    {"dataset": "koala", "instruction": "What is blue?", "output": "Sky.", "generator": "davinci"},
    {"dataset": "koala", "instruction": "And green?", "output": "", "generator": "davinci"},
]


class TestReferenceFiles:
    @pytest.mark.parametrize(
        ("name", "write"),
        [
            ("outputs.json", as_json),
            ("lines.json", write_jsonl),
            ("outputs.jsonl", write_jsonl),
            ("outputs.parquet", as_parquet),
        ],
    )
    def test_alpaca_evals_outputs(self, tmp_path, name, write):
        path = write(tmp_path / name, ALPACA_EVAL)
        assert read_references(path) == {"What is blue?": "Sky.", "And green?": ""}

    def test_prompts_and_completions(self, tmp_path):
        rows = [{"prompt": "a", "completion": "1"}, {"instruction": "b", "output": "2"}]
        assert read_references(write_jsonl(tmp_path / "r.jsonl", rows)) == {"a": "1", "b": "2"}

    def test_further_fields_are_ignored(self, tmp_path):
        row = {"prompt": "templated", "instruction": "a", "output": "1", "completion": None}
        assert read_references(write_jsonl(tmp_path / "r.jsonl", [row])) == {"a": "1"}

    def test_the_same_answer_twice_is_one(self, tmp_path):
        rows = [{"prompt": "a", "completion": "1"}, {"instruction": "a", "output": "1"}]
        assert read_references(write_jsonl(tmp_path / "r.jsonl", rows)) == {"a": "1"}

    def test_prompts_that_differ_by_a_blank_are_two(self, tmp_path):
        rows = [{"prompt": "a", "completion": "1"}, {"prompt": "a ", "completion": "2"}]
        assert len(read_references(write_jsonl(tmp_path / "r.jsonl", rows))) == 2

    def test_half_a_surrogate_pair_is_replaced_as_in_prompts_of_data(self, tmp_path):
        rows = [{"prompt": "a\ud800", "completion": "\udfff"}]
        assert read_references(write_jsonl(tmp_path / "r.jsonl", rows)) == {"a?": "?"}


class TestReferenceFilesThatAreRefused:
    def test_two_answers_to_one_prompt_name_both_lines(self, tmp_path):
        prompt = "Why? " * 20
        rows = [
            {"prompt": prompt, "completion": "1"},
            {"prompt": "b", "completion": "1"},
            {"prompt": prompt, "completion": "1"},
            {"prompt": prompt, "completion": "2"},
        ]
        path = write_jsonl(tmp_path / "r.jsonl", rows)
        with pytest.raises(DataError) as error:
            read_references(path)
        assert str(error.value) == (
            f"{path}, line 4: the prompt '{prompt[:60]}...' has a different answer in "
            "line 1. A prompt has one reference: remove one of the two rows."
        )

    def test_two_answers_to_one_prompt_name_both_rows(self, tmp_path):
        rows = [{"prompt": "a", "completion": "1"}, {"prompt": "a", "completion": "2"}]
        with pytest.raises(DataError, match=r"r\.json, row 1: the prompt 'a' .* in row 0\."):
            read_references(as_json(tmp_path / "r.json", rows))

    @pytest.mark.parametrize(
        ("row", "message"),
        [
            ({"instruction": "a"}, "field 'output' is missing"),
            ({"output": "a", "generator": "g"}, "field 'instruction' is missing"),
            ({"prompt": "a", "output": "b"}, "field 'instruction' is missing"),
            ({"completion": "a"}, "field 'prompt' is missing"),
            ({"What is blue?": "Sky."}, "prompt and answer are missing"),
            ({}, "prompt and answer are missing"),
        ],
    )
    def test_a_missing_field_is_named_with_those_there_are(self, tmp_path, row, message):
        path = write_jsonl(tmp_path / "r.jsonl", [ALPACA_EVAL[0], row])
        fields = ", ".join(map(repr, row)) or "none"
        with pytest.raises(DataError) as error:
            read_references(path)
        wanted = f"{path}, line 2: {message}. {ALLOWED}; this row has: {fields}."
        assert str(error.value) == wanted

    @pytest.mark.parametrize("value", [None, 7, ["a", 7], {"role": "user"}])
    @pytest.mark.parametrize("name", ["instruction", "output"])
    def test_a_field_that_is_no_text(self, tmp_path, name, value):
        row = {"instruction": "a", "output": "b", name: value}
        message = rf"line 1: field '{name}'.* (text|strings?)\b"
        with pytest.raises(DataError, match=message):
            read_references(write_jsonl(tmp_path / "r.jsonl", [row]))

    @pytest.mark.parametrize(
        ("name", "content"), [("r.jsonl", ""), ("r.jsonl", "\n \n"), ("r.json", "[]")]
    )
    def test_no_rows(self, tmp_path, name, content):
        path = tmp_path / name
        path.write_text(content)
        with pytest.raises(DataError) as error:
            read_references(path)
        assert str(error.value) == f"{path}: the file has no rows. {ALLOWED}."

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("r.jsonl", '{"prompt": "a", "comp', "line 1: this is not valid JSON"),
            ("r.jsonl", '\n["a"]\n', "line 2: this is a JSON list"),
            ("r.json", '[{"prompt": "a"},\n', "this is not valid JSON .*line 2"),
            ("r.json", "", "this is not valid JSON .*line 1"),
            ("r.json", '"a"', "this is a JSON str, not a list"),
            ("r.json", "[1]", "row 0: this is not a JSON object"),
            ("r.txt", "a", r"file type '\.txt' is not supported\. Use \.json, \.jsonl"),
        ],
    )
    def test_what_is_no_such_file(self, tmp_path, name, content, message):
        path = tmp_path / name
        path.write_text(content)
        with pytest.raises(DataError, match=message) as error:
            read_references(path)
        assert str(error.value).startswith(str(path))

    def test_no_file_and_a_folder(self, tmp_path):
        with pytest.raises(DataError, match=r"r\.json: no such file\. .*'output'"):
            read_references(tmp_path / "r.json")
        with pytest.raises(DataError, match="this is a folder"):
            read_references(tmp_path)
