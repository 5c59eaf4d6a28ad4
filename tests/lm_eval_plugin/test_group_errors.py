"""Standard errors of groups, against the rows of their samples."""

import math
import statistics

import pytest

from tests.benchmarks.conftest import random_reward
from tests.conftest import write_jsonl
from tests.harness_lines import by_task

SIZES = {"neighbor": 4, "gptinst": 9, "gptout": 3, "manual": 6}
GROUP = """
group: {name}
task:
{tasks}
aggregate_metric_list:
  - metric: acc
    aggregation: mean
    weight_by_size: {weighted}
    filter_list: none
"""


@pytest.fixture
def llmbar(tmp_path):
    folder = tmp_path / "llmbar"
    folder.mkdir()
    for name, size in SIZES.items():
        pairs = [
            {
                "prompt": f"{name} {i}",
                "chosen": f"chosen {name} {i}",
                "rejected": f"rejected {name} {i}",
            }
            for i in range(size)
        ]
        write_jsonl(folder / f"{name}.jsonl", pairs)
    return {"data": str(folder)}


def write_group(folder, name, tasks, *, weighted):
    listed = "\n".join(f"  - {task}" for task in tasks)
    text = GROUP.format(name=name, tasks=listed, weighted=str(weighted).lower())
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


def earned_in(results):
    samples = by_task(results["samples"])
    return [[one["acc"] for one in samples[f"llmbar_{name}"]] for name in SIZES]


def of_plain_mean(earned):
    errors = [statistics.stdev(one) / math.sqrt(len(one)) for one in earned]
    return math.hypot(*errors) / len(errors)


def test_a_plain_mean_of_tasks_has_its_own_error(run, model_of, llmbar):
    reward = random_reward(5, 7, 0.4)
    found = run(model_of(lambda _, text: reward(text)), ["llmbar_adversarial"], llmbar)
    earned = earned_in(found)
    assert len({len(one) for one in earned}) > 1
    expected = of_plain_mean(earned)
    for part in ("groups", "results"):
        row = found[part]["llmbar_adversarial"]
        assert row["acc,none"] == pytest.approx(statistics.fmean(map(statistics.fmean, earned)))
        assert row["acc_stderr,none"] == pytest.approx(expected, rel=1e-12)


def test_groups_of_groups_and_means_over_documents(run, model_of, llmbar, tmp_path):
    folder = tmp_path / "tasks"
    folder.mkdir()
    write_group(folder, "outer", ["inner", "llmbar_gptout", "llmbar_manual"], weighted=False)
    write_group(folder, "inner", ["llmbar_neighbor", "llmbar_gptinst"], weighted=True)
    reward = random_reward(5, 7, 0.4)
    model = model_of(lambda _, text: reward(text))
    found = run(model, ["outer"], llmbar, include_path=str(folder))
    earned = earned_in(found)
    assert found["groups"]["outer"]["acc_stderr,none"] == pytest.approx(of_plain_mean(earned))
    within = sum((len(one) - 1) * statistics.variance(one) for one in earned[:2]) / (
        sum(map(len, earned[:2])) - 2
    )
    pooled = math.sqrt(within / sum(map(len, earned[:2])))
    assert found["groups"]["inner"]["acc_stderr,none"] == pytest.approx(pooled)


def test_a_task_of_one_document_leaves_no_error(run, model_of, llmbar):
    found = run(model_of(lambda _, text: len(text)), ["llmbar_adversarial"], llmbar, limit=1)
    assert found["groups"]["llmbar_adversarial"]["acc_stderr,none"] == "N/A"
