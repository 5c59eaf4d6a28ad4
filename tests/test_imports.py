import importlib
import subprocess
import sys
import warnings

import pytest

import ultrarm_eval


def _modules_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_loads_neither_torch_nor_the_harness():
    loaded = _modules_after("import ultrarm_eval")
    assert not loaded & {"torch", "transformers", "lm_eval", "datasets", "pluggy"}
    assert not loaded & {"vllm", "aiohttp"}


def test_finding_the_plugin_of_vllm_loads_nothing_large():
    loaded = _modules_after("import ultrarm_eval.vllm_plugin")
    assert not loaded & {"torch", "transformers", "vllm", "aiohttp"}


@pytest.mark.slow
def test_the_core_loads_no_harness():
    loaded = _modules_after(
        "import ultrarm_eval.judges.ultrarm, ultrarm_eval.documents.document, ultrarm_eval.metrics,"
        "ultrarm_eval.plugins; ultrarm_eval.plugins.registry()"
    )
    assert "torch" in loaded
    assert "lm_eval" not in loaded


def test_listing_judges_loads_no_torch():
    assert "torch" not in _modules_after(
        "from ultrarm_eval.plugins import registry; registry().judges"
    )


def test_what_every_run_of_the_harness_asks_of_us_loads_no_torch_and_no_scipy():
    loaded = _modules_after(
        "from ultrarm_eval.lm_eval_plugin import reward_filters, judge_report;"
        "from ultrarm_eval.metrics.within_prompt import kendall_tau;"
        "assert kendall_tau([1, 2, 2], [0.5, 0.25, 1]) is not None"
    )
    assert "lm_eval" in loaded
    assert not loaded & {"torch", "transformers", "datasets", "scipy"}


def test_every_public_name_can_be_had():
    for name in ultrarm_eval.__all__:
        assert getattr(ultrarm_eval, name) is not None
    assert set(ultrarm_eval.__all__) <= set(dir(ultrarm_eval))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        ultrarm_eval.nothing  # noqa: B018


def test_names_that_task_files_of_the_version_before_import_are_there():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        metrics = importlib.import_module("ultrarm_eval.harness.generation_metrics")
        task = importlib.import_module("ultrarm_eval.harness.best_of_n_task")
    new = "ultrarm_eval.lm_eval_plugin."
    assert metrics.process_results.__module__ == f"{new}generation_metrics"
    assert task.BestOfNTask.__module__ == f"{new}best_of_n_task"


def test_the_old_name_says_that_it_goes():
    code = "import ultrarm_eval.harness"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "ultrarm_eval.harness has been renamed to ultrarm_eval.lm_eval_plugin" in done.stderr
