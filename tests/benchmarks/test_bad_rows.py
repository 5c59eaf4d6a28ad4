"""What is wrong with the data is said with its place and with what is allowed."""

import copy

import pytest

from tests.benchmarks import rows
from tests.benchmarks.conftest import figures_of
from ultrarm_eval.errors import ConfigurationError, DataError

SMALL = {
    "rewardbench_overall": ("x", lambda: rows.rewardbench(1)),
    "rewardbench2_overall": ("x", lambda: rows.rewardbench2(1)),
    "preference_test_sets_shp": ("shp", lambda: rows.preference_test_set(1, "shp")),
    "llmbar_natural": ("natural", lambda: rows.llmbar(1, "natural")),
    "judgebench": ("x", lambda: rows.judgebench(1, "gpt")),
    "rm_bench": ("total_dataset", lambda: rows.rm_bench(1)),
    "ppe_human": ("x", lambda: rows.ppe_human(1)),
    "ultrarm_paper_anthropic_helpful": ("anthropic_helpful", lambda: rows.hh_rlhf(1)),
    "ultrarm_paper_webgpt": ("webgpt", lambda: rows.webgpt(1)),
    "ultrarm_paper_summarize": ("summarize", lambda: rows.summarize(1)),
    "ultrarm_paper_shp": ("shp", lambda: rows.shp(1)),
}


@pytest.fixture
def refusal(evaluate):
    """The message with which a task refuses data."""

    def of(task, path, error=DataError, **metadata):
        with pytest.raises(error) as caught:
            evaluate(len, task, path, **metadata)
        return str(caught.value)

    return of


def changed(task, number, **fields):
    """A benchmark's rows with some fields of one row set, or left out where None."""
    content = copy.deepcopy(SMALL[task][1]())
    content[number].update(fields)
    for name, value in fields.items():
        if value is None:
            del content[number][name]
    return content


def written(folder, task, content):
    return rows.write_jsonl(folder / f"{SMALL[task][0]}.jsonl", content)


MISSING = [
    ("rewardbench_overall", "prompt"),
    ("rewardbench_overall", "chosen"),
    ("rewardbench_overall", "rejected"),
    ("rewardbench_overall", "subset"),
    ("rewardbench2_overall", "prompt"),
    ("rewardbench2_overall", "chosen"),
    ("rewardbench2_overall", "rejected"),
    ("rewardbench2_overall", "subset"),
    ("preference_test_sets_shp", "prompt"),
    ("preference_test_sets_shp", "chosen"),
    ("preference_test_sets_shp", "rejected"),
    ("llmbar_natural", "input"),
    ("llmbar_natural", "output_2"),
    ("llmbar_natural", "label"),
    ("judgebench", "question"),
    ("judgebench", "response_A"),
    ("judgebench", "response_B"),
    ("judgebench", "label"),
    ("judgebench", "source"),
    ("rm_bench", "prompt"),
    ("rm_bench", "chosen"),
    ("rm_bench", "rejected"),
    ("rm_bench", "domain"),
    ("ppe_human", "prompt"),
    ("ppe_human", "response_1"),
    ("ppe_human", "response_2"),
    ("ppe_human", "winner"),
    ("ultrarm_paper_anthropic_helpful", "chosen"),
    ("ultrarm_paper_anthropic_helpful", "rejected"),
    ("ultrarm_paper_webgpt", "question"),
    ("ultrarm_paper_webgpt", "answer_1"),
    ("ultrarm_paper_webgpt", "score_0"),
    ("ultrarm_paper_webgpt", "score_1"),
    ("ultrarm_paper_summarize", "info"),
    ("ultrarm_paper_summarize", "choice"),
    ("ultrarm_paper_shp", "human_ref_A"),
    ("ultrarm_paper_shp", "human_ref_B"),
    ("ultrarm_paper_shp", "labels"),
]


@pytest.mark.few(19)
@pytest.mark.parametrize(("task", "field"), MISSING)
def test_a_missing_field_is_named_with_its_line(refusal, tmp_path, task, field):
    path = written(tmp_path, task, changed(task, 1, **{field: None}))
    message = refusal(task, path)
    assert message.startswith(f"{path}, line 2")
    assert repr(field) in message


ALTERNATIVES = [
    ("llmbar_natural", "output_1"),
    ("ultrarm_paper_webgpt", "answer_0"),
    ("ultrarm_paper_summarize", "summaries"),
    ("ultrarm_paper_shp", "history"),
]


@pytest.mark.parametrize(("task", "field"), ALTERNATIVES)
def test_without_the_field_that_tells_the_form_the_plain_form_is_asked_for(
    refusal, tmp_path, task, field
):
    path = written(tmp_path, task, changed(task, 1, **{field: None}))
    message = refusal(task, path)
    assert message.startswith(f"{path}, line 2: field 'prompt' is missing. Columns of ")
    assert message.endswith("; or prompt, chosen, rejected.")


MISTYPED = [
    ("rewardbench_overall", "prompt", 5, "of type int; it must be a text"),
    ("rewardbench_overall", "chosen", 5, "of type int; it must be a text"),
    ("rewardbench_overall", "subset", ["a"], "is ['a']; allowed are 'alpacaeval-easy'"),
    ("rewardbench2_overall", "chosen", 5, "of type int; it must be a list of texts"),
    ("rewardbench2_overall", "rejected", {"a": 1}, "of type dict; it must be a list of texts"),
    ("preference_test_sets_shp", "prompt", [5], "a prompt must be a string, a list of"),
    ("preference_test_sets_shp", "rejected", 1.5, "of type float; it must be a text"),
    ("llmbar_natural", "output_1", 5, "of type int; it must be a text"),
    ("llmbar_natural", "label", 3, "is 3; allowed are 1, 2"),
    ("llmbar_natural", "label", "1", "is '1'; allowed are 1, 2"),
    ("judgebench", "response_A", ["a"], "of type list; it must be a text"),
    ("judgebench", "label", "A=B", "is 'A=B'; allowed are 'A>B', 'B>A'"),
    ("judgebench", "label", 1, "is 1; allowed are 'A>B', 'B>A'"),
    ("rm_bench", "chosen", 5, "of type int; it must be a list of texts"),
    ("rm_bench", "domain", 5, "of type int; it must be a text"),
    ("ppe_human", "response_1", 5, "of type int; it must be a text"),
    ("ppe_human", "winner", 1, "of type int; it must be a text"),
    ("ultrarm_paper_anthropic_helpful", "chosen", 5, "of type int; it must be a text"),
    ("ultrarm_paper_webgpt", "question", "why", "has to be an object with 'full_text'"),
    ("ultrarm_paper_webgpt", "question", {"id": 1}, "field 'full_text' is missing"),
    ("ultrarm_paper_webgpt", "score_0", "high", "'score_0' and 'score_1' have to be numbers"),
    ("ultrarm_paper_summarize", "choice", 2, "is 2; allowed are 0, 1"),
    ("ultrarm_paper_summarize", "summaries", [{"text": "a"}], "'summaries' a list of two"),
    ("ultrarm_paper_summarize", "summaries", [{}, {}], "field 'text' is missing"),
    ("ultrarm_paper_shp", "labels", "1", "is '1'; allowed are 0, 1"),
    ("ultrarm_paper_shp", "human_ref_A", 5, "of type int; it must be a text"),
]


@pytest.mark.few(13)
@pytest.mark.parametrize(("task", "field", "value", "said"), MISTYPED)
def test_a_field_of_another_kind_is_named_with_what_is_allowed(
    refusal, tmp_path, task, field, value, said
):
    path = written(tmp_path, task, changed(task, 1, **{field: value}))
    message = refusal(task, path)
    assert message.startswith(f"{path}, line 2")
    assert said in message


@pytest.mark.parametrize("value", [5, [5, 6]])
def test_summaries_that_are_none_are_refused_with_their_place(refusal, tmp_path, value):
    task = "ultrarm_paper_summarize"
    path = written(tmp_path, task, changed(task, 2, summaries=value))
    assert refusal(task, path).startswith(f"{path}, line 3")


def test_a_choice_that_is_written_as_a_float_is_read(evaluate, tmp_path):
    task = "ultrarm_paper_summarize"
    figures = [
        figures_of(evaluate(len, task, written(tmp_path, task, changed(task, 2, choice=c))), task)
        for c in (0, 1, 1.0)
    ]
    assert figures[2] == figures[1] != figures[0]


def test_parquet_names_the_row(refusal, tmp_path):
    content = changed("rm_bench", 1, rejected=["one", "two"])
    path = rows.write_parquet(tmp_path / "total_dataset.parquet", content)
    message = refusal("rm_bench", path)
    assert message.startswith(f"{path}, row 1: field 'rejected' has 2 texts; 3 are needed")


# One benchmark each


@pytest.mark.parametrize("field", ["chosen", "rejected"])
@pytest.mark.parametrize("number", [0, 2, 4])
def test_rm_bench_needs_three_styles(refusal, tmp_path, field, number):
    path = written(
        tmp_path, "rm_bench", changed("rm_bench", 4, **{field: [str(i) for i in range(number)]})
    )
    message = refusal("rm_bench", path)
    assert message.startswith(f"{path}, line 5: field {field!r} has {number} texts; 3 are needed")
    assert "concise, detailed, markdown" in message


def test_rm_bench_refuses_an_unknown_domain(refusal, tmp_path):
    path = written(tmp_path, "rm_bench", changed("rm_bench", 0, domain="poetry"))
    message = refusal("rm_bench", path)
    assert (
        f"{path}, line 1: the domain is 'poetry'; allowed are chat, math, code, safety." in message
    )


@pytest.mark.parametrize("name", ["5", "ref", "ref:", ":5", "tie:3", "Ref:3", "tied-3", None])
def test_a_malformed_id_of_ties_is_refused(refusal, tmp_path, name):
    content = rows.rewardbench2_ties(1)
    if name is None:
        del content[2]["id"]
    else:
        content[2]["id"] = name
    path = rows.write_jsonl(tmp_path / "x.jsonl", content)
    for task in ("rewardbench2_ties", "rewardbench2_overall"):
        message = refusal(task, path)
        assert message.startswith(f"{path}, line 3: the id {name or '2'!r} of a row of Ties")
        assert "'ref:N' or 'tied:N'" in message


@pytest.mark.parametrize("name", ["ref:x", "tied:1:2", "ref:1.5"])
def test_an_id_of_ties_without_a_number_is_refused(refusal, tmp_path, name):
    content = rows.rewardbench2_ties(1)
    content[2]["id"] = name
    refusal("rewardbench2_ties", rows.write_jsonl(tmp_path / "x.jsonl", content))


@pytest.mark.parametrize("task", ["rewardbench2_ties", "rewardbench2_overall"])
def test_an_id_of_ties_that_occurs_twice_is_refused(refusal, tmp_path, task):
    content = rows.rewardbench2_ties(1)
    content[5]["id"] = content[1]["id"]
    path = rows.write_jsonl(tmp_path / "x.jsonl", content)
    message = refusal(task, path)
    assert message.startswith(f"{path}, line 6: the id {content[1]['id']!r} occurs twice")


def test_two_right_answers_are_for_ties_alone(refusal, tmp_path):
    content = rows.rewardbench2(1)
    number = next(i for i, row in enumerate(content) if row["subset"] == "Math")
    content[number]["chosen"] = ["one", "two"]
    path = rows.write_jsonl(tmp_path / "x.jsonl", content)
    message = refusal("rewardbench2_math", path)
    assert message.startswith(f"{path}, line {number + 1}: it has 2 chosen completions")
    assert "every subset except Ties has exactly one." in message


@pytest.mark.parametrize("field", ["chosen", "rejected"])
def test_best_of_four_needs_right_and_wrong_answers(refusal, tmp_path, field):
    content = changed("rewardbench2_overall", 0, **{field: []})
    path = written(tmp_path, "rewardbench2_overall", content)
    message = refusal("rewardbench2_overall", path)
    assert f"{path}, line 1: a row needs completions in 'chosen' and in 'rejected'." in message


@pytest.mark.parametrize("text", ["hello", "\n\nHuman: hello", "x\n\nHuman: a\n\nAssistant: b"])
def test_what_is_no_transcript_is_refused(refusal, tmp_path, text):
    task = "ultrarm_paper_anthropic_helpful"
    path = written(tmp_path, task, changed(task, 1, rejected=text))
    message = refusal(task, path)
    assert message.startswith(f"{path}, line 2: field 'rejected' is not a transcript of turns")


@pytest.mark.parametrize("winner", ["tie", "tie (bothbad)"])
def test_only_tied_votes_leave_nothing_and_are_counted(refusal, tmp_path, winner):
    content = [{**row, "winner": winner} for row in rows.ppe_human(1)]
    path = rows.write_jsonl(tmp_path / "x.jsonl", content)
    count = len(content)
    assert refusal("ppe_human", path) == (
        f"{path}: no row remains to compare ({count} rows; excluded: {count} rows "
        f"(the winner is {winner!r}))."
    )


def test_data_without_a_tasks_subset_name_the_subsets_they_have(refusal, tmp_path):
    content = rows.rewardbench(1, ["hep-go", "donotanswer"])
    path = rows.write_jsonl(tmp_path / "x.jsonl", content)
    message = refusal("rewardbench_math_prm", path)
    count = sum(row["subset"] == "donotanswer" for row in content)
    assert message.startswith(f"{path}: there is no row of the subset 'math-prm'.")
    assert f"Its subsets: 'donotanswer' ({count}), 'hep-go' ({len(content) - count})." in message


@pytest.mark.parametrize("task", ["rewardbench_overall", "rewardbench2_overall"])
def test_an_unknown_subset_in_the_data_is_refused(refusal, tmp_path, task):
    content = SMALL[task][1]()
    number = next(i for i, row in enumerate(content) if row["subset"] != "Ties")
    content[number]["subset"] = "math_prm"
    message = refusal(task, rows.write_jsonl(tmp_path / "x.jsonl", content))
    assert f"line {number + 1}" in message
    assert "'math_prm'" in message


@pytest.mark.parametrize("task", ["rewardbench2_overall", "judgebench", "rm_bench"])
def test_a_rule_for_ties_is_refused_where_the_benchmark_has_its_own(refusal, tmp_path, task):
    path = written(tmp_path, task, SMALL[task][1]())
    message = refusal(task, path, ConfigurationError, ties="half")
    assert message.startswith(f"ties='half': {task} has its own rule for equal rewards")
    assert message.endswith("Leave ties out.")


def test_an_unknown_rule_for_ties_is_refused(refusal, tmp_path):
    path = written(tmp_path, "ppe_human", SMALL["ppe_human"][1]())
    message = refusal("ppe_human", path, ConfigurationError, ties="quarter")
    assert "'quarter'" in message
    assert "half, wrong" in message


# Files and folders


@pytest.mark.parametrize("task", SMALL)
def test_an_empty_file_is_refused(refusal, tmp_path, task):
    path = rows.write_jsonl(tmp_path / f"{SMALL[task][0]}.jsonl", [])
    assert refusal(task, path) == f"{path}: the file has no rows."


def test_an_empty_array_is_refused(refusal, tmp_path):
    path = rows.write_json(tmp_path / "total_dataset.json", [])
    assert refusal("rm_bench", path) == f"{path}: the file has no rows."


def test_a_file_that_is_not_there_is_refused(refusal, tmp_path):
    message = refusal("judgebench", tmp_path / "nothing.jsonl")
    assert "nothing.jsonl" in message
    assert "JSON, JSONL or Parquet file, or a folder" in message


PARTS = [
    ("preference_test_sets_shp", "shp"),
    ("llmbar_natural", "natural"),
    ("ultrarm_paper_webgpt", "webgpt"),
]


@pytest.mark.parametrize(("task", "part"), PARTS)
def test_a_file_that_does_not_say_its_part_is_refused(refusal, tmp_path, task, part):
    path = rows.write_jsonl(tmp_path / "data.jsonl", SMALL[task][1]())
    message = refusal(task, path)
    assert message.startswith(f"{path}: {task} reads one part of its benchmark")
    assert f"Rename it to {part}.jsonl, give a folder" in message


@pytest.mark.parametrize(("task", "part"), PARTS)
def test_a_folder_without_the_file_of_a_part_is_refused(refusal, tmp_path, task, part):
    rows.write_jsonl(tmp_path / "other.jsonl", SMALL[task][1]())
    rows.write_jsonl(tmp_path / "some" / "another.jsonl", SMALL[task][1]())
    message = refusal(task, tmp_path)
    assert message.startswith(f"{tmp_path}: there is no file named {part} (")
    assert "other.jsonl" in message
    assert "another.jsonl" in message


def test_a_folder_with_two_files_of_a_part_is_refused(refusal, tmp_path):
    for folder in ("a", "b"):
        rows.write_jsonl(tmp_path / folder / "shp.jsonl", rows.preference_test_set(1, "shp"))
    message = refusal("preference_test_sets_shp", tmp_path)
    assert message.startswith(f"{tmp_path}: there are 2 files named shp")


def test_rewardbench_rows_without_llmbars_are_refused_by_it(refusal, tmp_path):
    content = rows.rewardbench(1, ["math-prm"])
    path = rows.write_jsonl(tmp_path / "filtered.jsonl", content)
    message = refusal("llmbar_manual", path)
    assert "there is no row of the subset 'llmbar-adver-manual'" in message


def test_a_benchmark_refuses_another_ones_rows(refusal, tmp_path):
    path = rows.write_jsonl(tmp_path / "total_dataset.jsonl", rows.rm_bench(1))
    assert refusal("rewardbench_overall", path).startswith(f"{path}, line 1: field ")
    path = rows.write_jsonl(tmp_path / "x.jsonl", rows.rewardbench(1))
    assert refusal("judgebench", path).startswith(f"{path}, line 1: field 'label'")


def test_llmbar_out_of_a_saved_rewardbench_has_the_rows_of_its_part(evaluate, tmp_path):
    content = rows.rewardbench(1)
    results = evaluate(len, "llmbar_natural", rows.write_saved(tmp_path / "saved", content))
    counts = results["configs"]["llmbar_natural"]["metadata"]["counts"]
    assert counts["documents"] == sum(row["subset"] == "llmbar-natural" for row in content)


def test_a_saved_folder_that_does_not_say_its_part_is_refused(refusal, tmp_path):
    content = rows.preference_test_set(1, "shp")
    refusal("preference_test_sets_anthropic_hhh", rows.write_saved(tmp_path / "x", content))


def test_a_file_that_is_called_as_another_part_is_refused(refusal, tmp_path):
    content = rows.preference_test_set(1, "shp")
    path = rows.write_jsonl(tmp_path / "summarize" / "shp.jsonl", content)
    refusal("preference_test_sets_summarize", path)


def test_a_folder_may_be_called_as_the_benchmark(evaluate, tmp_path):
    for name in ("filtered", "raw"):
        rows.write_jsonl(tmp_path / "rewardbench" / f"{name}.jsonl", rows.rewardbench(1))
    evaluate(len, "rewardbench_overall", tmp_path / "rewardbench")


def test_rm_bench_is_read_from_a_file_of_any_name(evaluate, tmp_path):
    evaluate(len, "rm_bench", rows.write_jsonl(tmp_path / "my-copy.jsonl", rows.rm_bench(1)))


def test_a_file_may_begin_with_a_byte_order_mark(evaluate, tmp_path):
    path = rows.write_json(tmp_path / "total_dataset.json", rows.rm_bench(1))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    results = evaluate(len, "rm_bench", path)
    figures = figures_of(results, "rm_bench")
    assert figures["acc"] == figures["acc_longest"]
