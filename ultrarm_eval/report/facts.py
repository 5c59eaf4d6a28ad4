"""How a run was made: the facts at the head of a report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ultrarm_eval.judge_counts import COMPUTED_TOKENS, LABELS
from ultrarm_eval.known_settings import identifying, known_settings
from ultrarm_eval.runs.evaluation import Evaluation
from ultrarm_eval.runs.identity import mapping
from ultrarm_eval.runs.numbers import finite
from ultrarm_eval.runs.run import Run
from ultrarm_eval.show.formats import count, date

# The template already says whether a text ends with EOS.
_TOLD_ABOVE = {
    *("judge", "revision", "template", "dtype", "quantization", "max_length", "truncation"),
    "appends_eos",
}


@dataclass(frozen=True)
class Fact:
    """A fact about a run.

    Attributes:
        name: What it is.
        value: As text.
    """

    name: str
    value: str


def facts_of(evaluation: Evaluation) -> tuple[Fact, ...]:
    """What is known of how an evaluation was made."""
    found = [*_of_model(evaluation.newest), *_of_computing(evaluation), *_of_versions(evaluation)]
    return tuple(Fact(name, str(value)) for name, value in found if value not in (None, ""))


def _of_model(run: Run) -> Iterator[tuple[str, Any]]:
    config = run.config
    yield "model", run.model
    yield _setting("revision", config.get("revision") or config.get("model_revision"))
    yield "weights (SHA-256 or commit)", config.get("model_sha")
    yield "judge", config.get("judge")
    if config.get("judge") is None:
        yield "model type", config.get("model")
        yield "model arguments", _spelled(config.get("model_args"))
        yield "chat template (SHA-256)", run.results.get("chat_template_sha")
    yield _setting("template", config.get("template"))
    yield _setting("dtype", config.get("dtype") or config.get("model_dtype"))
    yield _setting("quantization", config.get("quantization"))
    parameters = config.get("model_num_parameters")
    yield "parameters", count(parameters) if isinstance(parameters, int) else None
    if config.get("max_length") is not None:
        cut = (
            f", longer texts truncated on the {config['truncation']}"
            if "truncation" in config
            else ""
        )
        yield _setting("max_length", f"{count(config['max_length'])} tokens{cut}")
    named = mapping(config.get("recommended_max_length"))
    if named:
        said = f"{count(named.get('tokens'))} tokens ({named.get('source')})"
        yield _setting("recommended_max_length", said)
    if config.get("judge") is not None:
        for name in identifying():
            if name not in _TOLD_ABOVE:
                yield _setting(name, config.get(name))


def _setting(name: str, value: Any) -> tuple[str, str | None]:
    return known_settings()[name].label, _spelled(value)


def _of_computing(evaluation: Evaluation) -> Iterator[tuple[str, Any]]:
    config = evaluation.newest.config
    # The device in lm-eval's configuration is the one requested, or its default.
    used = dict.fromkeys(run.config.get("device_used") for run in evaluation.runs)
    yield "device", _joined(*used)
    yield "attention, batching", _joined(config.get("attn_implementation"), config.get("batching"))
    runs = evaluation.runs
    counts = [mapping(run.config.get("judge_counts")) for run in runs]
    for name, what in LABELS.items():
        if name != COMPUTED_TOKENS and any(name in of_run for of_run in counts):
            yield what, count(sum(int(finite(of_run.get(name)) or 0) for of_run in counts))
    yield from _of_speed(runs)


def _of_speed(runs: list[Run]) -> Iterator[tuple[str, Any]]:
    computed = [
        (int(tokens), seconds)
        for run in runs
        for tokens, seconds in [
            (
                finite(mapping(run.config.get("judge_counts")).get(COMPUTED_TOKENS)),
                finite(run.config.get("scoring_seconds")),
            )
        ]
        if tokens and seconds and seconds > 0
    ]
    if computed:
        tokens, seconds = sum(t for t, _ in computed), math.fsum(s for _, s in computed)
        yield LABELS[COMPUTED_TOKENS], count(tokens)
        yield (
            "tokens per second",
            f"{count(round(tokens / seconds))} ({seconds:.1f} s in the model)",
        )
    elapsed = [t for run in runs if (t := finite(run.results.get("total_evaluation_time_seconds")))]
    if elapsed:
        yield "total time", f"{math.fsum(elapsed):.1f} s"
    started = [run.started for run in runs if run.started is not None]
    if started:
        first, last = date(min(started)), date(max(started))
        yield "started", first if first == last else f"{first} to {last}"


def _of_versions(evaluation: Evaluation) -> Iterator[tuple[str, Any]]:
    for name, key in (("lm-eval", "lm_eval_version"), ("transformers", "transformers_version")):
        found = {str(v) for run in evaluation.runs if (v := run.results.get(key))}
        yield name, ", ".join(sorted(found))
    ours = {str(v) for run in evaluation.runs if (v := run.config.get("ultrarm_eval_version"))}
    yield "ultrarm-eval", ", ".join(sorted(ours))
    yield "results files", ", ".join(run.path.name for run in evaluation.runs)


def _spelled(value: Any) -> str | None:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={item}" for name, item in value.items())
    return None if value is None else str(value)


def _joined(*values: Any) -> str | None:
    return ", ".join(str(value) for value in values if value) or None
