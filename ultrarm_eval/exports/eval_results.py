"""Hugging Face's `.eval_results/*.yaml`: scores that a model's page and a benchmark's board show.

The format is that of huggingface_hub's `EvalResultEntry` and of the hub's documentation
(docs/hub/eval-results.md and eval_results.yaml in huggingface/hub-docs): a list of entries with
`dataset.id`, a benchmark of the hub; `dataset.task_id`, as the benchmark's eval.yaml has it;
`value`; and `date`, `source` and `notes`. `verifyToken` is only for the hub's own jobs, and is not
written here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ultrarm_eval.errors import ConfigurationError, DataError
from ultrarm_eval.exports.figures import ExportedFigure
from ultrarm_eval.exports.files import write_texts
from ultrarm_eval.exports.hub_names import (
    HubData,
    Source,
    hub_data,
    is_hub_name,
    named_datasets,
    require_dataset_of_each,
)
from ultrarm_eval.exports.provenance import note_on, run_time
from ultrarm_eval.show.formats import iso_date

#: The first with `EvalResultEntry` (PR 3633 of huggingface_hub; not yet in 1.3).
_NEEDED = "1.4"


@dataclass(frozen=True)
class EvalResultsOptions:
    """Options that the user gives in addition to the run.

    Attributes:
        datasets: The hub's name of a task's data, by task; under None for all tasks.
        task_ids: The task's name in a benchmark's eval.yaml, by task; under None for all tasks; the
            task's own name by default.
        source: A page of the results.
        overwrite: Whether an existing export with other content is replaced.
    """

    datasets: Mapping[str | None, str] = field(default_factory=dict)
    task_ids: Mapping[str | None, str] = field(default_factory=dict)
    source: Source = field(default_factory=Source)
    overwrite: bool = True


def write_eval_results(
    folder: Path, model: str, figures: Sequence[ExportedFigure], options: EvalResultsOptions
) -> list[Path]:
    """Writes `MODEL/.eval_results/DATASET.yaml`, a file for each data set; returns their paths.

    Args:
        folder: The folder for `MODEL`, which represents the model's repository.
        model: `ORG/NAME`, or only a name.
        figures: The scores.
        options: The user's options.

    Raises:
        ConfigurationError: huggingface_hub is too old, a task's data set is unknown, one name is
            given for the data of several tasks, two scores have the same task id, or there is an
            export with other content.
        DataError: The written entries differ when read back.
    """
    entry_class, to_yaml, parse = _classes()
    require_dataset_of_each(options.datasets, figures)
    data_of = _data_of_each(figures, options.datasets)
    by_dataset: dict[str, list[Any]] = {}
    seen: dict[tuple[str, str], str] = {}
    for figure in figures:
        data = data_of[figure.task]
        task_id = _task_id(figure, options.task_ids)
        other = seen.setdefault((data.name, task_id), f"{figure.task} {figure.key}")
        if other != f"{figure.task} {figure.key}":
            raise ConfigurationError(
                f"{other} and {figure.task} {figure.key} would both be {task_id!r} of {data.name}, "
                "but a benchmark has one value for each. Give each an id with --task-id TASK=ID."
            )
        entry = entry_class(
            dataset_id=data.name,
            task_id=task_id,
            value=figure.value,
            dataset_revision=data.revision,
            date=iso_date(run_time(figure.result.run)),
            source_url=options.source.url,
            source_name=options.source.name,
            notes=note_on(figure, model),
        )
        by_dataset.setdefault(data.name, []).append(entry)
    contents: dict[str, str] = {}
    for name, entries in by_dataset.items():
        text = yaml.safe_dump(to_yaml(entries), sort_keys=False, allow_unicode=True, width=1000)
        if parse(yaml.safe_load(text)) != entries:
            raise DataError(f"The entries of {name} differ when read back. Please report this.")
        contents[f"{model}/.eval_results/{_file_name(name, by_dataset)}.yaml"] = text
    return write_texts(folder, contents, overwrite=options.overwrite)


def _data_of_each(
    figures: Sequence[ExportedFigure], datasets: Mapping[str | None, str]
) -> dict[str, HubData]:
    """The data set of each task; an error names all tasks without one.

    Raises:
        ConfigurationError: A task's data set is unknown.
    """
    found: dict[str, HubData] = {}
    unknown: dict[str, Path] = {}
    for figure in figures:
        data = hub_data(figure, datasets)
        if data is None:
            unknown[figure.task] = figure.result.run.path
        else:
            found[figure.task] = data
    if unknown:
        path = next(iter(unknown.values()))
        raise ConfigurationError(
            f"{path}: {', '.join(unknown)} did not read {'its' if len(unknown) == 1 else 'their'} "
            "data from the hub (or a group's tasks read several), so the run does not record which "
            f"benchmark of the hub this is. Name it with {named_datasets(list(unknown))}, or "
            "exclude the task by naming the others with --task. model-index needs no benchmark."
        )
    return found


def _classes() -> tuple[Any, Any, Any]:
    try:
        from huggingface_hub import (
            EvalResultEntry,
            eval_result_entries_to_yaml,
            parse_eval_result_entries,
        )
    except ImportError as error:
        from huggingface_hub import __version__

        raise ConfigurationError(
            f"This export needs huggingface_hub {_NEEDED} or newer, and {__version__} "
            "is installed. transformers 4 needs an older one: export from an environment with "
            f"transformers 5 (pip install 'huggingface_hub>={_NEEDED}' 'transformers>=5'); the "
            "export only needs the results file. model-index works with any version."
        ) from error
    return EvalResultEntry, eval_result_entries_to_yaml, parse_eval_result_entries


def _task_id(figure: ExportedFigure, named: Mapping[str | None, str]) -> str:
    """The benchmark's id of a score; a metric other than the main one is part of it."""
    task_id = named.get(figure.task, named.get(None, figure.task))
    if figure.is_main:
        return task_id
    more = figure.metric if figure.filter_name == "none" else figure.key.replace(",", "_")
    return f"{task_id}_{more}"


def _file_name(dataset: str, datasets: Mapping[str, Any]) -> str:
    """A file's name for a data set: without its owner, unless another one has the same name."""
    short = dataset.rpartition("/")[2]
    same = [other for other in datasets if other.rpartition("/")[2].lower() == short.lower()]
    name = short if len(same) == 1 else dataset.replace("/", "_")
    # A name used in a path is checked again, wherever it came from.
    if not is_hub_name(name):
        raise ConfigurationError(f"{dataset!r} is not a name of a data set on the hub.")
    return name
