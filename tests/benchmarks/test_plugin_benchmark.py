"""The benchmark of the example of docs/plugins-data.md, beside ours."""

import dataclasses
from pathlib import Path

import pytest

from tests.benchmarks.conftest import figures_of
from tests.conftest import write_jsonl
from ultrarm_eval.benchmarks.benchmark import of_plugin
from ultrarm_eval.errors import PluginError
from ultrarm_eval.plugins import PluginRegistry, make_plugin_manager

EXAMPLE = Path(__file__).parents[1] / "fixtures" / "example_plugin"
ROWS = [
    {"sum": "1+1", "right": "2", "wrong": ["3", "11"], "carries": False},
    {"sum": "2+2", "right": "4", "wrong": ["44"], "carries": False},
    {"sum": "5+5", "right": "10", "wrong": ["9"], "carries": True},
    {"sum": "6+6", "right": "12", "wrong": [], "carries": True},
]


def test_it_is_run_by_its_own_task_file(run, model_of, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLE)
    from ultrarm_eval_example import plugin

    manager = make_plugin_manager(load_entry_points=False)
    manager.register(plugin, name="example")
    registry = PluginRegistry(manager)
    monkeypatch.setattr("ultrarm_eval.lm_eval_plugin.benchmark_data.registry", lambda: registry)
    data = write_jsonl(tmp_path / "sums.jsonl", ROWS)
    judge = model_of(lambda _, text: -abs(int(text) - 4))
    folder = str(EXAMPLE / "ultrarm_eval_example" / "tasks")
    results = run(judge, ["sums"], {"data": str(data)}, include_path=folder)
    figures = figures_of(results, "sums")
    # 2 loses against 3, 4 wins, 10 loses against 9.
    assert figures["acc"] == pytest.approx(1 / 3)
    assert figures["overall"] == pytest.approx((1 * 0.5 + 2 * 0) / 3)
    assert figures["worst"] == 0
    metadata = results["configs"]["sums"]["metadata"]
    assert (metadata["suite"], metadata["data_used"]) == ("sums", str(data))
    assert metadata["counts"]["rows_left_out_without_wrong_answers"] == 1


@pytest.mark.parametrize("part", ["credit", "evidence", "pair_tie"])
def test_what_fails_in_it_after_scoring_is_called_by_its_name(part, monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLE)
    from ultrarm_eval_example.sums import BENCHMARK

    broken = dataclasses.replace(BENCHMARK, **{part: lambda *_: {}["a subset of its own"]})
    given = of_plugin(broken, "plugin 'example'")
    with pytest.raises(PluginError) as said:
        getattr(given, part)(None, [1.0], 0.5)
    message = f"Benchmark 'sums' (plugin 'example') fails in its {part}: "
    assert str(said.value).startswith(message)
