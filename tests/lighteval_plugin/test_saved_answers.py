"""Answers that were written before, judged again by `lighteval custom`."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import raw_row, write_jsonl
from ultrarm_eval.errors import DataError
from ultrarm_eval.lighteval import judged_task

pytest.importorskip("lighteval")

TASK = "ultrafeedback_judge"
# The first two are one prompt: which row an answer is of is known by its number.
PROMPTS = ["the same", "the same", "another", "a third"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    rows = [
        raw_row(prompt, answers=((f"worst {i}", 1), (f"best {'of ' * i}all", 5)))
        for i, prompt in enumerate(PROMPTS)
    ]
    return str(write_jsonl(tmp_path_factory.mktemp("data") / "data.jsonl", rows))


@pytest.fixture
def task(data):
    return judged_task(TASK, data=data, reference="best")


def saved(name):
    from lighteval.models.custom.custom_model import CustomModelConfig
    from lighteval.models.model_loader import load_custom_model

    import ultrarm_eval.lighteval.saved_answers as module

    config = CustomModelConfig(model_name=str(name), model_definition_file_path=module.__file__)
    return load_custom_model(config)


def figures(pipeline):
    return pipeline.evaluation_tracker.results["results"][f"{TASK}|0"]


@pytest.fixture
def written(run, writer, task, scripted, tmp_path):
    """A run whose details are saved; each row has another answer."""
    scripted(lambda _, text: float(len(text)))
    numbers = iter(range(len(PROMPTS)))
    return run(writer(lambda prompt: prompt + "!" * next(numbers)), [task], out=tmp_path / "first")


@pytest.mark.parametrize("name", ["first/details", "first"])
def test_saved_details_are_judged_again_row_by_row(run, written, data, scripted, tmp_path, name):
    judge = scripted(lambda _, text: -float(len(text)))
    task = judged_task(TASK, data=data, reference="best")
    again = run(saved(tmp_path / name), [task], out=tmp_path / "second")
    assert figures(again)["reward"] == -figures(written)["reward"]
    assert figures(again)["response_length"] == figures(written)["response_length"]
    texts = {d.doc.id: d.model_response.text[0] for d in written.get_details()[f"{TASK}|0"]}
    assert [text for _, text in judge.asked[::2]] == [texts[str(i)] for i in range(len(PROMPTS))]


def test_lighteval_s_own_option_finds_no_task_in_what_it_saved(
    run, written, writer, data, tmp_path
):
    # Why there is a model of saved answers; lighteval's pull request 1345 would mend it.
    task = judged_task(TASK, data=data, reference="best")
    with pytest.raises(ValueError, match="not found in details datasets"):
        run(
            writer(pytest.fail),
            [task],
            out=tmp_path / "first",
            load_responses_from_details_date_id="last",
        )


def test_a_file_of_answers_of_any_harness_is_judged(run, data, scripted, tmp_path):
    scripted(lambda _, text: float(len(text)))
    rows = [{"prompt": prompt, "completion": prompt[::-1]} for prompt in dict.fromkeys(PROMPTS)]
    path = write_jsonl(tmp_path / "answers.jsonl", rows)
    done = run(saved(path), [judged_task(TASK, data=data, reference="best")])
    assert figures(done)["reward"] == sum(map(len, PROMPTS)) / len(PROMPTS)


def test_a_prompt_without_an_answer_is_named(run, data, scripted, tmp_path):
    scripted(lambda *_: 1.0)
    path = write_jsonl(tmp_path / "answers.jsonl", [{"prompt": "the same", "completion": "x"}])
    with pytest.raises(
        DataError, match="2 of 4 prompts have no saved answer, the first is 'a(nother| third)'"
    ):
        run(saved(path), [judged_task(TASK, data=data, reference="best")])


def test_details_of_two_runs_with_other_answers_are_refused(written, run, writer, task, tmp_path):
    (details,) = (tmp_path / "first").rglob("details_*.parquet")
    other = run(writer(lambda prompt: "other"), [task], out=tmp_path / "other")
    # As the answers of the first run are kept, the second wrote none.
    assert figures(other)["response_length"] == figures(written)["response_length"]
    shutil.rmtree(tmp_path / "kept")
    run(writer(lambda prompt: "other"), [task], out=tmp_path / "third")
    (another,) = (tmp_path / "third").rglob("details_*.parquet")
    both = Path(tmp_path / "both")
    both.mkdir()
    shutil.copy(details, both)
    shutil.copy(another, both)
    with pytest.raises(DataError, match="has a different answer than in another file"):
        saved(both)


def test_a_folder_without_details_is_refused(tmp_path):
    with pytest.raises(DataError, match="no file details_"):
        saved(tmp_path)
