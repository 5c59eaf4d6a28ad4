"""Tasks in which a model writes, on files of prompts without answers."""

import json

import datasets
import pytest

from tests.conftest import raw_row, write_jsonl
from ultrarm_eval.errors import DataError

JUDGE, BEST, ALPACA = "ultrafeedback_judge", "ultrafeedback_best_of_n", "alpaca_eval_ultrarm"
PROMPTS = [f"question {i}" for i in range(3)]


@pytest.fixture
def prompts(tmp_path):
    return str(write_jsonl(tmp_path / "prompts.jsonl", [{"prompt": p} for p in PROMPTS]))


@pytest.fixture
def reference(tmp_path):
    given = [{"instruction": p, "output": "four"} for p in PROMPTS]
    path = tmp_path / "reference.json"
    path.write_text(json.dumps(given))
    return str(path)


@pytest.fixture
def by_length(scripted):
    return scripted(lambda _, text: float(len(text)))


def write(prompt, turn):
    return prompt[-1] * (1 + 2 * turn + int(prompt[-1]))


def figures(results, task):
    return {
        name.removesuffix(",none"): value
        for name, value in results["results"][task].items()
        if name.endswith(",none") and "_stderr" not in name
    }


@pytest.mark.product
@pytest.mark.parametrize("column", ["prompt", "instruction", "messages"])
@pytest.mark.parametrize("form", ["jsonl", "json", "parquet"])
def test_best_of_n_takes_prompts_alone(run, writer, by_length, tmp_path, column, form):
    value = {"messages": lambda p: [{"role": "user", "content": p}]}.get(column, str)
    rows = [{column: value(p)} for p in PROMPTS]
    path = tmp_path / f"prompts.{form}"
    if form == "jsonl":
        write_jsonl(path, rows)
    elif form == "json":
        path.write_text(json.dumps(rows))
    else:
        datasets.Dataset.from_list(rows).to_parquet(str(path))
    results = run(writer(write), [BEST], {"data": str(path), "n": 2})
    found = figures(results, BEST)
    # Answers of 1 and 3, 2 and 4, 3 and 5 characters.
    assert (found["reward@1"], found["reward@2"]) == (3.0, 4.0)
    assert not [name for name in found if name.startswith("win_rate")]
    metadata = results["configs"][BEST]["metadata"]
    assert (metadata["reference"], metadata["data_schema"]) == ("none", "prompts")
    sample = results["samples"][BEST][0]
    assert (sample["doc"]["reference"], sample["target"]) == (None, "")
    assert "judged_reference" not in sample


@pytest.mark.parametrize("task", [JUDGE, BEST, ALPACA])
def test_a_file_of_references_makes_them_comparable(
    run, writer, by_length, prompts, reference, task
):
    metadata = {"data": prompts, "reference": reference, "n": 1}
    results = run(writer(write), [task], metadata)
    found = figures(results, task)
    # "four" has four characters, the answers 1, 2 and 3.
    assert found.get("win_rate", found.get("win_rate@1")) == 0.0
    assert len(results["samples"][task]) == 3


@pytest.mark.parametrize("task", [JUDGE, ALPACA])
def test_rewards_alone_can_be_asked_for(run, writer, by_length, prompts, task):
    found = figures(run(writer(write), [task], {"data": prompts, "reference": "none"}), task)
    assert found["reward"] == 2.0
    assert not [name for name in found if name.startswith("win_rate")]


@pytest.mark.parametrize("task", [JUDGE, BEST])
def test_rewards_alone_can_be_asked_for_where_there_are_answers(
    run, writer, by_length, tmp_path, task
):
    path = write_jsonl(tmp_path / "d.jsonl", [raw_row(p) for p in PROMPTS])
    metadata = {"data": str(path), "reference": "none", "n": 1}
    found = figures(run(writer(write), [task], metadata), task)
    assert found.get("reward", found.get("reward@1")) == 2.0
    assert not [name for name in found if name.startswith("win_rate")]


@pytest.mark.parametrize("task", [JUDGE, BEST])
def test_a_reference_that_is_named_is_not_given_up(run, writer, prompts, task):
    with pytest.raises(DataError, match=r"only prompts, so there is no answer 'gpt-4'.*FILE.*none"):
        run(writer(write), [task], {"data": prompts, "reference": "gpt-4", "judge": "demo"})


def test_a_comparison_wants_a_reference(run, writer, prompts):
    model = writer(write)
    message = r"only prompts.*Name a file of reference answers"
    with pytest.raises(DataError, match=message):
        run(model, [JUDGE], {"data": prompts, "judge": "demo"})
    assert model.requests == []


def test_alpaca_eval_fetches_the_published_reference_where_none_is_named(run, writer, prompts):
    with pytest.raises(DataError, match="alpaca_eval.json cannot be downloaded from the hub"):
        run(writer(write), [ALPACA], {"data": prompts, "judge": "demo"})


def test_a_row_without_a_prompt_says_what_a_row_needs(run, writer, by_length, tmp_path):
    path = write_jsonl(tmp_path / "p.jsonl", [{"prompt": "p"}, {"text": "q"}])
    message = rf"^{path}, line 2: there is no prompt. A row has 'prompt' or 'instruction'"
    with pytest.raises(DataError, match=message):
        run(writer(write), [BEST], {"data": str(path)})


def test_data_without_any_prompt_name_what_is_accepted(run, writer, by_length, tmp_path):
    path = write_jsonl(tmp_path / "p.jsonl", [{"text": "q"}])
    with pytest.raises(DataError, match="prompt, instruction or messages"):
        run(writer(write), [BEST], {"data": str(path)})
