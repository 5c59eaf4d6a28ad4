"""Hugging Face's `.eval_results/*.yaml`: scores that a model's page and a benchmark's board show.

The form is that of huggingface_hub's `EvalResultEntry` and of the hub's documentation
(docs/hub/eval-results.md and eval_results.yaml in huggingface/hub-docs): a list of entries with
`dataset.id`, a benchmark of the hub; `dataset.task_id`, as the benchmark's eval.yaml has it;
`value`; and `date`, `source` and `notes`. `verifyToken` is what the hub's own jobs get, and is not
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
    """What a user says beside the run.

    Attributes:
        datasets: The hub's name of a task's data, by task; under None for all tasks.
        task_ids: What a benchmark's eval.yaml calls a task, by task; under None for all tasks; its
            own name if it is not here.
        source: Where the results can be looked up.
        overwrite: Whether an export with another content is replaced.
    """

    datasets: Mapping[str | None, str] = field(default_factory=dict)
    task_ids: Mapping[str | None, str] = field(default_factory=dict)
    source: Source = field(default_factory=Source)
    overwrite: bool = True


def write_eval_results(
    folder: Path, model: str, figures: Sequence[ExportedFigure], options: EvalResultsOptions
) -> list[Path]:
    """Writes `MODEL/.eval_results/DATASET.yaml`, a file for each data set; their paths.

    Args:
        folder: The folder that gets `MODEL`, which stands for the model's repository.
        model: `ORG/NAME`, or a name alone.
        figures: The figures.
        options: What the user says beside.

    Raises:
        ConfigurationError: huggingface_hub is too old, a task's data set is not known, one name is
            given for the data of several tasks, two figures have one task id, or an
            export with another content is there.
        DataError: What would be written does not read back as it was.
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
                "and a benchmark has one value for each. Name them apart, --task-id TASK=ID."
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
            raise DataError(f"The entries of {name} do not read back as they were written.")
        contents[f"{model}/.eval_results/{_file_name(name, by_dataset)}.yaml"] = text
    return write_texts(folder, contents, overwrite=options.overwrite)


def _data_of_each(
    figures: Sequence[ExportedFigure], datasets: Mapping[str | None, str]
) -> dict[str, HubData]:
    """The data set of each task; all that have none are named at once.

    Raises:
        ConfigurationError: A task's data set is not known.
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
            "data from the hub (or a group's tasks read several), so the run does not say which "
            f"benchmark of the hub this is. Name it, {named_datasets(list(unknown))}, or leave the "
            "task out, --task of the others. model-index needs no benchmark."
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
            f"This form is written through huggingface_hub {_NEEDED} or newer, and {__version__} "
            "is installed. transformers 4 wants an older one: export from an environment with "
            f"transformers 5 (pip install 'huggingface_hub>={_NEEDED}' 'transformers>=5'); the "
            "results file is all that it needs. model-index works with any version."
        ) from error
    return EvalResultEntry, eval_result_entries_to_yaml, parse_eval_result_entries


def _task_id(figure: ExportedFigure, named: Mapping[str | None, str]) -> str:
    """The benchmark's id of a figure: of another metric than the main one with its name."""
    task_id = named.get(figure.task, named.get(None, figure.task))
    if figure.is_main:
        return task_id
    more = figure.metric if figure.filter_name == "none" else figure.key.replace(",", "_")
    return f"{task_id}_{more}"


def _file_name(dataset: str, datasets: Mapping[str, Any]) -> str:
    """A file's name for a data set: without its owner, unless another has the name as well."""
    short = dataset.rpartition("/")[2]
    same = [other for other in datasets if other.rpartition("/")[2].lower() == short.lower()]
    name = short if len(same) == 1 else dataset.replace("/", "_")
    # What stands in a path is looked at once more, wherever it came from.
    if not is_hub_name(name):
        raise ConfigurationError(f"{dataset!r} is no name of a data set of the hub.")
    return name
