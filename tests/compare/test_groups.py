import itertools
import json
import math

import numpy as np
import pytest
from scipy import stats

from tests.benchmarks import rows as suite_rows
from tests.benchmarks.conftest import random_reward
from tests.compare.compared import OTHER
from tests.compare.written_runs import foreign, rated, write_run
from tests.report.written_runs import choice as benchmark_item
from tests.report.written_runs import choice_sample
from ultrarm_eval.benchmarks.figures import value_of
from ultrarm_eval.compare.compute import compare_runs
from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.rows import Location
from ultrarm_eval.plugins import registry
from ultrarm_eval.runs.evaluation import read_evaluation
from ultrarm_eval.runs.sample_values import sample_value
from ultrarm_eval.stats.significance import holm

GROUP = {"all": ["one", "two", "three"]}


def outcomes(seed, sizes=(7, 4, 3)):
    random = np.random.default_rng(seed)
    return {
        name: random.integers(0, 3, size) / 2
        for name, size in zip(GROUP["all"], sizes, strict=True)
    }


def samples_of(values, prompt="{task} {i}"):
    return {
        task: [
            rated(i, [float(v), 0.5], prompt=prompt.format(task=task, i=i), source=task)
            for i, v in enumerate(of_task)
        ]
        for task, of_task in values.items()
    }


def figure_of(values, way):
    means = {task: float(np.mean(of_task)) for task, of_task in values.items()}
    if way == "mean over tasks":
        return sum(means.values()) / len(means)
    sizes = {task: len(of_task) for task, of_task in values.items()}
    return sum(sizes[task] * means[task] for task in means) / sum(sizes.values())


def grouped(folder, values, way="mean over tasks", prompt="{task} {i}", figure=None, **options):
    """A run with a group; its results say how the group's figure comes out, and not why."""
    path = write_run(folder, samples_of(values, prompt), **options)
    (results,) = folder.glob("results_*.json")
    content = json.loads(results.read_text())
    content["results"]["all"] = {
        "acc,none": figure_of(values, way) if figure is None else figure,
        "acc_stderr,none": 0.05,
    }
    content["group_subtasks"] = GROUP
    content["higher_is_better"]["all"] = {"acc": True}
    results.write_text(json.dumps(content))
    return path


def plain(a, b, way, prompt):
    """The same by enumeration and by the textbook, over prompts."""
    total = sum(map(len, a.values()))
    by_prompt = {}
    variance, parts = 0.0, []
    for task in a:
        weight = 1 / len(a) if way == "mean over tasks" else len(a[task]) / total
        differences = b[task] - a[task]
        for i, difference in enumerate(differences):
            key = prompt.format(task=task, i=i)
            by_prompt[key] = by_prompt.get(key, 0) + weight * difference / len(differences)
        part = weight**2 * differences.var(ddof=1) / len(differences)
        variance += part
        parts.append((part, len(differences) - 1))
    seen = abs(sum(by_prompt.values()))
    signs = itertools.product((1, -1), repeat=len(by_prompt))
    sums = [abs(sum(s * v for s, v in zip(one, by_prompt.values(), strict=True))) for one in signs]
    p = np.mean([value >= seen - 1e-12 for value in sums])
    freedom = variance**2 / sum(part**2 / f for part, f in parts)
    return sum(by_prompt.values()), p, stats.t.ppf(0.975, freedom) * math.sqrt(variance)


@pytest.mark.product
@pytest.mark.parametrize("way", ["mean over tasks", "mean weighted by size"])
# Of these no task's differences are all the same.
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_group_is_compared_as_the_harness_makes_its_figure(tmp_path, way, seed):
    a, b = outcomes(seed), outcomes(seed + 100)
    runs = [grouped(tmp_path / "a", a, way), grouped(tmp_path / "b", b, way, **OTHER)]
    comparison = compare_runs(runs)
    row = comparison.rows[0]
    found = row.part.difference
    # The harness's rows, and the same again by another program.
    figures = [read_evaluation(run).groups["all"].figures["acc,none"] for run in runs]
    assert [found.figure_a, found.figure_b] == pytest.approx(figures, abs=1e-12)
    value, p, reach = plain(a, b, way, "{task} {i}")
    assert found.value == pytest.approx(value, abs=1e-12)
    assert found.p_value == pytest.approx(p, abs=1e-12)
    ends = found.interval.low, found.interval.high
    assert ends == pytest.approx((max(-1, value - reach), min(1, value + reach)))
    assert (row.task, row.part.members, row.part.weighting) == ("all", tuple(GROUP["all"]), way)
    assert (found.test, found.documents, found.prompts) == ("sign-flip", 14, 14)
    assert (row.part.dimension, row.part.name, row.part.metric) == (None, None, "acc")


def test_a_prompt_in_several_tasks_is_one_observation(tmp_path):
    a, b = outcomes(5), outcomes(6)
    runs = [grouped(tmp_path / x, v, prompt="{i}") for x, v in (("a", a), ("b", b))]
    found = compare_runs(runs).rows[0].part.difference
    value, p, _ = plain(a, b, "mean over tasks", "{i}")
    assert (found.prompts, found.documents) == (7, 14)
    assert found.value == pytest.approx(value, abs=1e-12)
    assert found.p_value == pytest.approx(p, abs=1e-12)


def test_a_group_counts_in_the_correction(tmp_path):
    a, b = outcomes(7, (30, 20, 10)), outcomes(8, (30, 20, 10))
    comparison = compare_runs([grouped(tmp_path / "a", a), grouped(tmp_path / "b", b, **OTHER)])
    assert [row.task for row in comparison.rows] == ["all", "one", "three", "two"]
    assert comparison.tests == 4
    raw = [row.part.difference.p_value for row in comparison.rows]
    assert [row.adjusted_p for row in comparison.rows] == pytest.approx(holm(raw))


def test_a_run_of_the_tasks_alone_is_compared_on_the_group(tmp_path):
    a, b = outcomes(9), outcomes(10)
    runs = grouped(tmp_path / "a", a), write_run(tmp_path / "b", samples_of(b), **OTHER)
    found = compare_runs(runs).rows[0]
    assert found.task == "all"
    assert found.part.difference.figure_b == pytest.approx(figure_of(b, "mean over tasks"))


@pytest.mark.parametrize("swapped", [False, True])
def test_a_task_that_is_missing_is_named(tmp_path, swapped):
    a, b = outcomes(11), outcomes(12)
    del b["two"]
    runs = [grouped(tmp_path / "a", a), write_run(tmp_path / "b", samples_of(b), **OTHER)]
    comparison = compare_runs(runs[::-1] if swapped else runs)
    assert [row.task for row in comparison.rows] == ["one", "three"]
    said = (
        f"all: The group is not compared, because tasks of it are missing: {'AB'[not swapped]} has"
    )
    assert f"{said} no two." in comparison.cautions


def test_a_group_of_other_tasks_is_not_compared(tmp_path):
    runs = [grouped(tmp_path / x, outcomes(i)) for i, x in enumerate("ab")]
    (results,) = (tmp_path / "b").glob("results_*.json")
    content = json.loads(results.read_text())
    content["group_subtasks"] = {"all": ["one", "two"]}
    results.write_text(json.dumps(content))
    comparison = compare_runs(runs)
    assert "all" not in [row.task for row in comparison.rows]
    assert any("its tasks in A and B differ" in said for said in comparison.cautions)


def test_a_figure_that_is_no_mean_is_compared_by_its_standard_errors(tmp_path):
    runs = [
        grouped(tmp_path / x, outcomes(i), figure=figure)
        for i, (x, figure) in enumerate((("a", 0.123), ("b", 0.456)))
    ]
    comparison = compare_runs(runs)
    row = comparison.rows[0]
    assert (row.task, row.part.difference.test) == ("all", "unpaired z")
    assert row.part.difference.value == pytest.approx(0.333)
    assert any("not a mean of its tasks' values" in said for said in comparison.cautions)


def test_without_samples_a_group_is_compared_by_its_standard_errors(tmp_path):
    runs = [grouped(tmp_path / x, outcomes(i)) for i, x in enumerate("ab")]
    next((tmp_path / "b").glob("samples_one_*")).unlink()
    comparison = compare_runs(runs)
    assert comparison.rows[0].part.difference.test == "unpaired z"
    assert any("not every task of the group has samples" in said for said in comparison.cautions)


def test_groups_without_a_figure_are_headings(tmp_path):
    runs = [grouped(tmp_path / x, outcomes(i)) for i, x in enumerate("ab")]
    for path in tmp_path.rglob("results_*.json"):
        content = json.loads(path.read_text())
        content["results"]["all"] = {"alias": "all"}
        path.write_text(json.dumps(content))
    comparison = compare_runs(runs)
    assert [row.task for row in comparison.rows] == ["one", "three", "two"]
    assert not any("group" in said for said in comparison.cautions)


def test_a_group_of_another_metric_than_its_tasks_main_one(tmp_path):
    runs, made = [], []
    for name in "ab":
        random = np.random.default_rng(ord(name))
        values = {task: random.random(5) for task in ("one", "two")}
        samples = {
            task: [{**foreign(i, "acc", 0.0), "f1": float(v)} for i, v in enumerate(of_task)]
            for task, of_task in values.items()
        }
        path = write_run(tmp_path / name, samples, better={"f1": True})
        (results,) = path.glob("results_*.json")
        content = json.loads(results.read_text())
        for task, of_task in values.items():
            content["results"][task]["f1,none"] = float(of_task.mean())
        made.append(float(np.mean([of_task.mean() for of_task in values.values()])))
        content["results"]["all"] = {"f1,none": made[-1], "f1_stderr,none": 0.1}
        content["group_subtasks"] = {"all": ["one", "two"]}
        results.write_text(json.dumps(content))
        runs.append(path)
    row = compare_runs(runs).rows[0]
    found = row.part.difference
    assert (row.task, row.part.metric, found.is_paired) == ("all", "f1", True)
    assert [found.figure_a, found.figure_b] == pytest.approx(made)


def benchmark_run(folder, suite_name, content, reward, **options):
    """A run of a whole benchmark, with the figures that its own functions give."""
    suite = registry().benchmark(suite_name)
    metadata = {"suite": suite_name, "ties": suite.ties or "the benchmark's own rule"}
    samples, evidence = [], []
    for number, row in enumerate(content):
        document = suite.read_row(row, Location("x", number), DataCounts())
        rewards = [reward(text) for text in document.completions]
        samples.append(choice_sample(number, document.to_json(), rewards, metadata))
        earned = suite.credit(document, rewards, 0.0)
        evidence.append(suite.evidence(document, rewards, earned))
    figures = {f"{name},none": value_of(figure(evidence)) for name, figure in suite.figures.items()}
    figures = {key: value for key, value in figures.items() if value is not None}
    mean = sum(one["acc"] for one in samples) / len(samples)
    whole = {"acc,none": mean, "acc_stderr,none": 0.01, **figures}
    better = dict.fromkeys(suite.figures, True)
    task = {f"{suite_name}_overall": samples}
    return write_run(
        folder, task, metadata=metadata, figures=whole, better=better, **options
    ), figures


def ties_run(folder, reward, **options):
    """A run of RewardBench 2's Ties alone, whose accuracy no document has."""
    suite = registry().benchmark("rewardbench2")
    metadata = {"suite": "rewardbench2", "ties": "the benchmark's own rule"}
    samples, evidence = [], []
    content = [row for row in suite_rows.rewardbench2(3) if row["subset"] == "Ties"]
    for number, row in enumerate(content):
        document = suite.read_row(row, Location("x", number), DataCounts())
        rewards = [reward(text) for text in document.completions]
        earned = suite.credit(document, rewards, 0.0)
        evidence.append(suite.evidence(document, rewards, earned))
        sample = choice_sample(number, document.to_json(), rewards, metadata)
        samples.append({**sample, "acc": sample_value(evidence[-1])})
    score = value_of(suite.subset_figures["Ties"](evidence))
    figures = {"acc,none": score, "acc_stderr,none": "N/A"}
    task = {"rewardbench2_ties": samples}
    return write_run(folder, task, metadata=metadata, figures=figures, **options), score


def test_a_subset_whose_accuracy_is_no_mean_is_compared_by_its_own_formula(tmp_path):
    runs, scores = zip(
        *(
            ties_run(tmp_path / x, random_reward(i, 5, i), model=f"org/{x}")
            for i, x in enumerate("ab")
        ),
        strict=True,
    )
    comparison = compare_runs(runs)
    (row,) = comparison.rows
    found = row.part.difference
    assert [found.figure_a, found.figure_b] == pytest.approx(scores)
    assert (found.test, found.is_paired) == ("sign-flip", True)
    assert found.interval.low < found.value < found.interval.high
    assert not any("No sample" in said for said in comparison.cautions)


def test_the_same_judge_twice_has_an_interval_on_ties(tmp_path):
    runs = [ties_run(tmp_path / x, random_reward(1, 5, 1), model=f"org/{x}")[0] for x in "ab"]
    (row,) = compare_runs(runs).rows
    found = row.part.difference
    assert (found.value, found.p_value) == (0.0, 1.0)
    assert found.interval.low < 0 < found.interval.high


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("rewardbench", suite_rows.rewardbench),
        ("rewardbench2", suite_rows.rewardbench2),
        ("rm_bench", suite_rows.rm_bench),
        ("judgebench", lambda seed: suite_rows.judgebench(seed, "gpt")),
    ],
)
def test_a_benchmarks_own_figures_have_rows(tmp_path, name, make):
    content = make(3)
    runs, figures = zip(
        *(
            benchmark_run(tmp_path / x, name, content, random_reward(i, 5, i), model=f"org/{x}")
            for i, x in enumerate("ab")
        ),
        strict=True,
    )
    comparison = compare_runs(runs)
    whole, *parts = comparison.rows
    assert whole.part.name is None
    assert [f"{row.part.name},none" for row in parts] == list(figures[0])
    for row in parts:
        found = row.part.difference
        expected = [of_run[f"{row.part.name},none"] for of_run in figures]
        assert [found.figure_a, found.figure_b] == pytest.approx(expected, abs=1e-9)
        assert found.value == pytest.approx(expected[1] - expected[0], abs=1e-9)
        assert row.part.dimension == "figure"
        assert row.part.metric == row.part.name
        assert found.is_paired
        assert found.interval.low <= found.value <= found.interval.high
        assert f"on {name}_overall, {row.part.name}" in row.conclusion
    assert comparison.tests == len(comparison.rows)


def test_a_section_weighs_its_subsets_and_not_its_rows(tmp_path):
    # Right everywhere but in math-prm, which weighs half of reasoning whatever its rows.
    content = suite_rows.rewardbench(1)
    chosen = {row["chosen"]: row["subset"] for row in content}

    def good(text):
        return float(text in chosen)

    def bad(text):
        return float(chosen.get(text, "math-prm") != "math-prm")

    runs = [
        benchmark_run(tmp_path / x, "rewardbench", content, reward, model=f"org/{x}")[0]
        for x, reward in (("a", good), ("b", bad))
    ]
    rows = {row.part.name: row for row in compare_runs(runs).rows}
    assert rows["reasoning"].part.difference.value == pytest.approx(-0.5)
    assert rows["overall"].part.difference.value == pytest.approx(-0.125)
    number = sum(row["subset"] == "math-prm" for row in content)
    assert rows["reasoning"].part.difference.p_value == pytest.approx(min(1, 2.0 ** (1 - number)))
    assert rows["chat"].part.difference.value == 0
    assert rows["chat"].part.difference.p_value == 1


def test_a_subset_of_a_benchmark_has_no_figures_of_the_whole(tmp_path):
    metadata = {"suite": "rewardbench", "ties": "wrong"}
    docs = [benchmark_item(i, ["a"], ["b"], subset="math-prm") for i in range(4)]
    runs = []
    for name, reward in (("a", 1.0), ("b", -1.0)):
        samples = [choice_sample(i, doc, [reward, 0.0], metadata) for i, doc in enumerate(docs)]
        runs.append(write_run(tmp_path / name, samples, metadata=metadata, model=f"org/{name}"))
    assert [row.part.name for row in compare_runs(runs).rows] == [None]
