"""The harness in this process, offline and with logs of its own; judges known to the digit."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import LengthJudge
from ultrarm_eval.judges.base import Judgement

DATA = Path(__file__).parents[2] / "ultrarm_eval" / "demo" / "ultrafeedback_demo.jsonl"


@pytest.fixture(autouse=True)
def _own_judges() -> Iterator[None]:
    """Keeps the judges that one test makes from the others."""
    from ultrarm_eval.judges import shared_judges

    made = shared_judges._made
    made.cache_clear()
    yield
    made.cache_clear()


@pytest.fixture
def evaluate(tmp_path: Path) -> Callable[..., Any]:
    """Runs a task, and gives its log as the harness's own reader reads it."""
    import inspect_ai
    from inspect_ai.log import read_eval_log

    def run(task: Any, **options: Any) -> Any:
        settings = {"model": "mockllm/model", "display": "none", "log_dir": str(tmp_path / "logs")}
        (log,) = inspect_ai.eval(task, **{**settings, **options})
        return read_eval_log(log.location)

    return run


@pytest.fixture
def demo_rows() -> list[dict[str, Any]]:
    """The bundled prompts with four rated completions."""
    return [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]


class CountingJudge(LengthJudge):
    """A judge of lengths that notes what it is asked at once, and can be held up."""

    calls: list[list[tuple[Any, str]]] = []  # noqa: RUF012 - tests empty it
    held = threading.Event()

    def score(self, prompts: Any, completions: Any) -> list[Any]:
        type(self).calls.append(list(zip(prompts, completions, strict=True)))
        assert type(self).held.wait(60)
        return [
            self.reward(prompt, text) for prompt, text in zip(prompts, completions, strict=True)
        ]

    def reward(self, prompt: Any, text: str) -> Any:
        return self.factor * len(text)

    def score_stream(self, prompts: Any, completions: Any) -> Iterator[tuple[int, Any]]:
        yield from enumerate(self.score(prompts, completions))


class Critic(CountingJudge):
    """A judge that writes about answers, and leaves those with `?` without a score."""

    may_abstain = True

    def reward(self, prompt: Any, text: str) -> Any:
        value = None if "?" in text else float(len(text))
        return Judgement(value, (f"It has {len(text)} characters.",), {"scores": [value]})


@pytest.fixture
def counting(third_party: Callable[[Any], Any]) -> Callable[[type], type]:
    """Registers a counting judge, as `length`."""

    def register(judge: type = CountingJudge) -> type:
        third_party(judge)
        judge.calls, judge.held = [], threading.Event()  # type: ignore[attr-defined]
        judge.held.set()  # type: ignore[attr-defined]
        return judge

    return register


def figures(log: Any) -> dict[str, dict[str, float]]:
    """The figures of a log by score and metric, without package names."""
    return {
        score.name: {name.split("/")[-1]: m.value for name, m in score.metrics.items()}
        for score in log.results.scores
    }
