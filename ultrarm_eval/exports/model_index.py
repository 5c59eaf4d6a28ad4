"""`model-index`: results in the metadata of a model card, the format before `.eval_results`.

Written through huggingface_hub's `EvalResult` and `ModelCardData`, for the YAML block at the top of
a model's README.md (modelcard.md in huggingface/hub-docs). Results that agree in task type, data
set, configuration, split and revision are one to huggingface_hub (`EvalResult.unique_identifier`,
2.4), which keeps only the first data set name; the task's name as the configuration distinguishes
the subsets of one data set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ultrarm_eval.errors import DataError
from ultrarm_eval.exports.figures import ExportedFigure
from ultrarm_eval.exports.files import write_texts
from ultrarm_eval.exports.hub_names import Source, hub_data, hub_split
from ultrarm_eval.exports.provenance import (
    answers_judge_of,
    data_of,
    remarks_on,
    run_time,
    settings_of_model,
)
from ultrarm_eval.show.formats import iso_date

#: Metrics that have an id on the hub.
_HUB_METRICS = {"acc": "accuracy", "exact_match": "exact_match", "f1": "f1"}
# On the hub reward models are sequence classifiers; generated answers are text generation.
_COMPARES, _WRITES = "text-classification", "text-generation"


def write_model_index(
    folder: Path,
    model: str,
    figures: Sequence[ExportedFigure],
    *,
    datasets: Mapping[str | None, str],
    source: Source,
    overwrite: bool = True,
) -> list[Path]:
    """Writes `MODEL/model-index.yaml`, for the top of the model's README.md; its path.

    Args:
        folder: The folder for `MODEL`.
        model: `ORG/NAME`, or only a name.
        figures: The scores.
        datasets: The hub's name of a task's data, by task; under None for all tasks.
        source: A page of the results.
        overwrite: Whether an existing export with other content is replaced.

    Raises:
        ConfigurationError: A data set's name is not valid on the hub, or there is an export with
            other content.
        DataError: The written metadata differ when read back.
    """
    from huggingface_hub import ModelCardData
    from huggingface_hub.repocard_data import model_index_to_eval_results

    name = model.rpartition("/")[2]
    results = [_result(figure, model, datasets, source) for figure in figures]
    text = ModelCardData(model_name=name, eval_results=results).to_yaml() + "\n"
    if model_index_to_eval_results(yaml.safe_load(text)["model-index"]) != (name, results):
        raise DataError("The model-index differs when read back. Please report this.")
    return write_texts(folder, {f"{model}/model-index.yaml": text}, overwrite=overwrite)


def _result(
    figure: ExportedFigure, model: str, datasets: Mapping[str | None, str], source: Source
) -> Any:
    from huggingface_hub import EvalResult

    config = figure.members[0].config
    data = hub_data(figure, datasets)
    writes = config.get("output_type") == "generate_until"
    return EvalResult(
        task_type=_WRITES if writes else _COMPARES,
        task_name="Text generation" if writes else "Preference ranking",
        dataset_type=data.name if data else figure.task,
        dataset_name=figure.task,
        dataset_config=figure.task,
        dataset_split=hub_split(figure, datasets),
        dataset_revision=data.revision if data else None,
        dataset_args=_data_args(figure),
        metric_type=_HUB_METRICS.get(figure.metric, figure.metric),
        metric_value=figure.value,
        metric_name=figure.key,
        metric_args=_metric_args(figure, model),
        source_url=source.url,
        source_name=source.name,
    )


def _data_args(figure: ExportedFigure) -> dict[str, Any]:
    result = figure.result
    found: dict[str, Any] = {}
    if figure.is_group:
        found["tasks"] = [one.task for one in figure.members]
    elif result.documents is not None:
        found["documents"] = result.documents
    shots = figure.members[0].num_fewshot
    if shots is not None:
        found["num_few_shot"] = shots
    return {**found, **data_of(figure)}


def _metric_args(figure: ExportedFigure, model: str) -> dict[str, Any]:
    run = figure.result.run
    found: dict[str, Any] = {"filter": figure.filter_name}
    if figure.error is not None:
        found["standard_error"] = figure.error
    found |= settings_of_model(run)
    judge = answers_judge_of(figure.members[0])
    if judge:
        found["answers_judge"] = judge
    if run.results.get("lm_eval_version"):
        found["lm_eval_version"] = str(run.results["lm_eval_version"])
    found["date"] = iso_date(run_time(run))
    remarks = remarks_on(figure, model)
    if remarks:
        found["remarks"] = remarks
    return found
