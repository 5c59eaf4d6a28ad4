"""The rows of a benchmark's task: from the hub, or from a file that the run names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ultrarm_eval.benchmarks.benchmark import Benchmark, BenchmarkDocuments
from ultrarm_eval.benchmarks.comparison import BenchmarkComparison
from ultrarm_eval.data.benchmark_files import is_called, open_rows
from ultrarm_eval.data.files import saved_splits
from ultrarm_eval.data.hub import load_hub
from ultrarm_eval.data.rows import Rows
from ultrarm_eval.errors import ConfigurationError, DataError
from ultrarm_eval.lm_eval_plugin.metadata import TaskOptions
from ultrarm_eval.plugins import registry

_SETTINGS = ("suite", "subset", "files", "hub_subset", "load")


def open_benchmark(
    config: Any, options: TaskOptions, metadata: Mapping[str, Any], tasks: frozenset[str]
) -> BenchmarkComparison:
    """Opens the benchmark that a task's YAML names.

    Its `dataset_kwargs` name the benchmark (`suite`) and possibly a subset of it (`subset`). If the
    benchmark has a file for each part, they also give the names of this part's file (`files`) and
    its rows in the hub's data set (`hub_subset`). `load` contains further arguments for loading
    that data set.

    Args:
        config: The task's configuration.
        options: The run's options.
        metadata: The run's metadata.
        tasks: The names of all tasks: a file named after another task does not belong to this one.

    Raises:
        UltrarmEvalError: The data cannot be used, or the YAML has an unknown setting.
    """
    given = dict(config.dataset_kwargs or {})
    for name in given:
        if name not in _SETTINGS:
            raise ConfigurationError(
                f"{config.task}: dataset_kwargs has the unknown key {name!r}. A benchmark allows "
                f"{', '.join(_SETTINGS)}."
            )
    benchmark = registry().benchmark(str(given.get("suite")))
    ties = _checked_ties(benchmark, metadata, str(config.task))
    subset: str | None = given.get("subset")
    rows, rows_of = _open(benchmark, config, options, given, tasks)
    documents = BenchmarkDocuments(rows, benchmark, subset=subset or rows_of, shard=options.shard)
    return BenchmarkComparison(benchmark, documents, origin=rows.origin, ties=ties, subset=subset)


def _checked_ties(benchmark: Benchmark, metadata: Mapping[str, Any], task: str) -> str | None:
    """The rule for ties: the benchmark's, unless the run names another."""
    named = metadata.get("ties")
    if named is None:
        return benchmark.ties
    if benchmark.ties is None:
        raise ConfigurationError(
            f"ties={named!r}: {task} has its own rule for equal rewards. Leave ties out."
        )
    return str(named)


def _open(
    benchmark: Benchmark,
    config: Any,
    options: TaskOptions,
    given: Mapping[str, Any],
    tasks: frozenset[str],
) -> tuple[Rows, str | None]:
    """The rows, and the subset of them that this task uses; None for all."""
    split, files = str(config.test_split), list(given.get("files") or ())
    hub_subset = given.get("hub_subset")
    if options.data is None:
        # The hub's data set may hold the parts of another benchmark as well.
        load = {"name": config.dataset_name, **(given.get("load") or {})}
        revision = load.pop("revision", None)
        dataset = str(config.dataset_path)
        return load_hub(dataset, split, options.data_revision or revision, **load), hub_subset
    names = files or [benchmark.name, split, *benchmark.file_names]
    opened = open_rows(options.data, split, names, is_part=bool(files))
    if not files or _is_named(opened, files):
        return opened, None
    if hub_subset is not None and "subset" in opened[0]:
        return opened, hub_subset
    # The run named this file for this part alone; one that is called like another part is a
    # mistake.
    path, task = Path(opened.origin).expanduser(), str(config.task)
    neighbours = {f"{benchmark.name}_{part}" for part in (path.stem, path.parent.name)}
    if options.named_as == task and path.is_file() and not neighbours & tasks:
        return opened, None
    raise DataError(
        f"{opened.origin}: {task} reads one part of its benchmark, and the file's name does not "
        f"say which part it is. Rename it to {files[0]}{path.suffix}, give a folder with a file "
        'or a split for each part, or name the file only for this task: {"data": '
        f'{{"{task}": "FILE"}}}}.'
    )


def _is_named(rows: Rows, files: Sequence[str]) -> bool:
    """Whether a file's name, or the folder's splits, identify the part of a benchmark."""
    path = Path(rows.origin).expanduser()
    if path.is_dir():
        return path.name.lower() in files or bool(set(saved_splits(path)) & set(files))
    return is_called(path, files)
