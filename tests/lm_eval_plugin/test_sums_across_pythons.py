"""The harness's means and standard errors of our tasks do not depend on the Python version."""

import builtins

import pytest
from lm_eval.api.metrics import mean

from tests.conftest import raw_row, write_jsonl
from tests.sums import SUMS

# Rewards and lengths with many digits, and three answers a prompt, so that credits are thirds.
PROMPTS = [f"question {i}" for i in range(23)]


def reward(_, completion):
    return (sum(map(ord, completion)) % 101) / 7


def answer(prompt, turn=0):
    return f"{prompt} answered for the {turn + 1}. time"


@pytest.fixture
def data(tmp_path):
    rows = []
    for i, prompt in enumerate(PROMPTS):
        answers = ((f"poor {i * i}", 1), (f"fair {7 * i}", 3), (f"good {i}", 5))
        rows.append(raw_row(prompt, answers=answers))
        rows[-1]["completions"][1]["model"] = "gpt-4"
    return str(write_jsonl(tmp_path / "data.jsonl", rows))


@pytest.fixture
def with_each_sum(run, monkeypatch, tmp_path):
    """The results of tasks with each of the sums, and the values of their documents."""

    def run_with_each(model, tasks, **metadata):
        found = []
        for add in SUMS.values():
            with monkeypatch.context() as patched:
                patched.setattr(builtins, "sum", add)
                results = run(model(), tasks, metadata)
            values = [
                {name: [sample[name] for sample in samples] for name in samples[0]["metrics"]}
                for samples in results["samples"].values()
            ]
            found.append((results["results"], values))
        return found

    return run_with_each


def plain_means(values, add, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(builtins, "sum", add)
        return {
            name: mean([float(value) for value in given])
            for of_task in values
            for name, given in of_task.items()
            if all(isinstance(value, float) for value in given)
        }


def test_figures_of_compared_answers(with_each_sum, model_of, data, monkeypatch):
    tasks = ["ultrafeedback_pairs"]
    (before, values), (since, same) = with_each_sum(lambda: model_of(reward), tasks, data=data)
    assert values == same
    assert before == since
    # Values that are plain floats would tell the two apart.
    means = [plain_means(values, add, monkeypatch) for add in SUMS.values()]
    assert means[0]["acc"] != means[1]["acc"]
    assert means[0]["margin"] != means[1]["margin"]


def test_figures_of_written_answers(with_each_sum, writer, scripted, data, monkeypatch):
    scripted(reward)
    tasks = ["ultrafeedback_judge", "ultrafeedback_best_of_n"]
    (before, values), (since, same) = with_each_sum(lambda: writer(answer), tasks, data=data)
    assert values == same
    assert before == since
    means = [plain_means(values, add, monkeypatch) for add in SUMS.values()]
    assert means[0]["reward"] != means[1]["reward"]
