import builtins

import pytest
import yaml

from tests.exports.runs import group_results, results_of, written_run
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.exports.eval_results import EvalResultsOptions, write_eval_results
from ultrarm_eval.exports.figures import exported_figures
from ultrarm_eval.exports.hub_names import Source
from ultrarm_eval.runs.evaluation import read_evaluation

huggingface_hub = pytest.importorskip("huggingface_hub")
needs_entries = pytest.mark.skipif(
    not hasattr(huggingface_hub, "EvalResultEntry"),
    reason="EvalResultEntry came with huggingface_hub 1.4",
)


def written(folder, results=None, *, metrics="main", **beside):
    run = written_run(folder / "run", results)
    figures = exported_figures(read_evaluation(run), metrics=metrics)
    return write_eval_results(folder / "out", "org/judge", figures, EvalResultsOptions(**beside))


def entries_of(path):
    return huggingface_hub.parse_eval_result_entries(yaml.safe_load(path.read_text()))


@needs_entries
def test_an_entry_is_what_the_run_found(tmp_path):
    (path,) = written(tmp_path)
    assert path == tmp_path / "out" / "org" / "judge" / ".eval_results" / "pairs.yaml"
    (entry,) = entries_of(path)
    assert isinstance(entry, huggingface_hub.EvalResultEntry)
    assert (entry.dataset_id, entry.task_id, entry.value) == ("org/pairs", "pairs", 0.75)
    assert entry.date == "2026-03-04T05:06:07Z"
    assert entry.notes.startswith("acc,none = 0.7500, standard error 0.2500, 2 documents; judge ")
    # Without these the hub shows a result as reported by whoever commits it.
    assert (entry.verify_token, entry.source_url, entry.dataset_revision) == (None, None, None)


@needs_entries
def test_the_source_and_the_commit_of_the_data_are_told(tmp_path):
    results = results_of()
    results["configs"]["pairs"]["metadata"]["data_revision"] = "d" * 40
    source = Source("https://example.org/logs", "logs")
    (entry,) = entries_of(written(tmp_path, results, source=source)[0])
    assert (entry.source_url, entry.source_name) == ("https://example.org/logs", "logs")
    assert entry.dataset_revision == "d" * 40


@needs_entries
def test_a_branch_is_no_commit(tmp_path):
    results = results_of()
    results["configs"]["pairs"]["metadata"]["data_revision"] = "main"
    (entry,) = entries_of(written(tmp_path, results)[0])
    assert entry.dataset_revision is None
    assert "data_revision main" in entry.notes


@needs_entries
def test_tasks_and_their_group_are_entries_of_their_data_set(tmp_path):
    (path,) = written(tmp_path, group_results())
    assert [(e.task_id, e.value) for e in entries_of(path)] == [
        ("both", 0.75),
        ("one", 1.0),
        ("two", 0.5),
    ]


@needs_entries
def test_other_metrics_have_ids_of_their_own(tmp_path):
    (path,) = written(tmp_path, metrics="all", task_ids={"pairs": "default"})
    found = {e.task_id: e.value for e in entries_of(path)}
    assert found == {
        "default": 0.75,
        "default_tie_rate": 0.25,
        "default_margin": -1.5,
        "default_acc_longest": 0.5,
    }


@needs_entries
def test_two_figures_cannot_have_one_id(tmp_path):
    with pytest.raises(ConfigurationError, match="would both be 'default' of org/pairs"):
        written(tmp_path, group_results(), task_ids={None: "default"})
    assert not (tmp_path / "out").exists()


@needs_entries
@pytest.mark.parametrize("used", ["/data/mine.jsonl", "demo", "other/pairs"])
def test_data_that_are_not_the_hubs_have_to_be_named(tmp_path, used):
    results = results_of()
    results["configs"]["pairs"]["metadata"]["data_used"] = used
    with pytest.raises(ConfigurationError, match="--dataset pairs=ORG/NAME"):
        written(tmp_path, results)
    (path,) = written(tmp_path, results, datasets={"pairs": "me/mine"})
    assert path.name == "mine.yaml"
    (path,) = written(tmp_path, results, datasets={None: "me/other"})
    assert entries_of(path)[0].dataset_id == "me/other"


@needs_entries
@pytest.mark.parametrize("name", ["../x", "pairs", "a/b/c", "me/<script>", "me/x\ny"])
def test_a_data_set_of_the_hub_is_called_org_and_name(tmp_path, name):
    with pytest.raises(ConfigurationError, match="the name of a data set on the hub is ORG/NAME"):
        written(tmp_path, datasets={None: name})
    assert not (tmp_path / "out").exists()


@needs_entries
def test_data_sets_of_one_name_have_files_of_their_own(tmp_path):
    paths = written(tmp_path, group_results(), datasets={"one": "a/Pairs", "two": "b/pairs"})
    assert [path.name for path in paths] == ["org_pairs.yaml", "a_Pairs.yaml", "b_pairs.yaml"]


@needs_entries
def test_a_group_over_two_data_sets_is_no_benchmark(tmp_path):
    results = group_results()
    results["configs"]["two"] = {
        **results["configs"]["two"],
        "dataset_path": "org/more",
        "metadata": {"data_used": "org/more"},
    }
    with pytest.raises(ConfigurationError, match="both did not read its data from the hub"):
        written(tmp_path, results)


@needs_entries
def test_exporting_again_gives_the_same_bytes(tmp_path):
    first = written(tmp_path, metrics="all")[0].read_bytes()
    assert written(tmp_path, metrics="all")[0].read_bytes() == first


@needs_entries
def test_hostile_texts_stay_texts(tmp_path):
    hostile = "<script>alert(1)</script>\n- dataset: {id: evil/evil}\n#"
    results = results_of()
    results["config"]["template"] = hostile
    (entry,) = entries_of(written(tmp_path, results)[0])
    assert "\n" not in entry.notes
    assert entry.dataset_id == "org/pairs"


def test_an_old_huggingface_hub_is_named_with_what_helps(tmp_path, monkeypatch):
    real = builtins.__import__

    def without_entries(name, *given, **named):
        asked = named.get("fromlist") or (given[2] if len(given) > 2 else ())
        if name == "huggingface_hub" and "EvalResultEntry" in (asked or ()):
            raise ImportError("cannot import name 'EvalResultEntry'")
        return real(name, *given, **named)

    monkeypatch.setattr(builtins, "__import__", without_entries)
    version = huggingface_hub.__version__
    with pytest.raises(ConfigurationError, match=f"huggingface_hub 1.4 or newer, and {version}"):
        written(tmp_path)
