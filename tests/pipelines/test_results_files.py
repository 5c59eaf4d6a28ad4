"""A run is read as scripts and leaderboards read it, under the keys that docs/results.md has."""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.pipelines.conftest import COMPARED, WRITTEN
from tests.pipelines.documented_keys import figures_of, keys_of, names_in, rows_of
from ultrarm_eval.runs.evaluation import read_evaluation

FIGURES = figures_of("figures")


def bare(task):
    """A task's name without its group's, which lm-eval 0.5 puts in front."""
    return task.rpartition("::")[2]


def strictly(text):
    """JSON as strict parsers take it."""

    def refuse(constant):
        raise ValueError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def figures_in(run):
    """Every task and group of a results file that has figures, with their keys."""
    results = strictly(run.file.read_text(encoding="utf-8"))
    for task, row in results["results"].items():
        keys = [key for key in row if "," in key and "_stderr," not in key]
        if keys:
            better = results["higher_is_better"][task]
            yield bare(task), {key: row[key] for key in keys}, row, better


#: The quick suite runs one task of each kind; every task is a slow one.
SETS = ["few", pytest.param("every", marks=pytest.mark.slow)]


@pytest.fixture(scope="module", params=SETS)
def runs(request):
    few = request.param == "few"
    names = ("few_compared", "few_written") if few else ("compared", "written")
    return tuple(map(request.getfixturevalue, names))


def test_every_figure_of_every_task_is_documented(runs):
    found = [
        (task, key)
        for run in runs
        for task, keys, *_ in figures_in(run)
        for key in keys
        if not any(one.is_of(task) and one.key.fullmatch(key) for one in FIGURES)
    ]
    assert found == []


def test_every_documented_figure_is_there_and_a_number(runs):
    missing, wrong = [], []
    known = {task: values for run in runs for task, values, *_ in figures_in(run)}
    every = {*COMPARED, *WRITTEN} <= {task for run in runs for task in run.results["results"]}
    for one in FIGURES:
        tasks = [task for task in known if one.is_of(task)]
        missing += [
            (pattern.pattern, "no such task was run")
            for pattern in one.tasks
            if every and not any(map(pattern.fullmatch, known))
        ]
        for task in tasks:
            keys = keys_of(one, task, known[task], FIGURES)
            missing += [] if keys else [(task, one.stated)]
            wrong += [(task, key) for key in keys if not isinstance(known[task][key], float)]
    assert missing == []
    assert wrong == []


def test_better_and_standard_errors_are_as_documented(runs):
    wrong = []
    for run in runs:
        for task, keys, row, better in figures_in(run):
            for one in (one for one in FIGURES if one.is_of(task)):
                names = [key.partition(",") for key in keys_of(one, task, keys, FIGURES)]
                errors = [row[f"{metric}_stderr,{name}"] for metric, _, name in names]
                # A category may have one document alone.
                has_error = any(isinstance(error, float) for error in errors)
                ways = {better.get(metric) for metric, *_ in names}
                expected = {"higher": {True}, "lower": {False}, "": {None}}[one.better]
                if has_error != one.has_error or ways != expected:
                    wrong.append((task, one.stated, errors, ways))
    assert wrong == []


def test_the_main_figure_is_the_one_in_bold(runs):
    for run in runs:
        evaluation = read_evaluation(run.file)
        for result in (*evaluation.tasks.values(), *evaluation.groups.values()):
            main = [one.stated for one in FIGURES if one.is_main and one.is_of(bare(result.task))]
            if result.main_figure is not None:
                assert main == [result.main_figure.key], result.task


def test_a_language_model_has_one_figure_more(likelihoods, few_compared):
    extra = figures_of("figures of language models")
    of_judges = {task: keys for task, keys, *_ in figures_in(few_compared)}
    for task, keys, row, better in figures_in(likelihoods):
        more = [key for key in keys if key not in of_judges[task]]
        assert more == [one.stated for one in extra if one.is_of(task)] == ["acc_norm,none"]
        assert better["acc_norm"] is True
        assert isinstance(row["acc_norm_stderr,none"], float)
        listed = strictly(likelihoods.file.read_text())["configs"][task]["metric_list"]
        assert "acc_norm" in [entry["metric"] for entry in listed]


KINDS = {
    "all": [*COMPARED, *WRITTEN],
    "judges": COMPARED,
    "comparisons": COMPARED,
    "judged answers": WRITTEN,
}
GROUPS = ("llmbar_adversarial", "preference_test_sets")


@pytest.mark.parametrize(
    ("key", "kind"),
    [(key, kind) for keys, kind, _ in rows_of("keys") for key in names_in(keys)],
)
def test_every_documented_key_is_in_the_results(runs, key, kind):
    for run in runs:
        if (run is runs[0]) not in {"all": (True, False), "judged answers": (False,)}.get(
            kind, (True,)
        ):
            continue
        results = strictly(run.file.read_text(encoding="utf-8"))
        names = [name for name in results["configs"] if name in KINDS[kind]]
        if "GROUP" in key:
            names = [name for name in GROUPS if name in results["groups"]]
        assert names
        for name in names:
            value = results
            for part in key.split("."):
                value = value[{"TASK": name, "GROUP": name}.get(part, part)]
            assert value not in ("", [], {}), (name, key)


@pytest.mark.parametrize(
    ("key", "kind"),
    [(key, kind) for keys, kind, _ in rows_of("keys of samples") for key in names_in(keys)],
)
def test_every_documented_key_is_in_the_samples(runs, key, kind):
    if key in ("reward", "critique", "objectives", "step_rewards"):
        pytest.skip("stands within another")
    for run in runs if kind == "all" else runs[1:]:
        for task in run.samples:
            for line in run.samples_file(task).read_text(encoding="utf-8").splitlines():
                sample = strictly(line)
                assert key in sample, task
                assert set(sample["metrics"]) <= set(sample), task


def test_groups_without_a_figure_are_headings(few_compared):
    results = strictly(few_compared.file.read_text())
    assert [key for key in results["results"]["llmbar"] if "," in key] == []
    assert "llmbar" not in results["groups"]
    assert [*map(bare, results["group_subtasks"]["llmbar"])] == [
        "llmbar_natural",
        "llmbar_adversarial",
    ]


def test_figures_are_the_means_of_the_samples_that_are_listed(runs, likelihoods):
    for run in (*runs, likelihoods):
        results = strictly(run.file.read_text())
        for task, config in results["configs"].items():
            assert config["metric_list"], task
            samples = pd.read_json(run.samples_file(task), lines=True)
            for entry in config["metric_list"]:
                name = entry["metric"]
                (key,) = [k for k in results["results"][task] if k.partition(",")[0] == name]
                value = results["results"][task][key]
                assert entry["aggregation"] == "mean"
                assert samples[name].mean() == pytest.approx(value, abs=1e-9), (task, name)
                better = results["higher_is_better"][task].get(name)
                assert entry.get("higher_is_better") is better, (task, name)


def test_what_the_yaml_says_of_a_metric_stays_in_its_list(few_written):
    listed = strictly(few_written.file.read_text())["configs"]["gsm8k_best_of_n"]["metric_list"]
    # lm-eval 0.5 keeps a metric's arguments apart.
    stated = [{**entry, **(entry.get("kwargs") or {})} for entry in listed]
    assert {entry["ignore_case"] for entry in stated} == {True}
    assert all(entry["regexes_to_ignore"] for entry in stated)


def test_samples_are_data_sets_and_tables(runs, tmp_path):
    """Of older `datasets`, too: no list of a column holds texts and numbers."""
    from datasets import load_dataset

    for run in runs:
        for task, samples in run.samples.items():
            path = run.samples_file(task)
            if "::" in path.name:
                # To `datasets` a chain of URLs.
                path = shutil.copy(path, tmp_path / path.name.replace("::", "."))
            table = load_dataset(
                "json", data_files=str(path), split="train", cache_dir=str(tmp_path)
            )
            assert len(table) == len(samples) == len(pd.read_json(path, lines=True))
            for line in path.read_text(encoding="utf-8").splitlines():
                sample = strictly(line)
                for name in sample["metrics"]:
                    value = sample[name]
                    if isinstance(value, list):
                        assert not any(isinstance(one, str) for one in value), (task, name)


def test_what_a_benchmarks_figures_are_made_of_is_one_text(few_compared):
    (first, *_) = map(strictly, few_compared.samples_file("rm_bench").read_text().splitlines())
    domain, *parts = strictly(first["overall"])
    assert domain == first["doc"]["subset"]
    assert len(parts) == 3
    assert first["acc"] == pytest.approx(sum(parts) / 3)


def test_the_harness_finds_its_files(few_compared):
    """As `EvaluationTracker` reads a folder to make a data set's card of it."""
    from lm_eval.utils import (
        get_file_datetime,
        get_file_task_name,
        get_results_filenames,
        get_sample_results_filenames,
    )

    files = [str(path) for path in few_compared.folder.rglob("*.json*")]
    assert get_results_filenames(files) == [str(few_compared.file)]
    samples = [Path(path).name for path in get_sample_results_filenames(files)]
    assert {get_file_task_name(name) for name in samples} == set(few_compared.samples)
    # It takes `.jsonl` off, and not `.json`.
    time = get_file_datetime(few_compared.file.name).removesuffix(".json")
    assert {get_file_datetime(name) for name in samples} == {time}


def test_the_harness_makes_its_tables(runs):
    from lm_eval.utils import make_table

    for run in runs:
        table = make_table(run.results)
        for task, keys, *_ in figures_in(run):
            for metric in {key.partition(",")[0] for key in keys}:
                assert re.search(rf"\|{re.escape(metric)} *\|", table), (task, metric)
    groups = make_table(runs[0].results, "groups")
    assert re.search(r"llmbar_adversarial\|.*\|acc +\|↑ +\| *0\.\d+\|± +\| *0\.\d+", groups)
