"""lm-eval's `WandbLogger` logs a run of ours whole, offline; CI has wandb in an environment of its own."""

import copy
import json

import pytest

wandb = pytest.importorskip("wandb")


@pytest.fixture
def logged(tmp_path, monkeypatch):
    """Logs a run as the harness's command does; its summary, and its tables by their key."""
    from lm_eval.loggers import WandbLogger

    monkeypatch.setenv("WANDB_SILENT", "true")

    def log(run, tasks):
        results, samples = copy.deepcopy((run.results, run.samples))
        for part in ("results", "configs", "versions", "n-shot", "higher_is_better", "n-samples"):
            results[part] = {task: results[part][task] for task in tasks if task in results[part]}
        results["groups"] = {k: v for k, v in results.get("groups", {}).items() if k in tasks}
        logger = WandbLogger({"project": "p", "mode": "offline", "dir": str(tmp_path)})
        try:
            logger.post_init(results)
            logger.log_eval_result()
            logger.log_eval_samples(samples)
            summary = dict(logger.run.summary)
        finally:
            wandb.finish()
        tables = {
            path.name.partition("_eval_results_")[0]: json.loads(path.read_text())
            for path in tmp_path.rglob("*.table.json")
        }
        return summary, tables

    return log


def test_a_judges_figures_and_samples_are_logged(compared, logged):
    tasks = [task for task, row in compared.results["results"].items() if "acc,none" in row]
    summary, tables = logged(compared, tasks)
    for task in tasks:
        row = compared.results["results"][task]
        assert summary[f"{task}/acc"] == pytest.approx(row["acc,none"])
        for key, value in row.items():
            if "," in key:
                shown = summary[f"{task}/{key.removesuffix(',none')}"]
                assert shown == (value if isinstance(value, str) else pytest.approx(value))
    # Of its column `category` one value has a slash and a comma.
    assert "preference_pairs/acc_code-python; 2" in summary
    for task, samples in compared.samples.items():
        columns, data = tables[task]["columns"], tables[task]["data"]
        assert len(data) == len(samples)
        assert {"id", "acc"} <= set(columns) or task == "rewardbench2_ties"
        values = [line[columns.index("acc")] for line in data]
        assert values == pytest.approx([sample["acc"] for sample in samples])


def test_judged_answers_are_logged(written, logged):
    summary, tables = logged(written, list(written.results["results"]))
    for task, row in written.results["results"].items():
        for key, value in row.items():
            if "," in key:
                shown = summary[f"{task}/{key.removesuffix(',none')}"]
                assert shown == (value if isinstance(value, str) else pytest.approx(value))
        columns = tables[task]["columns"]
        listed = [entry["metric"] for entry in written.results["configs"][task]["metric_list"]]
        assert set(listed) <= set(columns)
        for metric in listed:
            values = [line[columns.index(metric)] for line in tables[task]["data"]]
            assert values == pytest.approx([one[metric] for one in written.samples[task]])
