"""The harness with our tasks alone, and judges that are known to the digit."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.scripted_judge import Scripted


@pytest.fixture(autouse=True)
def _restored_registries() -> Iterator[None]:
    """Keeps what one test registers from the others."""
    # The built-in models register once, on this import, and only into an empty registry.
    import lm_eval.models  # noqa: F401
    from lm_eval.api.registry import model_registry

    before = dict(model_registry.items())
    yield
    model_registry._objs.clear()
    model_registry._objs.update(before)


@pytest.fixture(scope="session", autouse=True)
def _task_files_read_once() -> Iterator[None]:
    """Keeps what the package's own task files say: each TaskManager reads all of them.

    They do not change while tests run. Releases before 0.4.12 have another reader, which stays.
    """
    try:
        from lm_eval.tasks import _index
    except ImportError:
        yield
        return
    import ultrarm_eval.tasks

    (ours,) = map(Path, ultrarm_eval.tasks.__path__)
    read = _index.load_yaml
    kept = functools.cache(functools.partial(read, resolve_func=False))

    def load_yaml(path: Path, **options: Any) -> Any:
        if options.get("resolve_func", True) or not Path(path).is_relative_to(ours):
            return read(path, **options)
        options.pop("resolve_func")
        return copy.deepcopy(kept(path, **options))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_index, "load_yaml", load_yaml)
        yield


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that fail keep what was written in the working directory."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _without_a_list_of_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The harness asks pip for it after each run, which takes most of the time here."""
    monkeypatch.setattr("lm_eval.evaluator.add_env_info", lambda results: None)


@pytest.fixture
def run() -> Any:
    """Runs tasks through the harness's `simple_evaluate`, on the CPU."""
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    def run_tasks(
        model: Any,
        tasks: list[str],
        metadata: Mapping[str, Any] | None = None,
        include_path: str | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        manager = TaskManager(
            include_defaults=False, metadata=dict(metadata or {}), include_path=include_path
        )
        settings = {"bootstrap_iters": 100, "device": "cpu", "log_samples": True, **options}
        results: dict[str, Any] = simple_evaluate(
            model=model, tasks=tasks, task_manager=manager, **settings
        )
        return results

    return run_tasks


class FixedJudge:
    """A judge whose rewards are a function of prompt and completion."""

    def __init__(self, reward: Any) -> None:
        self.reward = reward
        self.calls: list[str] = []

    def score(self, prompts: Any, completions: Any) -> list[float]:
        self.calls.extend(completions)
        return [float(self.reward(p, c)) for p, c in zip(prompts, completions, strict=True)]

    def settings(self) -> dict[str, Any]:
        return {"template": "none", "counts": {"texts": len(self.calls)}}

    def fingerprint(self) -> str:
        return f"fixed {getattr(self.reward, '__name__', self.reward)}"


@pytest.fixture
def model_of() -> Any:
    """Makes the harness's model around a judge, without a checkpoint."""
    from ultrarm_eval.lm_eval_plugin.reward_lm import RewardModelLM

    return lambda reward: RewardModelLM.of_judge(FixedJudge(reward), "fixed")


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Has a function judge what models write."""

    def use(reward: Any) -> Scripted:
        judge = Scripted(reward, may_abstain=True)
        monkeypatch.setattr(
            "ultrarm_eval.lm_eval_plugin.reward_filters.shared_judge", lambda *_: judge
        )
        return judge

    return use


@pytest.fixture
def writer() -> Any:
    """Makes a model that writes what a function gives for a prompt and a turn, from 0."""
    from lm_eval.api.model import LM

    class Writer(LM):
        def __init__(self, write: Any) -> None:
            super().__init__()
            self.write, self.requests = write, []

        def generate_until(self, requests: Any) -> list[str]:
            self.requests.extend(requests)
            turns: dict[str, int] = {}
            answers = []
            for request in requests:
                turn = turns[request.args[0]] = turns.get(request.args[0], -1) + 1
                answers.append(self.write(request.args[0], turn))
            return answers

        def tok_encode(self, text: str, **_: Any) -> list[int]:
            return list(range(len(text.split())))

        def loglikelihood(self, requests: Any) -> Any:
            raise NotImplementedError

        loglikelihood_rolling = loglikelihood

    return Writer
