"""What a user says of a judged task; lighteval itself is not needed for it."""

import dataclasses
import re
from pathlib import Path

import pytest
import yaml

from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.lighteval import judged_task
from ultrarm_eval.lighteval.task_settings import (
    IN_SAMPLE,
    TASKS,
    VARIABLE,
    TaskSettings,
    checked_settings,
    settings_of_environment,
)


def test_the_defaults_are_those_of_the_tasks_of_lm_eval():
    assert TaskSettings() == TaskSettings(
        judge="openbmb/UltraRM-13b", data=None, reference=None, generation_size=1024
    )


@pytest.mark.parametrize("task", TASKS)
def test_data_sets_and_what_judges_learnt_are_those_of_the_tasks_of_lm_eval(task):
    (path,) = (Path(__file__).parents[2] / "tasks").rglob(f"{task}.yaml")
    stated = yaml.safe_load(re.sub(r": !function .*", ":", path.read_text(encoding="utf-8")))
    assert TASKS[task].dataset == stated["dataset_path"]
    assert TASKS[task].split == stated["test_split"]
    assert TaskSettings().generation_size == stated["generation_kwargs"]["max_gen_toks"]
    learnt = stated.get("metadata", {}).get("in_sample_for", ())
    assert [*IN_SAMPLE.get(task, ())] == [*learnt]


def test_the_environment_holds_the_settings_of_the_tasks(monkeypatch):
    monkeypatch.setenv(
        VARIABLE, '{"judge": "demo", "judge_args": {"dtype": "float32"}, "limit": 3}'
    )
    found = checked_settings(settings_of_environment())
    assert found == TaskSettings("demo", {"dtype": "float32"}, limit=3)
    monkeypatch.setenv(VARIABLE, " ")
    assert settings_of_environment() == {}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{judge: demo}", "is not valid JSON .* write a JSON object"),
        ('["demo"]', "is not a JSON object: write a JSON object"),
    ],
)
def test_what_is_no_json_object_is_refused(monkeypatch, written, said):
    monkeypatch.setenv(VARIABLE, written)
    with pytest.raises(ConfigurationError, match=f"{VARIABLE}.*{said}"):
        settings_of_environment()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"judges": "demo"}, "Unknown setting of a judged task: 'judges'.*Did you mean 'judge'"),
        ({"judge": None}, "judge=None: give a non-empty string"),
        ({"judge": " "}, "judge=' ': give a non-empty string"),
        ({"reference": 3}, "reference=3: give a non-empty string"),
        ({"judge_args": "dtype=float32"}, "judge_args='dtype=float32': give the judge's settings"),
        ({"limit": 0}, "limit=0: give a whole number of at least 1"),
        ({"limit": True}, "limit=True: give a whole number"),
        ({"generation_size": None}, "generation_size=None: give a whole number"),
        ({"data": "a.jsonl", "data_revision": "main"}, "a revision is only for data on"),
    ],
)
def test_what_is_not_allowed_is_refused_by_name(given, said):
    with pytest.raises(ConfigurationError, match=said):
        checked_settings(given)
    with pytest.raises(ConfigurationError, match=said):
        judged_task("ultrafeedback_judge", **given)


def test_an_unknown_task_and_a_name_that_lighteval_would_split_are_refused():
    with pytest.raises(ConfigurationError, match="Did you mean 'ultrafeedback_judge'"):
        judged_task("ultrafeedback_judged")
    for name in ("a|b", "a,b", "a@b", "a:b", ""):
        with pytest.raises(ConfigurationError, match="splits task names at"):
            judged_task("ultrafeedback_judge", name=name)


def test_the_documentation_has_every_setting():
    page = Path(__file__).parents[2] / "docs" / "other-harnesses.md"
    _, section = page.read_text(encoding="utf-8").split("## lighteval", 1)
    table = section.split("| setting |", 1)[1].split("\n\n", 1)[0]
    named = [
        name
        for row in table.splitlines()
        for name in re.findall(r"`(\w+)`", row.split("|")[1])
        if row.startswith("| `")
    ]
    assert named == [one.name for one in dataclasses.fields(TaskSettings)]
