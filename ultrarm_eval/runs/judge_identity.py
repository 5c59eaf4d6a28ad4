"""What identifies a judge: the fingerprint of its rewards, and the settings that it reports."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ultrarm_eval.engine_settings import TORCH
from ultrarm_eval.known_settings import identifying, known_settings
from ultrarm_eval.setting import AUTO

#: The settings' key of a judge's fingerprint.
FINGERPRINT = "fingerprint"
#: The key under which settings hold the names of those that a user can give to a judge of another
#: package: a default is told from another value whether it was given or not.
PARAMETERS = "judge_parameters"
#: The results' key of the settings that a judge reports its rewards to depend on.
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
#: Settings and counts that no reward depends on: devices, speed, and what happened to texts.
OF_COMPUTING = _OF_MODELS | set(known_settings()) - {*_USUAL, "pretrained", "weights_digest"}
# What results hold beside a judge's settings: the judge's name, and what the harness and the model
# around the judge write there. Only results without `judge_settings` have them side by side.
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
    """What a judge's rewards depend on, as far as its results say it.

    Results hold what the judge says of it. Older ones hold its settings: where they hold the
    judge's fingerprint as well, the usual settings count, and those that the user gave or could
    have given; else every setting that is not known for one of computing.

    Args:
        reported: What the judge says of itself, in results also beside other things.
        given: The settings that the user gave.
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
    # The judge knows better what became of a setting (dtype=auto, judge=auto).
    found |= {name: value for name, value in own.items() if name not in found and name != "judge"}
    return stated({**found, FINGERPRINT: fingerprint})


def _counts(name: str, value: Any) -> bool:
    """Whether rewards depend on a setting; those of torch, named or not, are the usual ones."""
    if name in OF_COMPUTING | _BESIDE:
        return False
    return name != "engine" or value not in (AUTO, TORCH)


def stated(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that say something; the harness writes an empty text for what it does not know.

    Args:
        settings: The settings.
    """
    return {name: value for name, value in settings.items() if value not in (None, "", {})}


def arguments(given: Any) -> Mapping[str, Any]:
    """Arguments of a model, which the harness writes as a mapping or as the text it was given."""
    if isinstance(given, Mapping):
        return given
    if not isinstance(given, str):
        return {}
    pairs = (part.partition("=") for part in given.split(",") if part)
    return {name.strip(): value for name, _, value in pairs}


def same_judges(settings: Sequence[tuple[str, Mapping[str, Any]]]) -> Iterator[list[int]]:
    """Which of several runs are of one model or judge with its settings.

    Two are if name and settings are the same. A run that does not hold its judge's fingerprint, as
    older ones do not, belongs to those that do if it contradicts no setting of theirs, and to none
    where it could be several.

    Args:
        settings: The model's name and the settings of each run.

    Returns:
        The places of the runs that belong together.
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
    # Results without a judge are those of a language model.
    return "judge" in a and all(written(a[name]) == written(b[name]) for name in a.keys() & b)


def written(settings: Any) -> str:
    """Settings as text, equal for equal ones."""
    return json.dumps(settings, sort_keys=True, default=str)


def without_fingerprints(names: Iterable[str]) -> list[str]:
    """Names of settings without those of fingerprints: a hash tells a reader nothing."""
    return [name for name in names if not name.endswith(FINGERPRINT)]
