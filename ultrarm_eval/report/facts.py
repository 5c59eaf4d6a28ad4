"""How a run was made: what stands at the head of a report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ultrarm_eval.known_settings import identifying, known_settings
from ultrarm_eval.runs.evaluation import Evaluation
from ultrarm_eval.runs.identity import mapping
from ultrarm_eval.runs.numbers import finite
from ultrarm_eval.runs.run import Run
from ultrarm_eval.show.formats import count, date

# Whether a text ends with EOS the template says.
_TOLD_ABOVE = {
    *("judge", "revision", "template", "dtype", "quantization", "max_length", "truncation"),
    "appends_eos",
}


@dataclass(frozen=True)
class Fact:
    """Something that is known of a run.

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
        yield "kind of model", config.get("model")
        yield "model arguments", _spelled(config.get("model_args"))
        yield "chat template (SHA-256)", run.results.get("chat_template_sha")
    yield _setting("template", config.get("template"))
    yield _setting("dtype", config.get("dtype") or config.get("model_dtype"))
    yield _setting("quantization", config.get("quantization"))
    parameters = config.get("model_num_parameters")
    yield "parameters", count(parameters) if isinstance(parameters, int) else None
    if config.get("max_length") is not None:
        cut = f", longer texts cut on the {config['truncation']}" if "truncation" in config else ""
        yield _setting("max_length", f"{config['max_length']} tokens{cut}")
    named = mapping(config.get("recommended_max_length"))
    if named:
        said = f"{named.get('tokens')} tokens ({named.get('source')})"
        yield _setting("recommended_max_length", said)
    if config.get("judge") is not None:
        for name in identifying():
            if name not in _TOLD_ABOVE:
                yield _setting(name, config.get(name))


def _setting(name: str, value: Any) -> tuple[str, str | None]:
    return known_settings()[name].label, _spelled(value)


def _of_computing(evaluation: Evaluation) -> Iterator[tuple[str, Any]]:
    config = evaluation.newest.config
    # What the harness calls the device is what was asked for, or its own default.
    used = dict.fromkeys(run.config.get("device_used") for run in evaluation.runs)
    yield "device", _joined(*used)
    yield "attention, batching", _joined(config.get("attn_implementation"), config.get("batching"))
    runs = evaluation.runs
    counts = [mapping(run.config.get("judge_counts")) for run in runs]
    for name, what in (
        ("texts", "texts asked for"),
        ("distinct_texts", "distinct texts"),
        ("from_store", "of them out of the score store"),
        ("truncated", "texts cut to max_length"),
        ("cut_by_template", "answers that the template cuts or changes"),
        ("trimmed_by_template", "answers that lose blanks at their ends to the template"),
        ("turns_left_out", "texts of which the template leaves out turns"),
        ("system_dropped", "texts without their system turn (system=drop)"),
        ("system_folded", "texts with the system turn in the user's (system=fold)"),
        ("spelled_special", "texts that spell a special token"),
        ("special_hidden_from_template", "of them read otherwise than the template would"),
        ("special_read_by_template", "of them with one that the template looks for"),
        ("spelled_added", "texts that spell another added token"),
        ("steps_cut", "texts of which steps are cut off"),
        ("one_step", "answers that are one step"),
        ("spelled_step_end", "texts that spell what ends a step"),
        ("unreadable", "critiques without a readable score"),
    ):
        if any(name in of_run for of_run in counts):
            yield what, count(sum(int(finite(of_run.get(name)) or 0) for of_run in counts))
    yield from _of_speed(runs)


def _of_speed(runs: list[Run]) -> Iterator[tuple[str, Any]]:
    computed = [
        (int(tokens), seconds)
        for run in runs
        for tokens, seconds in [
            (
                finite(mapping(run.config.get("judge_counts")).get("computed_tokens")),
                finite(run.config.get("scoring_seconds")),
            )
        ]
        if tokens and seconds and seconds > 0
    ]
    if computed:
        tokens, seconds = sum(t for t, _ in computed), math.fsum(s for _, s in computed)
        yield "tokens of the computed texts", count(tokens)
        yield (
            "tokens a second",
            f"{count(round(tokens / seconds))} (in {seconds:.1f} s of the model)",
        )
    elapsed = [t for run in runs if (t := finite(run.results.get("total_evaluation_time_seconds")))]
    if elapsed:
        yield "whole time", f"{math.fsum(elapsed):.1f} s"
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
    yield "results", ", ".join(run.path.name for run in evaluation.runs)


def _spelled(value: Any) -> str | None:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={item}" for name, item in value.items())
    return None if value is None else str(value)


def _joined(*values: Any) -> str | None:
    return ", ".join(str(value) for value in values if value) or None
