"""lighteval itself, with judged tasks and models that write what a test says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.scripted_judge import Scripted


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that fail keep what was written in the working directory."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(tmp_path: Path) -> Any:
    """Runs tasks through lighteval's pipeline; gives its results and its details by task."""
    from lighteval.logging.evaluation_tracker import EvaluationTracker
    from lighteval.pipeline import ParallelismManager, Pipeline, PipelineParameters

    def run_tasks(
        model: Any,
        configs: list[Any],
        tasks: str | None = None,
        out: Path | None = None,
        **options: Any,
    ) -> Any:
        module = ModuleType("tasks_of_a_test")
        module.TASKS_TABLE = configs
        tracker = EvaluationTracker(output_dir=str(out or tmp_path / "out"), save_details=True)
        parameters = PipelineParameters(
            launcher_type=ParallelismManager.NONE, custom_tasks_directory=module, **options
        )
        pipeline = Pipeline(
            tasks=tasks or ",".join(config.name for config in configs),
            pipeline_parameters=parameters,
            evaluation_tracker=tracker,
            # Errors of a task come before one of a model that is no model.
            model=object() if model is None else model,
        )
        pipeline.evaluate()
        pipeline.save_and_push_results()
        return pipeline

    return run_tasks


@pytest.fixture
def writer(tmp_path: Path) -> Any:
    """Makes a model that writes what a function gives for a prompt, and keeps it as lighteval does."""
    from lighteval.models.abstract_model import LightevalModel, ModelConfig
    from lighteval.models.model_output import ModelResponse
    from lighteval.tasks.requests import SamplingMethod
    from lighteval.utils.cache_management import SampleCache, cached

    class Writer(LightevalModel):
        is_async = False

        def __init__(self, write: Callable[[str], Any], name: str = "writer") -> None:
            self.write, self.asked = write, []
            self.config = ModelConfig(model_name=name, cache_dir=str(tmp_path / "kept"))
            self._cache = SampleCache(self.config)

        @cached(SamplingMethod.GENERATIVE)
        def greedy_until(self, docs: Any) -> list[Any]:
            self.asked += docs
            given = [self.write(doc.query) for doc in docs]
            return [ModelResponse(text=one if isinstance(one, list) else [one]) for one in given]

        tokenizer = add_special_tokens = max_length = None

        def loglikelihood(self, docs: Any) -> Any:
            raise NotImplementedError

        loglikelihood_rolling = loglikelihood

    return Writer


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Has a function judge what models write."""

    def use(reward: Any, **options: Any) -> Scripted:
        judge = Scripted(reward, **options)
        monkeypatch.setattr("ultrarm_eval.lighteval.task_judging.shared_judge", lambda *_: judge)
        return judge

    return use
