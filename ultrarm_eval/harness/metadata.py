"""The run's `--metadata`, as far as it is meant for our tasks."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ultrarm_eval.data.shards import Shard, read_shard
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.rules import ComparisonRules, checked_min_gap, checked_ties

_OURS = ("data", "data_revision", "preference", "ties", "min_gap", "shard")
# What people write for ours, and what is not close enough by its letters.
_MISTAKEN = {
    "dataset": "data",
    "data_file": "data",
    "data_files": "data",
    "data_path": "data",
    "dataset_revision": "data_revision",
    "preferences": "preference",
    "preferred": "preference",
    "gap": "min_gap",
    "min_margin": "min_gap",
    "num_shards": "shard",
    "shard_id": "shard",
}
# Arguments of models that arrive in the same place and look like ours.
_OTHERS = frozenset({"revision", "date", "delta", "dtype", "task", "metadata", "reference"})
_CLOSENESS = 0.75


@dataclass(frozen=True)
class TaskOptions:
    """Which data a task reads, and how it compares completions.

    Attributes:
        data: A source's word, a file or a folder; None for the task's own data set.
        data_revision: Hub revision of the task's own data set.
        rules: How completions are compared.
        shard: The part of the data to read; None for all of it.
    """

    data: str | None = None
    data_revision: str | None = None
    rules: ComparisonRules = field(default_factory=ComparisonRules)
    shard: Shard | None = None


def read_options(metadata: Mapping[str, Any]) -> TaskOptions:
    """Takes our options out of a task's metadata.

    The harness puts its own keys there, too (model arguments, version, ...): they are left alone.

    Raises:
        ConfigurationError: A key is nearly one of ours, or a value is not allowed.
    """
    for key in metadata:
        meant = _meant(str(key))
        if meant is not None:
            raise ConfigurationError(
                f"--metadata has the key {key!r}; did you mean {meant!r}? "
                f"Keys of the preference tasks: {', '.join(_OURS)}."
            )
    data, revision = metadata.get("data"), metadata.get("data_revision")
    if data is not None and (not isinstance(data, str) or not data.strip()):
        raise ConfigurationError(
            f"--metadata data={data!r}: give a file, a folder or the word of a source as text."
        )
    if data is not None and revision is not None:
        raise ConfigurationError(
            f"--metadata has data={data!r} and data_revision={revision!r}: a revision belongs to "
            "the data set on the hub. Leave one of them out."
        )
    shard = metadata.get("shard")
    return TaskOptions(
        data,
        None if revision is None else str(revision),
        _read_rules(metadata),
        None if shard is None else read_shard(shard),
    )


def _read_rules(metadata: Mapping[str, Any]) -> ComparisonRules:
    preference, ties = metadata.get("preference"), metadata.get("ties")
    min_gap = metadata.get("min_gap")
    defaults = ComparisonRules()
    return ComparisonRules(
        # Which preferences there are depends on the data.
        None if preference is None else str(preference),
        defaults.ties if ties is None else checked_ties(ties),
        defaults.min_gap if min_gap is None else checked_min_gap(min_gap),
    )


def _meant(key: str) -> str | None:
    if key in _OURS or key in _OTHERS:
        return None
    folded = key.lower().replace("-", "_")
    if folded in _OURS:
        return folded
    if folded in _MISTAKEN:
        return _MISTAKEN[folded]
    close = difflib.get_close_matches(folded, _OURS, n=1, cutoff=_CLOSENESS)
    return close[0] if close else None
