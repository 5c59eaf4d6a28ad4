"""Every Eval Ever's own converter of lm-eval's results reads a run of ours.

The package wants Python 3.12; its converter runs on 3.11 from the unpacked wheel. With samples it
refuses a run that has a group with a figure, for which there is no file of samples (0.3.0): then the
samples are converted by the class that its command uses.
"""

import json
import subprocess
import sys

import pytest

from tests.exports.published_schema import package_folder, problems_of

pytestmark = pytest.mark.slow
_CONVERT = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from every_eval_ever.converters.lm_eval.__main__ import main
raise SystemExit(main())
"""
_CONVERT_SAMPLES = """
import sys
package, path, task = sys.argv[1:]
sys.path.insert(0, package)
from every_eval_ever.converters.lm_eval.instance_level_adapter import LMEvalInstanceLevelAdapter
for one in LMEvalInstanceLevelAdapter().transform_samples(path, "an id", "org/judge", task):
    print(one.model_dump_json())
"""


@pytest.fixture(scope="module")
def converted(compared, written, tmp_path_factory):
    """The records and the samples that the converter makes of both runs, by task."""
    for needed in ("pydantic", "rich"):
        pytest.importorskip(needed)
    if sys.version_info < (3, 11):
        pytest.skip("every-eval-ever needs a newer Python")
    package = package_folder().parent
    out = tmp_path_factory.mktemp("converted")
    for run in (compared, written):
        command = [
            *(sys.executable, "-c", _CONVERT, str(package)),
            *(["--include_samples"] if run is written else []),
            *("--log_path", str(run.folder), "--output_dir", str(out)),
            *("--source_organization_name", "the tests"),
        ]
        finished = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert finished.returncode == 0, finished.stderr[-3000:]
    paths = [*out.rglob("*.json"), *out.rglob("*.jsonl")]
    records = {}
    for path in paths:
        if path.suffix == ".json":
            record = json.loads(path.read_text())
            task = record["evaluation_id"].partition("/")[0]
            samples = path.with_name(f"{path.stem}_samples.jsonl")
            lines = samples.read_text().splitlines() if samples.exists() else []
            records[task] = (record, [json.loads(line) for line in lines])
    return paths, records


def test_every_figure_that_is_a_number_is_converted(compared, written, converted):
    _, records = converted
    for run in (compared, written):
        for task, row in run.results["results"].items():
            figures = {
                key: value
                for key, value in row.items()
                if "," in key and "_stderr," not in key and isinstance(value, float)
            }
            if not figures:
                assert task not in records
                continue
            record, _ = records[task]
            found = {}
            for one in record["evaluation_results"]:
                metric, _, name = one["evaluation_result_id"].partition(":")
                found[f"{metric},{name or 'none'}"] = one
            assert {key: one["score_details"]["score"] for key, one in found.items()} == figures
            for key, one in found.items():
                metric, _, name = key.partition(",")
                error = row[f"{metric}_stderr,{name}"]
                uncertainty = one["score_details"]["uncertainty"]
                told = uncertainty.get("standard_error")
                assert (told or {"value": "N/A"})["value"] == error, (task, key)
                better = run.results["higher_is_better"][task].get(metric)
                if better is not None:
                    assert one["metric_config"]["lower_is_better"] is not better
            main = found.get("acc,none") or next(iter(found.values()))
            error = main["score_details"]["uncertainty"].get("standard_error")
            if error and task in run.samples:
                # Read from the task's list of metrics.
                assert error["method"] == "analytic", task


def test_samples_are_converted(written, converted):
    _, records = converted
    for task, samples in written.samples.items():
        record, lines = records[task]
        counted = [(line["sample_id"], line["evaluation_result_id"]) for line in lines]
        assert len(set(counted)) == len(counted)
        assert {one for one, _ in counted} == {str(sample["doc_id"]) for sample in samples}
        name = record["evaluation_results"][0]["evaluation_result_id"]
        scores = [x["evaluation"]["score"] for x in lines if x["evaluation_result_id"] == name]
        metric = name.partition(":")[0]
        assert scores == pytest.approx([sample[metric] for sample in samples]), task


@pytest.mark.parametrize("task", ["llmbar_natural", "rm_bench"])
def test_the_answer_is_the_one_with_the_highest_reward(compared, task):
    pytest.importorskip("pydantic")
    command = [sys.executable, "-c", _CONVERT_SAMPLES, str(package_folder().parent)]
    finished = subprocess.run(
        [*command, str(compared.samples_file(task)), task],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    lines = [json.loads(line) for line in finished.stdout.splitlines()]
    samples = {str(one["doc_id"]): one for one in compared.samples[task]}
    scored = {
        line["sample_id"]: line["evaluation"]["score"]
        for line in lines
        if line["evaluation_result_id"] == "acc"
    }
    assert scored == {name: sample["acc"] for name, sample in samples.items()}
    for line in lines:
        sample = samples[line["sample_id"]]
        rewards = [float(response[0]) for response in sample["filtered_resps"]]
        texts = [arguments[1] for arguments in sample["arguments"]]
        assert line["output"]["raw"] == [texts[rewards.index(max(rewards))].strip()]


def test_the_published_schema_takes_what_it_makes(converted):
    paths, _ = converted
    assert len(paths) > 25
    assert problems_of(paths) == []
