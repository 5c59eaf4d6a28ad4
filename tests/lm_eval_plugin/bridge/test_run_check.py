"""Tasks that a judge cannot do are refused before anything is computed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.lm_eval_plugin.bridge import evaluation
from ultrarm_eval.lm_eval_plugin.protocols import BridgedTask

EVALUATED = {"results": {}}


@pytest.fixture
def evaluator() -> Any:
    """A harness whose `evaluate` notes what reached it."""
    module = ModuleType("lm_eval.evaluator")
    module.reached = []  # type: ignore[attr-defined]

    def evaluate(lm: Any, task_dict: Any, *args: Any, **kwargs: Any) -> Any:
        module.reached.append((args, kwargs))  # type: ignore[attr-defined]
        return EVALUATED

    module.evaluate = evaluate  # type: ignore[attr-defined]
    module.simple_evaluate = evaluate  # type: ignore[attr-defined]
    evaluation.connect(module)
    return module


JUDGE = SimpleNamespace(
    judge=SimpleNamespace(settings=dict), judge_name="ultrarm", pretrained="openbmb/UltraRM-13b"
)
LANGUAGE_MODEL = SimpleNamespace(pretrained="gpt2")


def task(output_type: str = "multiple_choice", **attributes: Any) -> SimpleNamespace:
    metadata = attributes.pop("metadata", None)
    return SimpleNamespace(
        OUTPUT_TYPE=output_type, config=SimpleNamespace(metadata=metadata), **attributes
    )


class Pairwise(BridgedTask):
    """A task of ours that compares completions."""

    OUTPUT_TYPE, takes_shots, is_pairwise = "multiple_choice", False, True
    config = SimpleNamespace(metadata=None)

    def __init__(self, **attributes: Any) -> None:
        self.abstentions = SimpleNamespace(standard_errors={})  # type: ignore[assignment]
        vars(self).update(attributes)

    def before_requests(self, lm: Any, most: int | None) -> None: ...

    def has_answers_judged(self) -> bool:
        return False

    def after_evaluation(self, samples: Any) -> dict[str, Any]:
        return {}


def nested(**tasks: Any) -> Mapping[Any, Any]:
    """Tasks as harnesses before 0.4.12 hand them over."""
    return {SimpleNamespace: {"group": {}, **tasks}} if tasks else {}


def flat(**tasks: Any) -> Mapping[str, Any]:
    """Tasks as harnesses from 0.4.12 on hand them over."""
    return {"tasks": tasks, "groups": {}, "group_map": {}}


@pytest.mark.parametrize("form", [nested, flat, dict])
@pytest.mark.parametrize(
    ("output_type", "reason"),
    [
        ("generate_until", "gsm8k asks it to generate text"),
        ("loglikelihood_rolling", "gsm8k asks for the likelihood of whole texts"),
        ("loglikelihood", "gsm8k asks for the likelihood of a fixed continuation"),
    ],
)
def test_task_is_refused_by_name(evaluator: Any, form: Any, output_type: str, reason: str) -> None:
    tasks = form(ours=task(), gsm8k=task(output_type))

    with pytest.raises(ConfigurationError, match=reason) as raised:
        evaluator.evaluate(JUDGE, tasks)

    assert "ours" not in str(raised.value)
    assert "--model hf" in str(raised.value)
    assert evaluator.reached == []


@pytest.mark.parametrize("form", [nested, flat, dict])
def test_comparisons_are_evaluated(evaluator: Any, form: Any) -> None:
    assert evaluator.evaluate(JUDGE, form(ours=task()), 3, limit=5) is EVALUATED
    assert evaluator.reached == [((3,), {"limit": 5})]


def test_language_models_do_every_task(evaluator: Any) -> None:
    assert evaluator.evaluate(LANGUAGE_MODEL, flat(gsm8k=task("generate_until"))) is EVALUATED


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"in_sample_for": ["openbmb/UltraRM-13b"]}, True),
        ({"in_sample_for": ["someone/else"]}, False),
        ({}, False),
        (None, False),
    ],
)
def test_in_sample_data_are_remarked_upon(
    evaluator: Any, caplog: pytest.LogCaptureFixture, metadata: Any, said: bool
) -> None:
    with caplog.at_level(logging.WARNING, "lm_eval.ultrarm_eval"):
        _propagating(lambda: evaluator.evaluate(JUDGE, flat(ours=task(metadata=metadata))))

    assert ("was trained on the data of ours" in caplog.text) is said


@pytest.mark.parametrize(
    ("make", "metrics", "said"),
    [
        (task, {"acc": None, "acc_norm": None}, True),
        (task, {"acc": None}, False),
        (Pairwise, {"acc_norm": None}, False),
    ],
)
def test_normalised_accuracy_is_remarked_upon(
    evaluator: Any, caplog: pytest.LogCaptureFixture, make: Any, metrics: dict[str, Any], said: bool
) -> None:
    with caplog.at_level(logging.WARNING, "lm_eval.ultrarm_eval"):
        _propagating(lambda: evaluator.evaluate(JUDGE, flat(arc=make(_metric_fn_list=metrics))))

    assert ("arc: acc_norm divides rewards by lengths" in caplog.text) is said


def _propagating(call: Any) -> None:
    """Calls with the harness's loggers open, whatever a test before has set up."""
    loggers = [logging.getLogger(name) for name in ("lm_eval", "lm_eval.ultrarm_eval")]
    before = [logger.propagate for logger in loggers]
    try:
        for logger in loggers:
            logger.propagate = True
        call()
    finally:
        for logger, propagates in zip(loggers, before, strict=True):
            logger.propagate = propagates
