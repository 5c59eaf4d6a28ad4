"""What identifies a judge in results: its fingerprint, and the settings its rewards depend on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ultrarm_eval.engine_settings import TORCH
from ultrarm_eval.known_settings import identifying, known_settings
from ultrarm_eval.setting import AUTO

#: The key of a judge's fingerprint among its settings.
FINGERPRINT = "fingerprint"
#: The key of the names of a third-party judge's parameters, so that a default value and an explicit
#: one are compared alike.
PARAMETERS = "judge_parameters"
#: The key of the settings on which, as the judge reports, its rewards depend.
IDENTIFIES = "judge_identifies"
# The order of labels.
_USUAL = tuple(identifying())
# Settings of lm-eval's models about device and speed.
_OF_MODELS = frozenset(
    {
        "batch_sizes",
        "data_parallel_size",
        "device_used",
        "gpu_memory_utilization",
        "max_retries",
        "num_concurrent",
        "num_parameters",
        "tensor_parallel_size",
        "trust_remote_code",
    }
)
#: Settings and counts on which no reward depends: devices, speed, and counts of texts.
OF_COMPUTING = _OF_MODELS | set(known_settings()) - {*_USUAL, "pretrained", "weights_digest"}
# Other keys beside a judge's settings in results of versions without `judge_settings`, from the
# harness and from the model class around the judge.
_BESIDE = frozenset(
    {
        "name",
        "pretrained",
        FINGERPRINT,
        IDENTIFIES,
        PARAMETERS,
        "judge_counts",
        "judge_describes",
        "judge_settings",
        "model",
        "model_args",
        "model_dtype",
        "model_num_parameters",
        "model_revision",
        "model_sha",
        "ultrarm_eval_version",
        "use_cache",
        "limit",
        "bootstrap_iters",
        "gen_kwargs",
        "random_seed",
        "numpy_seed",
        "torch_seed",
        "fewshot_seed",
    }
)


def judge_settings(reported: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings on which a judge's rewards depend, as far as its results record them.

    Results contain the settings that the judge itself reports (`IDENTIFIES`). Results of older
    versions contain all its settings: with a fingerprint, the known identifying settings count, and
    those that the user set or could have set; without one, every setting except those in
    `OF_COMPUTING`.

    Args:
        reported: The judge's part of the results, possibly with other keys.
        given: The settings that the user set.
    """
    known = {name: v for name, v in reported.items() if _counts(name, v)}
    own = {name: v for name, v in given.items() if _counts(name, v)}
    fingerprint, identifies = reported.get(FINGERPRINT), reported.get(IDENTIFIES)
    if isinstance(identifies, Mapping):
        known = {**{name: v for name, v in known.items() if name in (*own, "judge")}, **identifies}
    elif fingerprint is not None:
        parameters = reported.get(PARAMETERS)
        # A list of texts; damaged results may hold anything.
        told = [*_USUAL, *own, *(parameters if isinstance(parameters, list) else ())]
        known = {name: v for name, v in known.items() if name in told}
    ordered = [name for name in _USUAL if name in known]
    found = {name: known[name] for name in dict.fromkeys([*ordered, *known])}
    # The judge reports the value that it used, for example for dtype=auto and judge=auto.
    found |= {name: value for name, value in own.items() if name not in found and name != "judge"}
    return stated({**found, FINGERPRINT: fingerprint})


def _counts(name: str, value: Any) -> bool:
    """Whether rewards depend on a setting; engine=torch and engine=auto are the same."""
    if name in OF_COMPUTING | _BESIDE:
        return False
    return name != "engine" or value not in (AUTO, TORCH)


def stated(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that have a value; the harness writes an empty text for an unknown one.

    Args:
        settings: The settings.
    """
    return {name: value for name, value in settings.items() if value not in (None, "", {})}


def arguments(given: Any) -> Mapping[str, Any]:
    """The arguments of a model, which the harness writes as a mapping or as the original text."""
    if isinstance(given, Mapping):
        return given
    if not isinstance(given, str):
        return {}
    pairs = (part.partition("=") for part in given.split(",") if part)
    return {name.strip(): value for name, _, value in pairs}


def same_judges(settings: Sequence[tuple[str, Mapping[str, Any]]]) -> Iterator[list[int]]:
    """Groups runs by model, or by judge with its settings.

    Runs belong together if their names and settings are equal. A run without a fingerprint, as
    older versions wrote it, belongs to runs with one if no setting differs, unless there are
    several such groups.

    Args:
        settings: The model's name and the settings of each run.

    Yields:
        The indices of the runs of one group.
    """
    alike: dict[str, list[int]] = {}
    for place, (name, of_run) in enumerate(settings):
        alike.setdefault(written([name, of_run]), []).append(place)
    known = [places for places in alike.values() if FINGERPRINT in settings[places[0]][1]]
    for places in alike.values():
        name, of_run = settings[places[0]]
        if FINGERPRINT in of_run:
            continue
        fitting = [
            group
            for group in known
            if settings[group[0]][0] == name and _agree(of_run, settings[group[0]][1])
        ]
        if len(fitting) == 1:
            fitting[0].extend(places)
        else:
            yield places
    yield from known


def _agree(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    # Results of a language model have no judge.
    return "judge" in a and all(written(a[name]) == written(b[name]) for name in a.keys() & b)


def written(settings: Any) -> str:
    """Settings as text; equal settings have equal texts."""
    return json.dumps(settings, sort_keys=True, default=str)


def without_fingerprints(names: Iterable[str]) -> list[str]:
    """Names of settings except fingerprints, which mean nothing to a reader."""
    return [name for name in names if not name.endswith(FINGERPRINT)]
