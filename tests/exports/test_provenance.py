from datetime import datetime, timezone

import pytest

from tests.exports.runs import group_results, results_of, sample_of, written_run
from ultrarm_eval.exports.figures import exported_figures
from ultrarm_eval.exports.provenance import (
    answers_judge_of,
    data_of,
    note_on,
    one_line,
    remarks_on,
    run_time,
    settings_of_model,
)
from ultrarm_eval.runs.evaluation import read_evaluation
from ultrarm_eval.runs.run import Run

PATHS = (
    "/home/me/weights",
    "C:\\weights",
    "./weights",
    "~/weights",
    "a/b/c",
    "checkpoints/secret",
)


def figures(folder, results=None, samples=None, **options):
    return exported_figures(read_evaluation(written_run(folder, results, samples)), **options)


def test_a_note_says_what_made_the_figure(tmp_path):
    (only,) = figures(tmp_path, samples={})
    assert note_on(only, "org/judge") == (
        "acc,none = 0.7500, standard error 0.2500, 2 documents; judge ultrarm, revision abc123, "
        f"template ultrarm, dtype bfloat16, weights_digest sha256:{'5' * 64}; data org/pairs; "
        "lm-eval 0.4.13"
    )


def test_the_samples_give_the_data_a_digest(tmp_path):
    found = [
        data_of(figures(tmp_path / str(seed), None, {"pairs": [sample_of(seed, [1.0, 0.0])]})[0])
        for seed in (1, 1, 2)
    ]
    assert len(found[0]["data_digest"]) == 64
    assert found[0] == found[1] != found[2]


def test_a_group_says_what_its_tasks_share(tmp_path):
    results = group_results()
    results["configs"]["two"] = {**results["configs"]["two"], "metadata": {"version": 2.0}}
    both = figures(tmp_path, results, {})[0]
    assert data_of(both) == {"data": "org/pairs"}
    assert "over the 2 tasks of the group both" in note_on(both, "org/judge")


@pytest.mark.parametrize("path", PATHS)
def test_no_path_is_told(tmp_path, path):
    results = results_of()
    results["config"] |= dict.fromkeys(("pretrained", "template", "reference", "parity"), path)
    results["config"]["model_args"] = {"pretrained": path, "token": "secret"}
    task = results["configs"]["pairs"]
    task["metadata"] |= {
        "data": path,
        "data_used": path,
        "config_source": path,
        "data_revision": path,
        "judge_used": {"name": "ultrarm", "pretrained": path, "template": path},
    }
    (only,) = figures(tmp_path, results)
    told = [note_on(only, "org/judge"), settings_of_model(only.result.run), data_of(only)]
    told.append(answers_judge_of(only.result))
    assert path not in str(told).replace("\\\\", "\\")
    assert "secret" not in str(told)
    assert data_of(only)["data"] == "a local file"
    is_clear = path != "checkpoints/secret"
    told = "a local file" if is_clear else "omitted, as it may be a path"
    assert settings_of_model(only.result.run)["template"] == told


@pytest.mark.parametrize("revision", [None, "main", "d" * 40])
def test_a_checkpoint_of_the_hub_is_told_where_the_run_shows_that_it_is(tmp_path, revision):
    results = results_of()
    used = {"name": "ultrarm", "pretrained": "org/judge", "revision": revision}
    results["configs"]["pairs"]["metadata"]["judge_used"] = used
    (only,) = figures(tmp_path, results)
    told = answers_judge_of(only.result)["pretrained"]
    assert told == ("org/judge" if revision else "omitted, as it may be a path")
    used["pretrained"], used["revision"] = "openbmb/UltraRM-13b", None
    (only,) = figures(tmp_path, results)
    assert answers_judge_of(only.result)["pretrained"] == "openbmb/UltraRM-13b"


@pytest.mark.parametrize(
    ("parity", "told"),
    [
        ({"name": "rewardbench", "template": "chat", "known_differences": ["a"]}, "rewardbench"),
        ({"template": "weights/x.jinja"}, "template omitted, as it may be a path"),
        ({"of": {"name": "x"}, "also": ["a", 1]}, "of x, also a, 1"),
        ("rewardbench", "rewardbench"),
    ],
)
def test_settings_that_stand_for_others_are_told_in_words(tmp_path, parity, told):
    results = results_of()
    results["config"]["parity"] = parity
    (only,) = figures(tmp_path, results)
    assert settings_of_model(only.result.run)["parity"] == told
    note = note_on(only, "org/judge")
    assert f"parity {told}" in note
    assert "{" not in note


def test_in_sample_figures_are_marked_by_either_name_of_the_judge(tmp_path):
    results = results_of()
    results["configs"]["pairs"]["metadata"]["in_sample_for"] = ["openbmb/UltraRM-13b"]
    results["config"]["pretrained"] = "/weights/ultrarm"
    (only,) = figures(tmp_path, results)
    assert remarks_on(only, "org/judge") == []
    (said,) = remarks_on(only, "openbmb/UltraRM-13b")
    assert said.startswith("in-sample: the judge was trained on these data")
    results["config"]["pretrained"] = "openbmb/UltraRM-13b"
    (only,) = figures(tmp_path, results)
    assert "in-sample" in note_on(only, "other/name")


def test_a_group_is_in_sample_where_a_task_of_it_is(tmp_path):
    results = group_results()
    metadata = {**results["configs"]["two"]["metadata"], "in_sample_for": ["org/judge"]}
    results["configs"]["two"]["metadata"] = metadata
    both, one, two = figures(tmp_path, results, {})
    assert [len(remarks_on(f, "org/judge")) for f in (both, one, two)] == [1, 0, 1]


def test_cut_texts_parts_and_figures_without_a_direction_are_remarked_upon(tmp_path):
    results = results_of()
    results["config"] |= {"limit": 1, "judge_counts": {"texts": 4, "truncated": 3}}
    found = figures(tmp_path, results, metrics="all", allow_partial=True)
    assert remarks_on(found[0], "org/judge") == [
        "partial run over a subset of the data (limit 1)",
        "3 of the run's 4 texts were truncated",
    ]
    assert remarks_on(found[-1], "x")[-1] == "neither direction of acc_longest is better"


def test_a_language_models_settings_are_told_without_its_arguments(tmp_path):
    config = {
        "model": "hf",
        "model_args": "pretrained=org/lm,token=secret",
        "model_sha": "a" * 40,
        "model_revision": "main",
        "model_dtype": "torch.bfloat16",
        "model_num_parameters": 7,
    }
    (only,) = figures(tmp_path, results_of(config=config, model_name="org/lm"))
    assert settings_of_model(only.result.run) == {
        "dtype": "torch.bfloat16",
        "num_parameters": "7",
        "revision_sha": "a" * 40,
    }


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        (1772600767.5, (2026, 3, 4, 5, 6, 7)),
        (None, (2001, 2, 3, 4, 5, 6)),
        ("soon", (2001, 2, 3, 4, 5, 6)),
        (1e30, (2001, 2, 3, 4, 5, 6)),
        (float("nan"), (2001, 2, 3, 4, 5, 6)),
    ],
)
def test_the_time_is_the_runs(tmp_path, date, expected):
    run = Run(tmp_path / "x", "2001-02-03T04-05-06.5", {"results": {}, "date": date})
    assert run_time(run) == datetime(*expected, tzinfo=timezone.utc)


def test_a_line_is_one_line():
    assert one_line("a\nb\r\u2028c\x00d\ud800e\u202ef ") == "a b c d?e f"
