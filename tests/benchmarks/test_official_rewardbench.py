"""Our figures beside those of RewardBench's own functions, from the same rewards.

Runs where the package `rewardbench` is installed or ULTRARM_EVAL_OFFICIAL_REWARDBENCH names a
folder with its unpacked wheel. Its functions are taken out of their files one by one: the modules
as they are import FastChat and whole model libraries.
"""

import ast
import importlib.util
import math
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.benchmarks import rows
from tests.benchmarks.conftest import figures_of, random_reward

VARIABLE = "ULTRARM_EVAL_OFFICIAL_REWARDBENCH"
MODEL = "some/model"
SECTIONS = {"Chat": "chat", "Chat Hard": "chat_hard", "Safety": "safety", "Reasoning": "reasoning"}

JUDGES = {
    "ties in a third": lambda seed: random_reward(seed, 3),
    "integers": lambda seed: lambda text: round(7 * random_reward(seed, 12, 0.5)(text)),
    "hardly any ties": lambda seed: random_reward(seed, 100_000),
    "mostly right": lambda seed: random_reward(seed, 6, 0.6),
    "nearly always right": lambda seed: random_reward(seed, 6, 0.8),
}


def folder_of_the_package():
    named = os.environ.get(VARIABLE)
    if named:
        folder = Path(named)
        if not (folder / "rewardbench" / "utils.py").is_file():
            pytest.fail(f"{VARIABLE}={named}: there is no rewardbench/utils.py in this folder.")
        return folder
    found = importlib.util.find_spec("rewardbench")
    if found is None or found.origin is None:
        pytest.skip(f"rewardbench is not installed, and {VARIABLE} names no unpacked wheel of it")
    return Path(found.origin).parents[1]


def functions_of(path, names, known):
    """Some functions of a file, which see the names that are given as known and each other."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    body = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name in names]
    assert {node.name for node in body} == set(names)
    namespace = dict(known)
    exec(compile(ast.Module(body, type_ignores=[]), str(path), "exec"), namespace)
    return {name: namespace[name] for name in names}


@pytest.fixture(scope="module")
def official():
    import datasets
    import pandas as pd

    folder = folder_of_the_package()
    constants = {}
    path = folder / "rewardbench" / "constants.py"
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), constants)
    known = {"np": np, "pd": pd, "math": math, "Dataset": datasets.Dataset}
    return SimpleNamespace(
        counts=constants["EXAMPLE_COUNTS"],
        sections=constants["SUBSET_MAPPING"],
        **functions_of(
            folder / "rewardbench" / "utils.py",
            [
                "calculate_scores_per_section",
                "reroll_and_score_dataset",
                "sample_stats",
                "process_single_model",
            ],
            known,
        ),
        **functions_of(
            folder / "analysis" / "get_benchmark_results.py",
            ["get_average_over_rewardbench"],
            {
                **known,
                "SUBSET_MAPPING": constants["SUBSET_MAPPING"],
                "EXAMPLE_COUNTS": constants["EXAMPLE_COUNTS"],
            },
        ),
    )


def strictly_better(content, reward):
    """scripts/run_rm.py: 1 where the chosen answer's score is above the other's, else 0."""
    return np.mean([int(reward(r["chosen"]) > reward(r["rejected"])) for r in content])


def by_subset(content, reward):
    """scripts/run_rm.py: the results of each subset that is present."""
    return {
        str(name): strictly_better([r for r in content if r["subset"] == name], reward)
        for name in np.unique([r["subset"] for r in content])
    }


def second_version(official, content, reward):
    """scripts/run_v2.py: the rows unrolled, scored, rolled again, and each subset's figure."""
    import datasets

    unrolled = [
        {"text": text, "scores": float(reward(text)), "subset": row["subset"], "id": row["id"]}
        for row in content
        for text in (*row["chosen"], *row["rejected"])
    ]
    rolled = official.reroll_and_score_dataset(
        datasets.Dataset.from_list(unrolled),
        [row["total_completions"] for row in content],
        cols_to_combine=["text", "scores"],
    )
    rolled = rolled.add_column("num_correct", [row["num_correct"] for row in content])
    figures = {}
    for subset in np.unique([row["subset"] for row in content]):
        of_subset = [row for row in rolled if row["subset"] == subset]
        if subset.lower() == "ties":
            _, figures[str(subset)] = official.process_single_model(of_subset)
        else:
            figures[str(subset)] = sum(row["results"] for row in of_subset) / len(of_subset)
    return figures


each_judge = pytest.mark.parametrize("judge", JUDGES.values(), ids=JUDGES)
each_seed = pytest.mark.parametrize("seed", range(3))


def same(value):
    return pytest.approx(float(value), rel=0, abs=1e-9)


def test_the_sections_are_those_of_the_package(official):
    from ultrarm_eval.benchmarks import rewardbench

    ours = {section: list(weights) for section, weights in rewardbench.SECTIONS.items()}
    assert {SECTIONS[name]: subsets for name, subsets in official.sections.items()} == ours
    weights = {s: w for weights in rewardbench.SECTIONS.values() for s, w in weights.items()}
    assert weights == official.counts


@each_seed
@each_judge
def test_rewardbench_is_the_official_one(official, evaluate, tmp_path, judge, seed):
    content, reward = rows.rewardbench(seed), judge(seed)
    path = rows.write_parquet(tmp_path / "filtered.parquet", content)
    names = rows.REWARDBENCH_SUBSETS[seed::3]
    tasks = {name: f"rewardbench_{name.lower().replace('-', '_')}" for name in names}
    results = evaluate(reward, ["rewardbench_overall", *tasks.values()], path)
    expected = by_subset(content, reward)
    sections = official.calculate_scores_per_section(official.counts, official.sections, expected)
    for subset, task in tasks.items():
        assert figures_of(results, task)["acc"] == same(expected[subset])
    figures = figures_of(results, "rewardbench_overall")
    for section, score in sections.items():
        assert figures[SECTIONS[section]] == same(score)


@each_judge
def test_overall_and_prior_sets_are_the_leaderboards(official, evaluate, tmp_path, judge):
    import pandas as pd

    content, reward = rows.rewardbench(5), judge(5)
    prior = {name: rows.preference_test_set(5, name) for name in rows.COUNTED_PREFERENCE_SETS}
    for name, of_set in prior.items():
        rows.write_parquet(tmp_path / "prior" / f"{name}.parquet", of_set)
    path = rows.write_jsonl(tmp_path / "filtered.jsonl", content)
    overall = figures_of(evaluate(reward, "rewardbench_overall", path), "rewardbench_overall")
    group = evaluate(reward, "preference_test_sets", tmp_path / "prior")
    mean = figures_of(group, "preference_test_sets")["acc"]

    who = {"model": MODEL, "model_type": "Seq. Classifier"}
    core = pd.DataFrame([{**who, **by_subset(content, reward)}])
    accuracies = {name: strictly_better(of_set, reward) for name, of_set in prior.items()}

    def board(model):
        scored = pd.DataFrame([{**who, "model": model, **accuracies}])
        return official.get_average_over_rewardbench(core, scored).iloc[0]

    without, with_prior = board("another/model"), board(MODEL)
    assert overall["overall"] == same(without["average"])
    for section, name in SECTIONS.items():
        assert overall[name] == same(without[section])
    assert mean == same(with_prior["Prior Sets (0.5 weight)"])
    four = sum(overall[name] for name in SECTIONS.values())
    assert (four + mean / 2) / 4.5 == same(with_prior["average"])


@each_seed
@each_judge
def test_rewardbench2_is_the_official_one(official, evaluate, tmp_path, judge, seed):
    content, reward = rows.rewardbench2(seed), judge(seed)
    path = rows.write_parquet(tmp_path / "test.parquet", content)
    results = evaluate(reward, "rewardbench2", path)
    expected = second_version(official, content, reward)
    figures = figures_of(results, "rewardbench2_overall")
    for subset in rows.REWARDBENCH2_SUBSETS:
        name = subset.lower().replace(" ", "_")
        assert figures[name] == same(expected[subset])
        assert figures_of(results, f"rewardbench2_{name}")["acc"] == same(expected[subset])
    assert figures["overall"] == same(np.mean(list(expected.values())))


@pytest.mark.parametrize("seed", range(20, 60))
def test_ties_are_scored_as_by_the_official_function(official, seed):
    from ultrarm_eval.benchmarks.figures import value_of
    from ultrarm_eval.benchmarks.rewardbench2 import ties_score

    content = rows.rewardbench2_ties(seed)
    reward = list(JUDGES.values())[seed % len(JUDGES)](seed)
    samples = [
        {
            "id": row["id"],
            "scores": [float(reward(text)) for text in (*row["chosen"], *row["rejected"])],
            "num_correct": row["num_correct"],
        }
        for row in content
    ]
    ours = [
        (s["id"], s["scores"][: s["num_correct"]], s["scores"][s["num_correct"] :]) for s in samples
    ]
    _, expected = official.process_single_model(samples)
    assert value_of(ties_score(ours, range(len(ours)))) == same(expected)
