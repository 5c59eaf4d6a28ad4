"""What an export says about a score other than its value: judge, data, versions, remarks.

No local path is exported: only listed settings are, a value that is a path becomes `a local file`,
and one that may be a path or a name on the hub, such as `checkpoints/mine`, is omitted, unless the
run shows that it is on the hub.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from ultrarm_eval.demo import DEMO_NAME
from ultrarm_eval.exports.figures import ExportedFigure, spelled_out
from ultrarm_eval.exports.hub_names import dataset_path, is_hub_name
from ultrarm_eval.judges import DEFAULT_CHECKPOINT
from ultrarm_eval.known_settings import identifying, known_settings
from ultrarm_eval.runs.identity import mapping
from ultrarm_eval.runs.run import Run
from ultrarm_eval.runs.task_result import TaskResult

# lm-eval's name of a model's revision; its own key has the commit.
_REVISION = "model_revision"
# Other keys of lm-eval about a model, and their names in exports.
_OF_MODELS = {"model_dtype": "dtype", "model_num_parameters": "num_parameters"}
_OF_TASK = ("data_schema", "suite", "preference", "ties", "min_gap")
# Entries of a one-line note, in addition to the brief settings.
_IN_NOTES = (
    "revision_sha",
    "weights_digest",
    "data",
    "data_revision",
    "data_digest",
    "preference",
    "ties",
    "min_gap",
)
_OF_ANSWERS_JUDGE = ("template", "dtype", "revision", "weights_digest", "fingerprint")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_A_LOCAL_FILE = "a local file"
_NOT_TOLD = "omitted, as it may be a path"
# Hub names that are certainly no local paths.
_KNOWN_NAMES = (DEFAULT_CHECKPOINT,)


def run_time(run: Run) -> datetime:
    """When a run started, to the second, in UTC; when it was written if not recorded."""
    if run.started is not None:
        return run.started.replace(microsecond=0)
    written = datetime.strptime(run.stamp[:19], "%Y-%m-%dT%H-%M-%S")
    return written.replace(tzinfo=timezone.utc)


def settings_of_model(run: Run) -> dict[str, str]:
    """The settings other than the checkpoint that its results depend on, as far as recorded."""
    config = run.config
    found: dict[str, str] = {}
    of_judge = {_REVISION if name == "revision" else name: name for name in identifying()}
    for name, told in (of_judge | _OF_MODELS).items():
        value = config.get(name)
        if value not in (None, "", "null", "main") and told not in found:
            found[told] = _public(value)
    digest = str(config.get("model_sha") or "")
    if _DIGEST.fullmatch(digest):
        found["weights_digest"] = f"sha256:{digest}"
    elif digest:
        found["revision_sha"] = _public(digest)
    for name in ("chat_template_sha", "system_instruction_sha"):
        if run.results.get(name):
            found[name] = _public(run.results[name])
    return found


def data_of(figure: ExportedFigure) -> dict[str, str]:
    """The data of a score, as far as known; for a group what all its tasks share."""
    described = [_described_data(one) for one in figure.members]
    shared = described[0].items()
    if figure.is_group:
        return {k: v for k, v in shared if all(other.get(k) == v for other in described)}
    if figure.data_digest:
        return {**described[0], "data_digest": figure.data_digest}
    return described[0]


def answers_judge_of(result: TaskResult) -> dict[str, str]:
    """The judge of the answers that the model wrote; nothing for other tasks."""
    used = mapping(result.metadata.get("judge_used"))
    found = {"judge": _public(used["name"])} if used.get("name") else {}
    found |= {name: _public(used[name]) for name in _OF_ANSWERS_JUDGE if used.get(name)}
    if _DIGEST.fullmatch(found.get("weights_digest", "")):
        found["weights_digest"] = f"sha256:{found['weights_digest']}"
    checkpoint = used.get("pretrained")
    # A local folder has no revisions.
    is_of_hub = checkpoint in _KNOWN_NAMES or used.get("revision")
    if isinstance(checkpoint, str) and is_hub_name(checkpoint):
        found["pretrained"] = checkpoint if is_of_hub else _public(checkpoint)
    return found


def remarks_on(figure: ExportedFigure, model: str) -> list[str]:
    """Remarks that a reader of the score needs.

    Args:
        figure: The score.
        model: The name under which the model is exported.
    """
    run = figure.result.run
    said = []
    if figure.parts:
        said.append(f"partial run over a subset of the data ({spelled_out(figure.parts)})")
    if {model, run.model} & {name for one in figure.members for name in _in_sample_for(one)}:
        said.append(
            "in-sample: the judge was trained on these data, so the score does not measure "
            "performance on unseen data"
        )
    if any(one.metadata.get("data_used") == DEMO_NAME for one in figure.members):
        said.append("synthetic demo data, which do not show performance on real data")
    counts = mapping(run.config.get("judge_counts"))
    if counts.get("truncated"):
        said.append(
            f"{counts['truncated']} of the run's {counts.get('texts')} texts were truncated"
        )
    if counts.get("cut_by_template"):
        said.append(
            f"the template shortened or changed the answer in {counts['cut_by_template']} of the "
            f"run's {counts.get('texts')} texts"
        )
    if figure.result.higher_is_better(figure.metric) is None:
        said.append(f"neither direction of {figure.metric} is better")
    return said


def note_on(figure: ExportedFigure, model: str) -> str:
    """One line about a score: its value, how it was computed, and remarks."""
    result = figure.result
    first = f"{figure.key} = {figure.value:.4f}"
    if figure.error is not None:
        first += f", standard error {figure.error:.4f}"
    if figure.is_group:
        first += f", over the {len(figure.members)} tasks of the group {figure.task}"
    elif result.documents is not None:
        first += f", {result.documents} documents"
    in_notes = {*_IN_NOTES, *(name for name, s in known_settings().items() if s.is_brief)}
    about = (settings_of_model(result.run), data_of(figure))
    said = [first, *(_told({k: v for k, v in one.items() if k in in_notes}) for one in about)]
    judge = answers_judge_of(figure.members[0])
    if judge:
        said.append(f"answers judged by: {_told(judge)}")
    version = result.run.results.get("lm_eval_version")
    said.append(f"lm-eval {_public(version)}" if version else "")
    return one_line("; ".join(part for part in [*said, *remarks_on(figure, model)] if part))


def one_line(text: str) -> str:
    """A text without line breaks, other control characters and lone surrogates."""
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return " ".join("".join(c if c.isprintable() else " " for c in whole).split())


def _described_data(result: TaskResult) -> dict[str, str]:
    metadata = result.metadata
    used = metadata.get("data_used", dataset_path(result))
    found = {}
    if used == DEMO_NAME:
        found["data"] = "the bundled demo data (synthetic)"
    elif used is not None:
        found["data"] = str(used) if used == dataset_path(result) else _A_LOCAL_FILE
    if metadata.get("data_revision"):
        found["data_revision"] = _public(metadata["data_revision"])
    if metadata.get("version") is not None:
        found["task_version"] = _public(metadata["version"])
    for name in _OF_TASK:
        if metadata.get(name) is not None:
            found[name] = _public(metadata[name])
    return found


def _in_sample_for(result: TaskResult) -> list[str]:
    named = result.metadata.get("in_sample_for")
    return [str(name) for name in named] if isinstance(named, list) else []


def _told(settings: Mapping[str, str]) -> str:
    return one_line(", ".join(f"{name} {value}" for name, value in settings.items()))


def _public(value: Any) -> str:
    """A setting as text, unless it may be a local path."""
    if isinstance(value, Mapping):
        # A preset such as `parity` has a name; the settings that it sets have their own entries.
        told = {"": value["name"]} if value.get("name") else value
        parts = (f"{name} {_public(item)}".strip() for name, item in told.items())
        return one_line(", ".join(parts))
    if isinstance(value, list | tuple):
        return one_line(", ".join(map(_public, value)))
    text = one_line(str(value))
    if text in _KNOWN_NAMES:
        return text
    if "\\" in text or text.startswith(("/", "~", ".")) or text.count("/") > 1:
        return _A_LOCAL_FILE
    return _NOT_TOLD if "/" in text else text
