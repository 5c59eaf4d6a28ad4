"""What a model writes is judged alike in one process and in several over gloo."""

import pytest

from tests.conftest import write_jsonl
from tests.lm_eval_plugin.launching import assert_close, documents, evaluate

TASKS = ("ultrafeedback_judge", "ultrafeedback_best_of_n")
# Of three processes the second has these two of five documents, and no other.
UNSCORED = [1, 4]


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """By number of processes and evaluation, what the first process reports."""
    folder = tmp_path_factory.mktemp("judged")
    rows = documents(5)
    for row in rows:
        row["completions"][0]["model"] = "gpt-4"
    data = str(write_jsonl(folder / "d.jsonl", rows))
    plain = {"data": data, "metadata": {"judge": "demo", "n": 3}}
    evaluations = {task: {**plain, "task": task} for task in TASKS}
    # Last: from then on the process's judge abstains.
    for task in TASKS:
        evaluations[f"{task} unscored"] = {**plain, "task": task, "unscored": UNSCORED}
    runs = {n: evaluate(folder / str(n), evaluations, processes=n) for n in (1, 3)}
    return {n: {name: run.reports(name)[0] for name in evaluations} for n, run in runs.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", [f"{task}{kind}" for kind in ("", " unscored") for task in TASKS])
def test_metrics_and_samples_are_those_of_one_process(reports, name):
    one, three = reports[1][name], reports[3][name]
    assert (one["processes"], three["processes"], len(three["samples"])) == (1, 3, 5)
    assert_close(three["metrics"], one["metrics"], 1e-12)
    assert three["samples"] == one["samples"]
    unscored = 0 if not name.endswith("unscored") else len(UNSCORED) * (1 if "judge" in name else 3)
    assert three["answers_without_score"] == one["answers_without_score"] == unscored
