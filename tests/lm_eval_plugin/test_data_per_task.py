"""`--metadata '{"data": {TASK: PATH}}'`: each task of a run reads its own data."""

import json

import pytest

from tests.conftest import raw_row, write_jsonl
from tests.harness_lines import by_task
from ultrarm_eval.errors import ConfigurationError, DataError
from ultrarm_eval.lm_eval_plugin.metadata import read_options

PAIR = {"prompt": "p", "chosen": "good!", "rejected": "bad"}
LLMBAR = {"input": "p", "output_1": "good!", "output_2": "bad", "label": 1}
WORST = {"input": "p", "output_1": "good!", "output_2": "bad", "label": 2}


@pytest.fixture
def longest(model_of):
    return model_of(lambda _, text: len(text))


@pytest.fixture
def llmbar(tmp_path):
    """A folder with a file for each part; the judge that takes the longest is right in all."""
    folder = tmp_path / "llmbar"
    folder.mkdir()
    for part in ("natural", "neighbor", "gptinst", "gptout", "manual"):
        write_jsonl(folder / f"{part}.jsonl", [LLMBAR] * 2)
    return folder


@pytest.mark.parametrize(
    ("given", "task", "path", "named_as"),
    [
        ({"llmbar": "d"}, "llmbar_natural", "d", "llmbar"),
        ({"llmbar": "d", "llmbar_natural": "e"}, "llmbar_natural", "e", "llmbar_natural"),
        ({"llmbar_adversarial": "e", "llmbar": "d"}, "llmbar_manual", "e", "llmbar_adversarial"),
        ({"llmbar_adversarial": "e", "llmbar": "d"}, "llmbar_natural", "d", "llmbar"),
        ({"ultrafeedback": "t"}, "ultrafeedback_binarized", "t", "ultrafeedback"),
        ({"ultrafeedback_by_source": "t"}, "ultrafeedback_flan", "t", "ultrafeedback_by_source"),
        ({"llmbar": "d"}, "ultrafeedback_pairs", None, None),
        # Null is the task's own data, whatever its group reads.
        ({"llmbar": "d", "llmbar_natural": None}, "llmbar_natural", None, "llmbar_natural"),
        ({"my_own_task": "d"}, "my_own_task", "d", "my_own_task"),
    ],
)  # fmt: skip
def test_the_most_specific_name_counts(given, task, path, named_as):
    options = read_options({"data": given}, task)
    assert (options.data, options.named_as) == (path, named_as)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"llmbr": "d"}, "data: 'llmbr' is neither a task.*; did you mean 'llmbar'"),
        ({"llmbar": "d", "ultrafeedback_pair": "d"}, "did you mean 'ultrafeedback_pairs'"),
        ({"hellaswag": "d"}, "data: 'hellaswag' is neither a task .* tasks\\. Groups"),
        ({7: "d"}, "data: 7 is neither a task of this package"),
        ({}, "no task is named"),
        ({"llmbar": 3}, "data=3 of 'llmbar': give a file"),
        ({"llmbar": " "}, "data=' ' of 'llmbar': give a file"),
        ({"llmbar": {"llmbar_natural": "d"}}, "of 'llmbar': give a file"),
    ],
)
def test_what_names_nothing_is_refused(given, message):
    with pytest.raises(ConfigurationError, match=message):
        read_options({"data": given}, "llmbar_natural")


def test_two_groups_of_one_size_that_disagree_are_refused(tmp_path):
    for name in ("here", "there"):
        (tmp_path / f"{name}.yaml").write_text(f"group: {name}\ntask: [torn_task, {name}_task]\n")
    given = {"here": "a", "there": "b"}
    with pytest.raises(ConfigurationError, match="torn_task is in both 'here' and 'there'"):
        read_options({"data": given}, "torn_task", folders=[tmp_path])
    own = {"data": {**given, "torn_task": "c"}}
    assert read_options(own, "torn_task", folders=[tmp_path]).data == "c"


def test_a_revision_belongs_to_the_tasks_whose_data_are_on_the_hub():
    given = {"data": {"llmbar": "d"}, "data_revision": "abc", "ties": "half"}
    named, other = (read_options(given, task) for task in ("llmbar_natural", "rm_bench"))
    assert (named.data_revision, other.data_revision) == (None, "abc")
    assert named.of_task(given) == {"data": "d", "ties": "half"}
    assert other.of_task(given) == {"data_revision": "abc", "ties": "half"}


def test_pairs_and_benchmarks_read_their_own_in_one_run(run, longest, llmbar, tmp_path):
    pairs = write_jsonl(tmp_path / "pairs.jsonl", [PAIR, {**PAIR, "chosen": "no"}])
    raw = write_jsonl(tmp_path / "raw.jsonl", [raw_row()])
    given = {
        "llmbar": str(llmbar),
        "llmbar_manual": str(write_jsonl(tmp_path / "manual.jsonl", [WORST])),
        "ultrafeedback_binarized": str(pairs),
        "ultrafeedback_pairs": str(raw),
    }
    tasks = ["llmbar", "ultrafeedback_binarized", "ultrafeedback_pairs"]
    results = run(longest, tasks, {"data": given})
    figures = by_task(results["results"])
    assert {name: of["acc,none"] for name, of in figures.items() if "acc,none" in of} == {
        "llmbar_natural": 1.0,
        "llmbar_adversarial": 0.75,
        "llmbar_neighbor": 1.0,
        "llmbar_gptinst": 1.0,
        "llmbar_gptout": 1.0,
        "llmbar_manual": 0.0,
        "ultrafeedback_binarized": 0.5,
        "ultrafeedback_pairs": 1.0,
    }  # fmt: skip
    metadata = {name: of["metadata"] for name, of in by_task(results["configs"]).items()}
    assert metadata["llmbar_natural"]["data"] == str(llmbar)
    assert metadata["llmbar_natural"]["data_used"] == str(llmbar / "natural.jsonl")
    for task in ("llmbar_manual", "ultrafeedback_binarized", "ultrafeedback_pairs"):
        assert metadata[task]["data"] == metadata[task]["data_used"] == given[task]
    json.dumps(metadata, default=str)


def test_a_file_that_is_named_for_one_part_may_be_called_anything(run, longest, tmp_path):
    path = str(write_jsonl(tmp_path / "my_items.jsonl", [LLMBAR] * 3))
    results = run(longest, ["llmbar_natural"], {"data": {"llmbar_natural": path}})
    assert results["configs"]["llmbar_natural"]["metadata"]["data_used"] == path
    assert results["results"]["llmbar_natural"]["acc,none"] == 1.0
    for given in (path, {"llmbar": path}):
        with pytest.raises(DataError, match='does not say which part .*"llmbar_natural": "FILE"'):
            run(longest, ["llmbar_natural"], {"data": given})


def test_a_file_that_is_called_like_another_part_is_refused(run, longest, llmbar):
    given = {"llmbar_natural": str(llmbar / "neighbor.jsonl")}
    with pytest.raises(DataError, match=r"neighbor.jsonl: llmbar_natural reads one part"):
        run(longest, ["llmbar_natural"], {"data": given})


def test_a_single_text_is_every_tasks_as_before(run, longest, tmp_path):
    path = str(write_jsonl(tmp_path / "raw.jsonl", [raw_row()]))
    results = run(longest, ["ultrafeedback"], {"data": path})
    assert {c["metadata"]["data"] for c in results["configs"].values()} == {path}


def test_a_task_that_is_not_named_reads_its_own_data_from_the_hub(run, longest, llmbar):
    with pytest.raises(DataError, match="ultrafeedback_pairs: The data set openbmb/UltraFeedback"):
        run(longest, ["llmbar", "ultrafeedback_pairs"], {"data": {"llmbar": str(llmbar)}})


def test_an_error_about_data_names_the_task(run, longest, llmbar, tmp_path):
    given = {"llmbar": str(llmbar), "ultrafeedback_pairs": str(tmp_path / "no.jsonl")}
    with pytest.raises(DataError, match=r"^ultrafeedback_pairs: data='.*no.jsonl'.*no such file"):
        run(longest, ["llmbar", "ultrafeedback_pairs"], {"data": given})


def test_the_demo_task_has_no_other_data(run, longest, tmp_path):
    given = {"ultrafeedback_pairs_demo": str(tmp_path)}
    with pytest.raises(ConfigurationError, match="always reads the bundled demo data"):
        run(longest, ["ultrafeedback_pairs_demo"], {"data": given})


def test_judged_tasks_read_their_own(run, writer, scripted, tmp_path):
    scripted(lambda _, text: float(len(text)))
    one = write_jsonl(tmp_path / "one.jsonl", [raw_row("p")])
    two = write_jsonl(tmp_path / "two.jsonl", [raw_row("q"), raw_row("r")])
    gsm8k = write_jsonl(tmp_path / "gsm8k.jsonl", [{"question": "1+1?", "answer": "#### 2"}])
    given = {
        "ultrafeedback_generation": str(one),
        "ultrafeedback_judge": str(two),
        "gsm8k_best_of_n": str(gsm8k),
    }
    tasks = ["ultrafeedback_judge", "ultrafeedback_best_of_n", "gsm8k_best_of_n"]
    metadata = {"data": given, "reference": "model-0", "n": 2}
    results = run(writer(lambda p, turn: f"{p} 2{turn}"), tasks, metadata, num_fewshot=0)
    assert {name: len(of) for name, of in results["samples"].items()} == {
        "ultrafeedback_judge": 2,
        "ultrafeedback_best_of_n": 1,
        "gsm8k_best_of_n": 1,
    }
    metadata = {name: config["metadata"] for name, config in results["configs"].items()}
    assert metadata["ultrafeedback_best_of_n"]["data"] == str(one)
    assert metadata["gsm8k_best_of_n"]["data"] == metadata["gsm8k_best_of_n"]["data_used"] == str(gsm8k)  # fmt: skip
